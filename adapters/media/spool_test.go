package media

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"parley/models"
)

var (
	pngBytes  = []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00")
	jpegBytes = []byte("\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01")
	webmBytes = []byte("\x1a\x45\xdf\xa3\x01\x00\x00\x00\x00\x00\x00\x1f\x42\x86\x81\x01\x42\x82\x84webm\x42\x87\x81\x04")
	mp4Bytes  = []byte("\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41")
	m4aBytes  = []byte("\x00\x00\x00\x18ftypM4A \x00\x00\x02\x00isommp41")
	gp3Bytes  = []byte("\x00\x00\x00\x18ftyp3gp4\x00\x00\x02\x00isommp41")
	oggBytes  = []byte("OggS\x00\x02" + strings.Repeat("\x00", 20) + "\x01\x0dunknown codec")
	opusBytes = []byte("OggS\x00\x02" + strings.Repeat("\x00", 20) + "\x01\x0aOpusHead\x01\x02")
	theora    = []byte("OggS\x00\x02" + strings.Repeat("\x00", 20) + "\x01\x09\x80theora\x03\x02")
	wavBytes  = []byte("RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00")
	mp3Bytes  = []byte("\xff\xfb\x90\x00\x00\x00")
	svgBytes  = []byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`)
)

// counts is a Metrics that remembers.
type counts struct {
	mu  sync.Mutex
	ops []string
}

func (c *counts) MediaError(op string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ops = append(c.ops, op)
}

func (c *counts) all() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.ops, " ")
}

func newSpool(t *testing.T) (*Spool, string) {
	t.Helper()
	dir := t.TempDir()
	s, err := NewSpool(dir, SpoolOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s, dir
}

func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("left behind: %s", e.Name())
	}
}

func TestReceiveTypes(t *testing.T) {
	for name, c := range map[string]struct {
		content  []byte
		declared string
		mime     string
		kind     models.MessageType
		ending   string
	}{
		"png":                   {pngBytes, "image/png", "image/png", models.Image, ".png"},
		"jpeg called video":     {jpegBytes, "video/mp4", "image/jpeg", models.Image, ".jpg"},
		"svg":                   {svgBytes, "image/png", "image/svg+xml", models.Image, ".svg"},
		"wav called video":      {wavBytes, "video/mp4", "audio/wav", models.Audio, ".wav"},
		"mp3":                   {mp3Bytes, "", "audio/mpeg", models.Audio, ".mp3"},
		"webm called audio":     {webmBytes, "audio/webm", "audio/webm", models.Audio, ".weba"},
		"webm called video":     {webmBytes, "video/webm", "video/webm", models.Video, ".webm"},
		"3gp called audio":      {gp3Bytes, "audio/3gpp", "audio/3gpp", models.Audio, ".3ga"},
		"opus":                  {opusBytes, "application/ogg", "audio/ogg", models.Audio, ".ogg"},
		"theora, nothing said":  {theora, "", "video/ogg", models.Video, ".ogv"},
		"name is never a path":  {pngBytes, "", "image/png", models.Image, ".png"},
		"larger than the sniff": {append(bytes.Clone(pngBytes), make([]byte, 100_000)...), "", "image/png", models.Image, ".png"},
	} {
		t.Run(name, func(t *testing.T) {
			s, dir := newSpool(t)
			// One byte a time: the sniff must not depend on how reads fall.
			r := iotest.OneByteReader(bytes.NewReader(c.content))
			up, err := s.Receive(context.Background(), r, "../../"+name, c.declared, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			if up.MIME != c.mime || up.Type != c.kind || endingOf(up) != c.ending ||
				up.Size != int64(len(c.content)) || up.Name != "../../"+name || filepath.Dir(up.Path) != dir {
				t.Fatalf("got %+v, ending %s", up, endingOf(up))
			}
			if _, ok := shown[c.ending]; !ok && c.ending != ".svg" {
				t.Errorf("%s would be a download", c.ending)
			}
			stored, err := os.ReadFile(up.Path)
			if err != nil || !bytes.Equal(stored, c.content) {
				t.Fatalf("stored %d bytes, %v", len(stored), err)
			}
			up.Discard()
			up.Discard()
			wantEmpty(t, dir)
		})
	}
}

func TestReceiveRefuses(t *testing.T) {
	long := append(bytes.Clone(pngBytes), make([]byte, 100_000)...)
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	limited := http.MaxBytesReader(httptest.NewRecorder(), io.NopCloser(bytes.NewReader(long)), 50_000)
	for name, c := range map[string]struct {
		ctx  context.Context
		r    io.Reader
		max  int64
		code models.Code
	}{
		"empty":              {nil, strings.NewReader(""), 1 << 20, models.CodeUnsupportedMedia},
		"text":               {nil, strings.NewReader("hello"), 1 << 20, models.CodeUnsupportedMedia},
		"html":               {nil, strings.NewReader("<!doctype html><script>"), 1 << 20, models.CodeUnsupportedMedia},
		"pdf":                {nil, strings.NewReader("%PDF-1.7\n"), 1 << 20, models.CodeUnsupportedMedia},
		"program":            {nil, strings.NewReader("\x7fELF\x02\x01\x01\x00"), 1 << 20, models.CodeUnsupportedMedia},
		"one byte over":      {nil, bytes.NewReader(long), int64(len(long)) - 1, models.CodeFileTooLarge},
		"over in the sniff":  {nil, bytes.NewReader(long), 10, models.CodeFileTooLarge},
		"breaks off":         {nil, io.MultiReader(bytes.NewReader(long), iotest.ErrReader(io.ErrUnexpectedEOF)), 1 << 20, models.CodeInvalidBody},
		"breaks off at once": {nil, iotest.ErrReader(errors.New("reset")), 1 << 20, models.CodeInvalidBody},
		"body limit":         {nil, limited, 1 << 20, models.CodeBodyTooLarge},
		"our own error":      {nil, io.MultiReader(bytes.NewReader(long), iotest.ErrReader(models.Refuse(models.CodeRateLimited, "x"))), 1 << 20, models.CodeRateLimited},
		"client is gone":     {gone, bytes.NewReader(long), 1 << 20, models.CodeInvalidBody},
	} {
		t.Run(name, func(t *testing.T) {
			s, dir := newSpool(t)
			ctx := c.ctx
			if ctx == nil {
				ctx = context.Background()
			}
			up, err := s.Receive(ctx, c.r, "x", "image/png", c.max)
			if models.CodeOf(err) != c.code || up.Path != "" {
				t.Fatalf("got %+v, %v; want %s", up, err, c.code)
			}
			wantEmpty(t, dir)
		})
	}
	s, _ := newSpool(t)
	if _, err := s.Receive(context.Background(), bytes.NewReader(long), "x", "", int64(len(long))); err != nil {
		t.Errorf("exactly at the limit: %v", err)
	}
}

func TestReceiveDiskFull(t *testing.T) {
	s, dir := newSpool(t)
	m := &counts{}
	s.metrics = m
	link := filepath.Join(dir, "full")
	s.create = func() (*os.File, error) {
		// The kernel answers every write to it with "no space left on device".
		if err := os.Symlink("/dev/full", link); err != nil {
			return nil, err
		}
		return os.OpenFile(link, os.O_WRONLY, 0)
	}
	_, err := s.Receive(context.Background(), bytes.NewReader(pngBytes), "x", "", 1<<20)
	if models.CodeOf(err) != models.CodeUnavailable || m.all() != "spool" {
		t.Fatalf("got %v, metrics %q", err, m.all())
	}
	wantEmpty(t, dir)
}

func TestSpoolCleansUp(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"upload-1.part", "upload-2.part", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Now().Add(-2 * time.Hour)
	for _, name := range []string{"upload-1.part", "notes.txt"} {
		if err := os.Chtimes(filepath.Join(dir, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := NewSpool(dir, SpoolOptions{}); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) != 2 || filepath.Base(left[0]) != "notes.txt" || filepath.Base(left[1]) != "upload-2.part" {
		t.Fatalf("left: %v, %v", left, err)
	}
}
