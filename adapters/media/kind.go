package media

import (
	"mime"
	"strings"

	"github.com/gabriel-vasile/mimetype"

	"parley/models"
)

// sniffBytes is how much of a file mimetype looks at.
const sniffBytes = 4096

// container is a file format that holds audio or video: only what is inside
// tells them apart, and the first bytes rarely do.
type container struct{ audio, audioExt, video, videoExt string }

var (
	webm      = container{"audio/webm", ".webm", "video/webm", ".webm"}
	ogg       = container{"audio/ogg", ".ogg", "video/ogg", ".ogv"}
	mp4       = container{"audio/mp4", ".m4a", "video/mp4", ".mp4"}
	threeGP   = container{"audio/3gpp", ".3gp", "video/3gpp", ".3gp"}
	threeG2   = container{"audio/3gpp2", ".3g2", "video/3gpp2", ".3g2"}
	quicktime = container{"audio/mp4", ".m4a", "video/quicktime", ".mov"}
	matroska  = container{"audio/x-matroska", ".mka", "video/x-matroska", ".mkv"}
	asf       = container{"audio/x-ms-wma", ".wma", "video/x-ms-asf", ".asf"}
)

// containers finds the container by the type mimetype reports.
var containers = map[string]container{
	"video/webm": webm, "audio/webm": webm,
	"application/ogg": ogg, "audio/ogg": ogg, "video/ogg": ogg,
	"video/mp4": mp4, "audio/mp4": mp4, "audio/x-m4a": mp4, "video/x-m4v": mp4,
	"video/3gpp": threeGP, "video/3gpp2": threeG2,
	"video/quicktime": quicktime, "video/matroska": matroska, "video/x-ms-asf": asf,
}

// kindOf says what the content is. declared is the client's word, which counts
// only where the content itself can be either audio or video.
func kindOf(head []byte, declared string) (mimeType string, kind models.MessageType, ok bool) {
	sniffed, _, err := mime.ParseMediaType(mimetype.Detect(head).String())
	if err != nil {
		return "", "", false
	}
	if c, ok := containers[sniffed]; ok {
		family := familyOf(declared)
		if family != models.Audio && family != models.Video {
			family = familyOf(sniffed)
		}
		if family == models.Video {
			return c.video, models.Video, true
		}
		// application/ogg lands here: voice messages are what it mostly is.
		return c.audio, models.Audio, true
	}
	kind = familyOf(sniffed)
	return sniffed, kind, kind != ""
}

func familyOf(mimeType string) models.MessageType {
	family, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(mimeType)), "/")
	switch family {
	case "image":
		return models.Image
	case "video":
		return models.Video
	case "audio":
		return models.Audio
	}
	return ""
}

// extensionOf returns the ending a file of the type is stored under.
func extensionOf(mimeType string) string {
	for _, c := range containers {
		switch mimeType {
		case c.audio:
			return c.audioExt
		case c.video:
			return c.videoExt
		}
	}
	if m := mimetype.Lookup(mimeType); m != nil && endingPattern.MatchString(m.Extension()) {
		return m.Extension()
	}
	return ".bin"
}

// shown are the endings a browser may show in place: raster images, video and
// audio. Everything else is handed over as a download.
var shown = map[string]string{
	".png": "image/png", ".apng": "image/apng", ".jpg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp",
	".bmp": "image/bmp", ".avif": "image/avif", ".heic": "image/heic", ".heif": "image/heif", ".tiff": "image/tiff",
	".ico": "image/x-icon", ".jxl": "image/jxl", ".jp2": "image/jp2",
	".mp4": "video/mp4", ".webm": "video/webm", ".ogv": "video/ogg", ".mov": "video/quicktime", ".mkv": "video/x-matroska",
	".3gp": "video/3gpp", ".3g2": "video/3gpp2", ".avi": "video/x-msvideo", ".mpeg": "video/mpeg", ".flv": "video/x-flv",
	".asf": "video/x-ms-asf",
	".mp3": "audio/mpeg", ".m4a": "audio/mp4", ".ogg": "audio/ogg", ".wav": "audio/wav", ".flac": "audio/flac",
	".aac": "audio/aac", ".amr": "audio/amr", ".aiff": "audio/aiff", ".au": "audio/basic", ".midi": "audio/midi",
	".mka": "audio/x-matroska", ".wma": "audio/x-ms-wma",
}
