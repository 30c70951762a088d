package media

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"parley/models"
)

// declaredNot is what a client says who does not know.
const declaredNot = "application/octet-stream"

func sample(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// served is how a kept file is handed out.
func served(t *testing.T, upload models.Upload) (contentType string, download bool) {
	t.Helper()
	l, _ := newLocal(t, "")
	url, err := l.Keep(context.Background(), upload)
	if err != nil {
		t.Fatal(err)
	}
	r := get(l, "GET", url)
	if r.StatusCode != 200 || r.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("served: %d %v", r.StatusCode, r.Header)
	}
	return r.Header.Get("Content-Type"), strings.HasPrefix(r.Header.Get("Content-Disposition"), "attachment")
}

// What real writers make is known by what it holds, whatever it is declared as.
func TestKnownFormats(t *testing.T) {
	for name, mime := range map[string]string{
		"voice.weba": "audio/webm", "live-voice.weba": "audio/webm", "voice.m4a": "audio/mp4", "voice.mp4": "audio/mp4",
		"voice-fast.mp4": "audio/mp4", "voice-fragmented.mp4": "audio/mp4", "voice.mov": "audio/mp4",
		"voice.3gp": "audio/3gpp", "voice.3g2": "audio/3gpp2", "voice.mka": "audio/x-matroska", "voice.wma": "audio/x-ms-wma",
		"voice.opus.ogg": "audio/ogg", "voice.vorbis.ogg": "audio/ogg", "voice.flac.ogg": "audio/ogg", "voice.spx.ogg": "audio/ogg",
		"voice.flac": "audio/flac", "voice.id3.mp3": "audio/mpeg", "voice.wav": "audio/wav", "voice.aiff": "audio/aiff",
		"film.webm": "video/webm", "live-film.webm": "video/webm", "silent-film.webm": "video/webm", "film.mp4": "video/mp4",
		"film-fragmented.mp4": "video/mp4", "film.mov": "video/quicktime", "film.3gp": "video/3gpp", "film.mkv": "video/x-matroska",
		"film.ogv": "video/ogg", "film.audio-first.ogv": "video/ogg", "film.avi": "video/x-msvideo", "film.flv": "video/x-flv",
		"film.wmv": "video/x-ms-asf", "film.mpg": "video/mpeg",
		"film.gif": "image/gif", "picture.avif": "image/avif", "picture.webp": "image/webp", "picture.jp2": "image/jp2",
		"picture.jpg": "image/jpeg", "picture.tiff": "image/tiff", "picture.bmp": "image/bmp",
	} {
		for _, declared := range []string{"", declaredNot, "audio/x", "video/x", "image/x", "nonsense"} {
			t.Run(name+" as "+declared, func(t *testing.T) {
				up := receive(t, sample(t, name), declared)
				if up.MIME != mime || up.Type != familyOf(mime) || up.Either || up.Declared {
					t.Fatalf("got %+v", up)
				}
				if contentType, download := served(t, up); contentType != mime || download {
					t.Errorf("served as %s, download %v", contentType, download)
				}
			})
		}
	}
}

// MPEG audio without a tag begins with eleven bits that anything may begin
// with: it is taken for what it seems unless something else is declared.
func TestWeaklyKnownFormats(t *testing.T) {
	for name, mime := range map[string]string{"voice.mp3": "audio/mpeg", "voice.aac": "audio/aac"} {
		for _, declared := range []string{"", declaredNot, "audio/x"} {
			up := receive(t, sample(t, name), declared)
			contentType, download := served(t, up)
			if up.MIME != mime || up.Type != models.Audio || up.Declared || contentType != mime || download {
				t.Errorf("%s as %q: %+v, served as %s", name, declared, up, contentType)
			}
		}
	}
	secret := append([]byte("\xff\xfb"), noise(1, 4000)...)
	if up := receive(t, secret, "image/jpeg"); up.Type != models.Image || !up.Declared {
		t.Errorf("noise that begins as an MP3: %+v", up)
	}
}

