package media

import (
	"bytes"
	"encoding/binary"
	"io"

	"parley/models"
)

// container is a file format that holds audio or video: only the tracks inside
// tell them apart. Each of the two has an ending of its own, since it is by the
// ending that a kept file is served.
type container struct {
	audio, audioExt, video, videoExt string
	sniffed                          []string // what mimetype calls it
	mostly                           models.MessageType
	boxes                            bool // of the family of MP4
}

func (c container) mime(family models.MessageType) string {
	if family == models.Audio {
		return c.audio
	}
	return c.video
}

var containers = []container{
	{audio: "audio/webm", audioExt: ".weba", video: "video/webm", videoExt: ".webm", mostly: models.Video},
	// Voice messages are what Ogg mostly is.
	{audio: "audio/ogg", audioExt: ".ogg", video: "video/ogg", videoExt: ".ogv", mostly: models.Audio, sniffed: []string{"application/ogg"}},
	{audio: "audio/mp4", audioExt: ".m4a", video: "video/mp4", videoExt: ".mp4", mostly: models.Video, boxes: true, sniffed: []string{"audio/x-m4a", "video/x-m4v"}},
	{audio: "audio/3gpp", audioExt: ".3ga", video: "video/3gpp", videoExt: ".3gp", mostly: models.Video, boxes: true},
	{audio: "audio/3gpp2", audioExt: ".3g2a", video: "video/3gpp2", videoExt: ".3g2", mostly: models.Video, boxes: true},
	{audio: "audio/mp4", audioExt: ".m4a", video: "video/quicktime", videoExt: ".mov", mostly: models.Video, boxes: true},
	{audio: "audio/x-matroska", audioExt: ".mka", video: "video/x-matroska", videoExt: ".mkv", mostly: models.Video, sniffed: []string{"video/matroska"}},
	{audio: "audio/x-ms-wma", audioExt: ".wma", video: "video/x-ms-asf", videoExt: ".asf", mostly: models.Video},
}

func containerOf(mime string) (container, bool) {
	for _, c := range containers {
		if mime == c.audio || mime == c.video {
			return c, true
		}
		for _, name := range c.sniffed {
			if mime == name {
				return c, true
			}
		}
	}
	return container{}, false
}

// brandOf is what an MP4 calls itself, where that says anything.
func brandOf(head []byte) models.MessageType {
	if len(head) < 12 || string(head[4:8]) != "ftyp" {
		return ""
	}
	switch string(head[8:12]) {
	case "M4A ", "M4B ", "M4P ", "F4A ", "F4B ":
		return models.Audio
	case "M4V ", "M4VH", "M4VP", "F4V ", "F4P ":
		return models.Video
	}
	return ""
}

// tracks is what was seen of a container's inside.
//
// They are read by loops of our own: the libraries for these formats follow
// what a hostile file says about itself, down a thousand levels or round in
// circles. These look at each byte once and at a bounded number of them.
type tracks struct{ audio, video bool }

func tracksOf(head []byte, c container) tracks {
	switch c.video {
	case "video/webm", "video/x-matroska":
		return matroskaTracks(head)
	case "video/ogg":
		return oggTracks(head)
	case "video/x-ms-asf":
		return asfTracks(head)
	}
	return tracks{}
}

// The elements of Matroska on the way to its tracks.
const (
	ebmlSegment = 0x18538067
	ebmlTracks  = 0x1654ae6b
	ebmlEntry   = 0xae
	ebmlType    = 0x83
	ebmlCluster = 0x1f43b675
)

// matroskaTracks steps into the elements that lead to the tracks and over the
// others. Segments of unknown size, as MediaRecorder writes them, need no more.
func matroskaTracks(rest []byte) tracks {
	var t tracks
	for {
		id, n, ok := ebmlNumber(rest, 4, true)
		if !ok || id == ebmlCluster {
			return t
		}
		rest = rest[n:]
		size, n, ok := ebmlNumber(rest, 8, false)
		if !ok {
			return t
		}
		rest = rest[n:]
		switch id {
		case ebmlTracks:
			// Half of them would not tell.
			if size > uint64(len(rest)) && size != 1<<(7*n)-1 {
				return t
			}
			continue
		case ebmlSegment, ebmlEntry:
			continue
		}
		if size > uint64(len(rest)) {
			return t
		}
		if id == ebmlType && size == 1 {
			t.video = t.video || rest[0] == 1
			t.audio = t.audio || rest[0] == 2
		}
		rest = rest[size:]
	}
}

