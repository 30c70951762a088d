package media

import (
	"github.com/gabriel-vasile/mimetype"

	"parley/models"
)

// endingOf returns the ending a file is kept under, and served by. What its
// client alone knows never gets one that is shown.
func endingOf(upload models.Upload) string {
	if upload.Declared {
		if ending := declaredEndings[upload.MIME]; ending != "" {
			return ending
		}
		return ".bin"
	}
	if c, ok := containerOf(upload.MIME); ok {
		// By the type, which somebody else may have decided.
		if upload.Type == models.Audio {
			return c.audioExt
		}
		return c.videoExt
	}
	if m := mimetype.Lookup(upload.MIME); m != nil && endingPattern.MatchString(m.Extension()) {
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
	".mp3": "audio/mpeg", ".m4a": "audio/mp4", ".weba": "audio/webm", ".ogg": "audio/ogg", ".wav": "audio/wav", ".flac": "audio/flac",
	".3ga": "audio/3gpp", ".3g2a": "audio/3gpp2", ".aac": "audio/aac", ".amr": "audio/amr", ".aiff": "audio/aiff",
	".au": "audio/basic", ".midi": "audio/midi", ".mka": "audio/x-matroska", ".wma": "audio/x-ms-wma",
}

// handedOver are the endings that keep their type as a download, because a page
// that embeds the file needs it: an <img> shows a drawing, and Safari plays the
// voice messages of phones by their type alone.
var handedOver = map[string]string{
	".svg": vector, ".caf": "audio/x-caf", ".ac3": "audio/ac3", ".eac3": "audio/eac3", ".ts": "video/mp2t",
}

// declaredEndings are those of handedOver that a declared type leads to.
var declaredEndings = map[string]string{
	"audio/x-caf": ".caf", "audio/caf": ".caf", "audio/ac3": ".ac3", "audio/x-ac3": ".ac3", "audio/eac3": ".eac3", "video/mp2t": ".ts",
}