// Pictures that sniffers take for films, or do not know by their bytes alone.
func TestPicturesInFilmContainers(t *testing.T) {
	for name, c := range map[string]struct{ content, mime string }{
		"CR3":                 {"\x00\x00\x00\x18ftypcrx \x00\x00\x00\x01crx isom", "image/x-canon-cr3"},
		"HEIC":                {"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "image/heic"},
		"HEIF":                {"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic", "image/heif"},
		"JPX":                 {"\x00\x00\x00\x0cjP  \r\n\x87\n\x00\x00\x00\x14ftypjpx \x00\x00\x00\x00", "image/jpx"},
		"JPEG XL, boxed":      {"\x00\x00\x00\x0cJXL \r\n\x87\n\x00\x00\x00\x14ftypjxl ", "image/jxl"},
		"JPEG XL, codestream": {"\xff\x0a\xfa\x1f\x01", "image/jxl"},
		"NEF":                 {"MM\x00*\x00\x00\x00\x08\x00\x1b\x00\xfe\x00\x04", "image/tiff"},
		"DNG":                 {"II*\x00\x08\x00\x00\x00\x36\x00\xfe\x00\x04\x00", "image/tiff"},
	} {
		for _, declared := range []string{"", "image/x", declaredNot} {
			if up := receive(t, []byte(c.content), declared); up.MIME != c.mime || up.Type != models.Image || up.Either || up.Declared {
				t.Errorf("%s as %q: %+v", name, declared, up)
			}
		}
	}
}

// noise is what an encrypted file looks like.
func noise(seed byte, length int) []byte {
	content := make([]byte, length)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(content)
	return content
}

// Content nobody knows is what the client says it is, and only handed over.
func TestDeclaredFormats(t *testing.T) {
	type declared struct {
		content []byte
		as      string
		served  string
	}
	const unknown = "application/octet-stream"
	for name, c := range map[string]declared{
		"CAF":             {sample(t, "voice.caf"), "audio/x-caf", "audio/x-caf"},
		"CAF, IANA's way": {sample(t, "voice.caf"), "audio/caf", "audio/x-caf"},
		"CAF, parameters": {sample(t, "voice.caf"), " Audio/X-CAF; codecs=opus, x", "audio/x-caf"},
		"MPEG-TS":         {sample(t, "film.ts"), "video/mp2t", "video/mp2t"},
		"RF64":            {sample(t, "voice.rf64.wav"), "audio/wav", unknown},
		"W64":             {sample(t, "voice.w64"), "audio/x-w64", unknown},
		"AC3":             {sample(t, "voice.ac3"), "audio/ac3", "audio/ac3"},
		"AIFC":            {sample(t, "voice.aifc"), "audio/x-aifc", unknown},
		"LOAS":            {sample(t, "voice.loas"), "audio/aac", unknown},
		"ADIF":            {append([]byte("ADIF"), noise(2, 300)...), "audio/aac", unknown},
		"SILK":            {append([]byte("#!SILK_V3"), noise(3, 300)...), "audio/silk", unknown},
		"SILK of WeChat":  {append([]byte("\x02#!SILK_V3"), noise(3, 300)...), "audio/silk", unknown},
		"the word SILK":   {[]byte("#!SILK_V3"), "audio/silk", unknown},
		"encrypted":       {noise(4, 100_000), "image/jpeg", unknown},
		"encrypted, tiny": {noise(5, 16), "video/mp4", unknown},
		"no subtype":      {noise(6, 100), "image/*", unknown},
		"called an SVG":   {noise(7, 100), "image/svg+xml", unknown},
		"Latin-1":         {[]byte("Gr\xfc\xdfe aus K\xf6ln, und nicht mehr"), "image/png", unknown},
	} {
		t.Run(name, func(t *testing.T) {
			up := receive(t, c.content, c.as)
			if up.Type != familyOf(c.as) || !up.Declared || up.Either {
				t.Fatalf("got %+v", up)
			}
			if contentType, download := served(t, up); contentType != c.served || !download {
				t.Errorf("served as %s, download %v", contentType, download)
			}
			for _, nothing := range []string{"", declaredNot, "text/plain", "application/pdf", "imagery/png"} {
				wantRefused(t, c.content, nothing)
			}
		})
	}
	for i := range byte(255) {
		for _, length := range []int{16, 64, 5000} {
			if k, ok := kindOf(noise(i, length), "image/jpeg"); !ok || !k.declared || k.family != models.Image {
				t.Errorf("%d bytes of noise %d: %+v", length, i, k)
			}
		}
	}
	// Marks of two bytes that noise has too, and that the next bytes belie.
	for _, mark := range []string{"MZ\xff\xff", "\x1f\x8b\xff\xff", "x\x9c", "\xc7\x71", "\xff\xfe", "\xff\x0a", "\xff\xf1"} {
		if k, ok := kindOf(append([]byte(mark), noise(9, 5000)...), "video/mp4"); !ok || !k.declared {
			t.Errorf("noise that begins with %q: %+v", mark, k)
		}
	}
	if up := receive(t, noise(8, 50), "audio/<script>"); up.MIME != declaredNot || up.Type != models.Audio {
		t.Errorf("a type that is none: %+v", up)
	}
}

// A container whose tracks cannot be seen is what its brand says, then what
// the client says; where that says nothing either, somebody else may decide.
func TestContainersWithoutTracks(t *testing.T) {
	f4v := []byte("\x00\x00\x00\x18ftypM4VH\x00\x00\x02\x00isommp41")
	far := append(bytes.Clone(webmBytes), 0xec, 0x43, 0xe8) // a Void of 1000 bytes that are not there
	for name, c := range map[string]struct {
		content  []byte
		declared string
		mime     string
		either   bool
	}{
		"webm":                   {webmBytes, "", "video/webm", true},
		"webm, octets":           {webmBytes, declaredNot, "video/webm", true},
		"webm, unparsable":       {webmBytes, ";;audio", "video/webm", true},
		"webm, a picture":        {webmBytes, "image/png", "video/webm", true},
		"webm called audio":      {webmBytes, "audio/webm;codecs=opus", "audio/webm", false},
		"webm called AUDIO":      {webmBytes, " Audio/WebM", "audio/webm", false},
		"webm called video":      {webmBytes, "video/webm", "video/webm", false},
		"webm that breaks off":   {far, "", "video/webm", true},
		"mp4":                    {mp4Bytes, declaredNot, "video/mp4", true},
		"mp4 called audio":       {mp4Bytes, "audio/mp4", "audio/mp4", false},
		"mp4 called video":       {mp4Bytes, "video/mp4", "video/mp4", false},
		"m4a":                    {m4aBytes, "", "audio/mp4", false},
		"m4a called video":       {m4aBytes, "video/mp4", "audio/mp4", false},
		"m4v called audio":       {f4v, "audio/mp4", "video/mp4", false},
		"3gp":                    {gp3Bytes, "", "video/3gpp", true},
		"3gp called audio":       {gp3Bytes, "audio/3gpp", "audio/3gpp", false},
		"ogg of unknown codec":   {oggBytes, "", "audio/ogg", true},
		"ogg called video":       {oggBytes, "video/ogg", "video/ogg", false},
		"a box without an end":   {append(bytes.Clone(mp4Bytes), 0, 0, 0, 1, 'm', 'o', 'o', 'v', 255, 255, 255, 255, 255, 255, 255, 248), "", "video/mp4", true},
		"a box smaller than one": {append(bytes.Clone(mp4Bytes), 0, 0, 0, 2, 'm', 'o', 'o', 'v', 0, 0), "", "video/mp4", true},
		"boxes without number":   {append(bytes.Clone(mp4Bytes), bytes.Repeat([]byte("\x00\x00\x00\x08free"), 200_000)...), "", "video/mp4", true},
		"elements in each other": {append(bytes.Clone(webmBytes), bytes.Repeat([]byte("\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff"), 20_000)...), "", "video/webm", true},
	} {
		t.Run(name, func(t *testing.T) {
			up := receive(t, c.content, c.declared)
			if up.MIME != c.mime || up.Type != familyOf(c.mime) || up.Either != c.either || up.Declared {
				t.Fatalf("got %+v", up)
			}
		})
	}
}

// An audio book has pictures to its chapters, as a track.
func TestAudioBook(t *testing.T) {
	box := func(name, body string) string {
		return string(binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))) + name + body
	}
	track := func(handler string) string {
		return box("trak", box("mdia", box("hdlr", "\x00\x00\x00\x00\x00\x00\x00\x00"+handler+"\x00")))
	}
	book := box("ftyp", "M4B \x00\x00\x00\x00") + box("mdat", string(noise(1, 100_000))) + box("moov", track("soun")+track("vide"))
	for declared, want := range map[string]models.MessageType{"": models.Audio, "audio/mp4": models.Audio, "video/mp4": models.Video} {
		if up := receive(t, []byte(book), declared); up.Type != want || up.Either {
			t.Errorf("as %q: %+v", declared, up)
		}
	}
}