// ebmlNumber reads a number that begins with its own length: zeros before a one.
func ebmlNumber(b []byte, longest int, whole bool) (value uint64, length int, ok bool) {
	if len(b) == 0 {
		return 0, 0, false
	}
	length = 1
	for mark := byte(0x80); b[0]&mark == 0; mark >>= 1 {
		if length++; length > longest {
			return 0, 0, false
		}
	}
	if len(b) < length {
		return 0, 0, false
	}
	for _, c := range b[:length] {
		value = value<<8 | uint64(c)
	}
	if !whole {
		value &= 1<<(7*length) - 1
	}
	return value, length, true
}

var oggCodecs = []struct {
	mark string
	tracks
}{
	{"OpusHead", tracks{audio: true}}, {"\x01vorbis", tracks{audio: true}}, {"\x7fFLAC", tracks{audio: true}},
	{"Speex   ", tracks{audio: true}}, {"CELT    ", tracks{audio: true}}, {"PCM     ", tracks{audio: true}}, {"\x01audio", tracks{audio: true}},
	{"\x80theora", tracks{video: true}}, {"OVP80", tracks{video: true}}, {"BBCD\x00", tracks{video: true}}, {"\x01video", tracks{video: true}},
}

// oggTracks reads the pages that begin the streams; all stand first.
func oggTracks(rest []byte) tracks {
	const header, begins = 27, 2
	var t tracks
	for len(rest) > header && string(rest[:4]) == "OggS" && rest[5]&begins != 0 {
		size := header + int(rest[26])
		if size > len(rest) {
			break
		}
		for _, segment := range rest[header:size] {
			size += int(segment)
		}
		body := rest[header+int(rest[26]) : min(size, len(rest))]
		for _, codec := range oggCodecs {
			if bytes.HasPrefix(body, []byte(codec.mark)) {
				t.audio, t.video = t.audio || codec.audio, t.video || codec.video
			}
		}
		rest = rest[min(size, len(rest)):]
	}
	return t
}

// asfTracks looks for the GUIDs of the stream types.
func asfTracks(head []byte) tracks {
	return tracks{
		audio: bytes.Contains(head, []byte("\x40\x9e\x69\xf8\x4d\x5b\xcf\x11\xa8\xfd\x00\x80\x5f\x5c\x44\x2b")),
		video: bytes.Contains(head, []byte("\xc0\xef\x19\xbc\x4d\x5b\xcf\x11\xa8\xfd\x00\x80\x5f\x5c\x44\x2b")),
	}
}

// maxBoxes is how many boxes are read on the way to the tracks; a film of some
// hours in one piece has a few dozen.
const maxBoxes = 2000

// boxTracks steps into the boxes of an MP4 that lead to the handlers of its
// tracks and over the others. The index may stand at the end.
func boxTracks(file io.ReaderAt, end int64) (tracks, error) {
	var (
		t      tracks
		header [16]byte
		index  int64 // the end of moov, once it was met
	)
	at := int64(0)
	for range maxBoxes {
		if index > 0 && at >= index {
			break
		}
		n, err := file.ReadAt(header[:], at)
		if err != nil && err != io.EOF {
			return t, err
		}
		if n < 8 {
			break
		}
		size, begin := int64(binary.BigEndian.Uint32(header[:])), int64(8)
		switch {
		case size == 0:
			size = end - at // the last one
		case size == 1 && n == 16:
			size, begin = int64(binary.BigEndian.Uint64(header[8:])), 16
		}
		if size < begin || size > end-at {
			break
		}
		switch string(header[4:8]) {
		case "moov":
			index = at + size
			at += begin
			continue
		case "trak", "mdia":
			at += begin
			continue
		case "hdlr":
			if n, err := file.ReadAt(header[:12], at+begin); n == 12 {
				t.video = t.video || string(header[8:12]) == "vide"
				t.audio = t.audio || string(header[8:12]) == "soun"
			} else if err != io.EOF {
				return t, err
			}
		}
		at += size
	}
	return t, nil
}
