package media

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"parley/models"
)

func newLocal(t *testing.T, base string) (*Local, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "files")
	l, err := NewLocal(LocalOptions{Dir: dir, BaseURL: base})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l, dir
}

func receive(t *testing.T, content []byte, declared string) models.Upload {
	t.Helper()
	s, _ := newSpool(t)
	up, err := s.Receive(context.Background(), bytes.NewReader(content), "x", declared, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(up.Discard)
	return up
}

func get(l *Local, method, target string, header ...string) *http.Response {
	r := httptest.NewRequest(method, "http://chat.example/", nil)
	r.URL.Path = target
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	l.Handler().ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestLocalKeepServeRemove(t *testing.T) {
	for _, base := range []string{"", "https://chat.example", "https://chat.example/"} {
		l, dir := newLocal(t, base)
		up := receive(t, pngBytes, "image/png")
		url, err := l.Keep(context.Background(), up)
		if err != nil {
			t.Fatal(err)
		}
		path, ok := strings.CutPrefix(url, strings.TrimRight(base, "/"))
		if !ok || !strings.HasPrefix(path, "/files/") || !namePattern.MatchString(path[7:]) || !strings.HasSuffix(path, ".png") {
			t.Fatalf("url %q", url)
		}
		up.Discard() // as the caller does when all is stored
		r := get(l, "GET", path)
		if r.StatusCode != 200 || body(t, r) != string(pngBytes) {
			t.Fatalf("status %d", r.StatusCode)
		}
		if err := l.Remove(context.Background(), url); err != nil {
			t.Fatal(err)
		}
		if err := l.Remove(context.Background(), url); err != nil {
			t.Fatalf("a second time: %v", err)
		}
		wantEmpty(t, dir)
		if r := get(l, "GET", path); r.StatusCode != 404 {
			t.Fatalf("after removal: %d", r.StatusCode)
		}
	}
}

func TestLocalHeaders(t *testing.T) {
	l, _ := newLocal(t, "")
	for name, c := range map[string]struct {
		content           []byte
		declared          string
		contentType, disp string
	}{
		"png":        {pngBytes, "", "image/png", ""},
		"webm audio": {webmBytes, "audio/webm", "audio/webm", ""},
		"m4a":        {m4aBytes, "", "audio/mp4", ""},
		"svg":        {svgBytes, "", "image/svg+xml", "attachment"},
		"dxf":        {[]byte("  0\r\nSECTION\r\n  2\r\nHEADER\r\n"), "", "application/octet-stream", "attachment"},
	} {
		t.Run(name, func(t *testing.T) {
			url, err := l.Keep(context.Background(), receive(t, c.content, c.declared))
			if err != nil {
				t.Fatal(err)
			}
			r := get(l, "GET", url)
			disp, _, _ := strings.Cut(r.Header.Get("Content-Disposition"), ";")
			if r.StatusCode != 200 || r.Header.Get("Content-Type") != c.contentType || disp != c.disp {
				t.Errorf("%d %v", r.StatusCode, r.Header)
			}
			for key, want := range map[string]string{
				"X-Content-Type-Options":  "nosniff",
				"Content-Security-Policy": "", // set for all of /files, elsewhere
				"Cache-Control":           "public, max-age=31536000, immutable",
				"Accept-Ranges":           "bytes",
			} {
				if r.Header.Get(key) != want {
					t.Errorf("%s: %q", key, r.Header.Get(key))
				}
			}
			etag := r.Header.Get("ETag")
			if r := get(l, "GET", url, "If-None-Match", etag); etag == "" || r.StatusCode != 304 {
				t.Errorf("etag %q: %d", etag, r.StatusCode)
			}
			if r := get(l, "GET", url, "Range", "bytes=1-3"); r.StatusCode != 206 || body(t, r) != string(c.content[1:4]) {
				t.Errorf("range: %d", r.StatusCode)
			}
			if r := get(l, "GET", url, "Range", "bytes=999999-"); r.StatusCode != 416 {
				t.Errorf("range beyond the end: %d", r.StatusCode)
			}
			if r := get(l, "HEAD", url); r.StatusCode != 200 || body(t, r) != "" || r.ContentLength != int64(len(c.content)) {
				t.Errorf("HEAD: %d, %d bytes", r.StatusCode, r.ContentLength)
			}
		})
	}
}

func TestLocalRefusesOtherPaths(t *testing.T) {
	l, dir := newLocal(t, "")
	secret := filepath.Join(filepath.Dir(dir), "secret.png")
	hex := strings.Repeat("a", 32)
	for path, content := range map[string]string{secret: "s", filepath.Join(dir, "notes.txt"): "n"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(secret, filepath.Join(dir, hex+".png")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, hex+".dir"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/files/", "/files", "/", "", "/files/notes.txt", "/files/../secret.png", "/files/..%2fsecret.png",
		"/files//etc/passwd", "/files/" + hex, "/files/" + hex + ".png", "/files/" + hex + ".dir", "/files/" + hex + ".dir/", "/files/" + hex + ".png\n",
		"/files/" + strings.ToUpper(hex) + ".png", "/files/" + hex + ".png/../notes.txt", "/other/" + hex + ".png"} {
		r := get(l, "GET", path)
		if got := body(t, r); r.StatusCode != 404 || !strings.Contains(got, `"code":"not_found"`) {
			t.Errorf("%q: %d %s", path, r.StatusCode, got)
		}
		if r.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%q: no nosniff", path)
		}
		if err := l.Remove(context.Background(), path); path != "/files/"+hex+".png" && path != "/files/"+hex+".dir" &&
			models.CodeOf(err) != models.CodeNotFound {
			t.Errorf("remove %q: %v", path, err)
		}
	}
	if r := get(l, "POST", "/files/"+hex+".png"); r.StatusCode != 405 || r.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d", r.StatusCode)
	}
	if _, err := os.Stat(secret); err != nil {
		t.Errorf("the file outside: %v", err)
	}
}

func TestLocalCopiesAcrossFilesystems(t *testing.T) {
	l, dir := newLocal(t, "")
	up := receive(t, pngBytes, "")
	if err := l.copyIn(up.Path, strings.Repeat("b", 32)+".png"); err != nil {
		t.Fatal(err)
	}
	if r := get(l, "GET", "/files/"+strings.Repeat("b", 32)+".png"); body(t, r) != string(pngBytes) {
		t.Fatal(r.StatusCode)
	}
	if err := l.copyIn(t.TempDir(), strings.Repeat("c", 32)+".png"); err == nil {
		t.Fatal("a directory was copied")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%v, %v", entries, err)
	}
}

func TestLocalKeepFails(t *testing.T) {
	l, dir := newLocal(t, "")
	m := &counts{}
	l.metrics = m
	if _, err := l.Keep(context.Background(), models.Upload{Path: "/nonexistent", MIME: "image/png"}); models.CodeOf(err) != models.CodeUnavailable {
		t.Errorf("got %v", err)
	}
	if m.all() != "keep" {
		t.Errorf("metrics %q", m.all())
	}
	wantEmpty(t, dir)
}
