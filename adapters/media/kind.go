package media

import (
	"bytes"
	"io"
	"regexp"
	"strings"

	"github.com/gabriel-vasile/mimetype"

	"parley/models"
)

const (
	// headBytes is how much of a file is looked at before anything is stored:
	// enough for the comments before an <svg> and the tracks of a Matroska file.
	headBytes = 64 << 10
	// octets is the type of what is only handed over.
	octets = "application/octet-stream"
	vector = "image/svg+xml"
)

// kind is what a file was found to be.
type kind struct {
	mime     string
	family   models.MessageType
	declared bool // by the client's word alone
	either   bool // audio or video, and nothing told
	// boxes says that the tracks of this container may stand behind the head.
	boxes bool
	brand models.MessageType
	// client is the family the client declared.
	client models.MessageType
	holder container
}

// kindOf says what a file is that begins with head. The content decides; the
// client's word counts where nobody knows the content, or where the content
// does not tell audio from video. What is known to be something else is not ok.
func kindOf(head []byte, declared string) (k kind, ok bool) {
	client := familyOf(declared)
	if isSVG(head) {
		return kind{mime: vector, family: models.Image}, true
	}
	if mime := unlisted(head); mime != "" {
		return kind{mime: mime, family: familyOf(mime)}, true
	}
	sniffed := mimetype.Detect(head)
	mime, _, _ := strings.Cut(sniffed.String(), ";")
	family := familyOf(mime)
	if holder, ok := containerOf(mime); ok {
		k := kind{boxes: holder.boxes, brand: brandOf(head), client: client, holder: holder}
		k.settle(tracksOf(head, holder))
		return k, true
	}
	switch {
	case family != "" && mime != vector && (client == "" || client == family || !weak(head, mime)):
		return kind{mime: mime, family: family}, true
	case foreign(head, sniffed) || client == "":
		return kind{}, false
	}
	return kind{mime: declaredType(declared), family: client, declared: true}, true
}

// look reads the tracks of a container whose index may stand anywhere in it.
func (k *kind) look(file io.ReaderAt, size int64) error {
	if !k.boxes {
		return nil
	}
	t, err := boxTracks(file, size)
	if err == nil {
		k.settle(t)
	}
	return err
}

// settle decides between audio and video: by the tracks, the brand, the
// client's word. A brand for audio outweighs a video track, because the
// chapters of audio books have pictures, unless the client says video too.
func (k *kind) settle(t tracks) {
	k.either = false
	switch {
	case t.video && k.brand == models.Audio && k.client != models.Video:
		k.family = models.Audio
	case t.video:
		k.family = models.Video
	case t.audio:
		k.family = models.Audio
	case k.brand != "":
		k.family = k.brand
	case k.client == models.Audio || k.client == models.Video:
		k.family = k.client
	default:
		k.family, k.either = k.holder.mostly, true
	}
	k.mime = k.holder.mime(k.family)
}

// unlisted knows the pictures that mimetype takes for something else.
func unlisted(head []byte) string {
	if len(head) > 12 && string(head[4:12]) == "ftypcrx " {
		return "image/x-canon-cr3"
	}
	return ""
}

// weak says that so few bytes spoke for the type that noise, which is what an
// encrypted file looks like, has them once in some thousand files.
func weak(head []byte, mime string) bool {
	switch mime {
	case "audio/mpeg":
		return !bytes.HasPrefix(head, []byte("ID3"))
	case "audio/aac":
		return true
	case "image/jxl":
		return head[0] == 0xff
	}
	return false
}

func familyOf(mime string) models.MessageType {
	family, _, found := strings.Cut(strings.ToLower(strings.TrimSpace(mime)), "/")
	if !found {
		return ""
	}
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

var typePattern = regexp.MustCompile(`^[a-z]+/[a-z0-9][a-z0-9.+_-]{0,60}$`)

// declaredType is the client's type without what else it said, as far as it is one.
func declaredType(declared string) string {
	mime, _, _ := strings.Cut(declared, ";")
	if mime = strings.ToLower(strings.TrimSpace(mime)); typePattern.MatchString(mime) {
		return mime
	}
	return octets
}