type countedReads struct {
	io.ReaderAt
	n int
}

func (c *countedReads) ReadAt(p []byte, at int64) (int, error) {
	c.n++
	return c.ReaderAt.ReadAt(p, at)
}

func TestBoxesAreReadInBoundedNumber(t *testing.T) {
	content := bytes.Repeat([]byte("\x00\x00\x00\x08free"), 100_000)
	file := &countedReads{ReaderAt: bytes.NewReader(content)}
	if found, err := boxTracks(file, int64(len(content))); err != nil || found != (tracks{}) || file.n > 2*maxBoxes {
		t.Errorf("%+v, %v after %d reads", found, err, file.n)
	}
}

// Whoever decides sets the type; the file is served as what it is then.
func TestEitherIsServedByItsType(t *testing.T) {
	for _, c := range []struct {
		content      []byte
		audio, video string
	}{
		{webmBytes, "audio/webm", "video/webm"},
		{mp4Bytes, "audio/mp4", "video/mp4"},
		{gp3Bytes, "audio/3gpp", "video/3gpp"},
		{oggBytes, "audio/ogg", "video/ogg"},
		{[]byte("\x00\x00\x00\x14ftypqt  \x00\x00\x02\x00qt  "), "audio/mp4", "video/quicktime"},
	} {
		for kind, want := range map[models.MessageType]string{models.Audio: c.audio, models.Video: c.video} {
			up := receive(t, c.content, "")
			up.Type = kind
			if contentType, download := served(t, up); !up.Either || contentType != want || download {
				t.Errorf("%+v served as %s", up, contentType)
			}
		}
	}
}

// Whatever comes is taken or refused, in the end as one of the three families.
func FuzzKindOf(f *testing.F) {
	names, err := filepath.Glob("testdata/*.*")
	if err != nil || len(names) < 40 {
		f.Fatal(len(names), err)
	}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content[:min(len(content), 3000)], "")
	}
	f.Add(encode16(binary.BigEndian, "\ufeff<svg/>"), "image/svg+xml")
	f.Fuzz(func(t *testing.T, content []byte, declared string) {
		if len(content) == 0 {
			return
		}
		k, ok := kindOf(content, declared)
		if !ok {
			return
		}
		if err := k.look(bytes.NewReader(content), int64(len(content))); err != nil {
			t.Fatal(err)
		}
		up := models.Upload{MIME: k.mime, Type: k.family, Declared: k.declared, Either: k.either}
		if ending := endingOf(up); familyOf(string(k.family)+"/") == "" || !endingPattern.MatchString(ending) || k.declared && shown[ending] != "" {
			t.Errorf("%+v, kept under %s", up, ending)
		}
	})
}
