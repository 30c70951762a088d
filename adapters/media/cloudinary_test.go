package media

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/models"
)

const cldSecret = "s3cr3t-of-the-account"

// fakeCloud speaks the part of the upload API that the SDK uses, and checks
// every signature by the published rule.
type fakeCloud struct {
	*httptest.Server
	mu     sync.Mutex
	files  map[string]int64 // public id → bytes
	kinds  []string         // resource types of destroy calls
	answer func(w http.ResponseWriter, r *http.Request) bool
	parts  map[string]int64
}

func newCloud(t *testing.T) *fakeCloud {
	f := &fakeCloud{files: map[string]int64{}, parts: map[string]int64{}}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

func (f *fakeCloud) url(extra string) string {
	return "cloudinary://key:" + cldSecret + "@demo?upload_prefix=" + f.URL + extra
}

func (f *fakeCloud) serve(w http.ResponseWriter, r *http.Request) {
	fields := map[string]string{}
	var size int64
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		reader, err := r.MultipartReader()
		if err != nil {
			f.fail(w, 400, "no multipart")
			return
		}
		for {
			part, err := reader.NextPart()
			if err != nil {
				break
			}
			if part.FormName() == "file" {
				size, _ = io.Copy(io.Discard, part)
				continue
			}
			b, _ := io.ReadAll(part)
			fields[part.FormName()] = string(b)
		}
	} else {
		_ = r.ParseForm()
		for k := range r.PostForm {
			fields[k] = r.PostForm.Get(k)
		}
	}
	f.mu.Lock()
	answer := f.answer
	f.mu.Unlock()
	if answer != nil && answer(w, r) {
		return
	}
	if fields["signature"] != signatureOf(fields) || fields["api_key"] != "key" {
		f.fail(w, 401, "Invalid Signature")
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	id := fields["public_id"]
	switch r.URL.Path {
	case "/v1_1/demo/auto/upload":
		if whole := r.Header.Get("Content-Range"); whole != "" {
			var from, to, total int64
			if n, _ := fmt.Sscanf(whole, "bytes %d-%d/%d", &from, &to, &total); n != 3 || to-from+1 != size {
				f.fail(w, 400, "bad range")
				return
			}
			f.parts[id]++
			f.files[id] += size
			if to+1 < total {
				fmt.Fprint(w, `{"done":false}`)
				return
			}
		} else {
			f.files[id] = size
		}
		kind := fields["resource_type"]
		fmt.Fprintf(w, `{"public_id":%q,"resource_type":%q,"secure_url":"https://res.cloudinary.com/demo/%s/upload/v17/%s.png"}`, id, kind, kind, id)
	case "/v1_1/demo/image/destroy", "/v1_1/demo/video/destroy", "/v1_1/demo/raw/destroy":
		f.kinds = append(f.kinds, strings.Split(r.URL.Path, "/")[3])
		result := "not found"
		if _, ok := f.files[id]; ok {
			delete(f.files, id)
			result = "ok"
		}
		fmt.Fprintf(w, `{"result":%q}`, result)
	default:
		f.fail(w, 404, "no such call")
	}
}

func (f *fakeCloud) fail(w http.ResponseWriter, status int, message string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{"message": message}})
}

func (f *fakeCloud) set(answer func(http.ResponseWriter, *http.Request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

// signatureOf: all fields but these, sorted, joined, the secret behind, SHA-1.
func signatureOf(fields map[string]string) string {
	var pairs []string
	for k, v := range fields {
		if !slices.Contains([]string{"signature", "api_key", "file", "cloud_name", "resource_type"}, k) {
			pairs = append(pairs, k+"="+strings.ReplaceAll(v, "&", "%26"))
		}
	}
	slices.Sort(pairs)
	sum := sha1.Sum([]byte(strings.Join(pairs, "&") + cldSecret))
	return hex.EncodeToString(sum[:])
}

func newCloudinary(t *testing.T, url string, timeout time.Duration) (*Cloudinary, *counts) {
	t.Helper()
	m := &counts{}
	c, err := NewCloudinary(CloudinaryOptions{URL: url, UploadTimeout: timeout, RemoveTimeout: timeout, Metrics: m})
	if err != nil {
		t.Fatal(err)
	}
	return c, m
}

func TestCloudinaryKeepAndRemove(t *testing.T) {
	for name, c := range map[string]struct {
		content  []byte
		declared string
		kind     string
	}{
		"image": {pngBytes, "", "image"},
		"video": {mp4Bytes, "", "video"},
		"audio": {webmBytes, "audio/webm", "video"},
		// Cloudinary refuses images and films that it cannot decode.
		"encrypted image": {noise(1, 100), "image/jpeg", "raw"},
		"encrypted audio": {noise(1, 100), "audio/ogg", "raw"},
	} {
		t.Run(name, func(t *testing.T) {
			cloud := newCloud(t)
			store, m := newCloudinary(t, cloud.url(""), time.Minute)
			url, err := store.Keep(context.Background(), receive(t, c.content, c.declared))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(url, "https://res.cloudinary.com/demo/"+c.kind+"/upload/v17/parley/") || len(cloud.files) != 1 {
				t.Fatalf("%s, files %v", url, cloud.files)
			}
			for range 2 { // the second finds nothing, which is fine
				if err := store.Remove(context.Background(), url); err != nil {
					t.Fatal(err)
				}
			}
			if len(cloud.files) != 0 || cloud.kinds[0] != c.kind || m.all() != "" {
				t.Fatalf("files %v, destroyed %v, metrics %q", cloud.files, cloud.kinds, m.all())
			}
		})
	}
}

func TestCloudinaryStreams(t *testing.T) {
	cloud := newCloud(t)
	store, _ := newCloudinary(t, cloud.url(""), time.Minute)
	const size = 96 << 20
	s, _ := newSpool(t)
	up, err := s.Receive(context.Background(), io.MultiReader(bytes.NewReader(pngBytes), io.LimitReader(zeros{}, size)), "x", "", 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	defer up.Discard()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := store.Keep(context.Background(), up); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if spent := after.TotalAlloc - before.TotalAlloc; spent > 16<<20 {
		t.Errorf("an upload of %d MB allocated %d MB", size>>20, spent>>20)
	}
	for id, stored := range cloud.files {
		if stored != up.Size || cloud.parts[id] != 6 { // 20 MB each
			t.Errorf("stored %d of %d bytes in %d parts", stored, up.Size, cloud.parts[id])
		}
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestCloudinaryFailures(t *testing.T) {
	slow := make(chan struct{})
	cloud := newCloud(t)
	defer close(slow)
	for name, answer := range map[string]func(w http.ResponseWriter, r *http.Request) bool{
		"error with a message": func(w http.ResponseWriter, _ *http.Request) bool {
			cloud.fail(w, 420, "Rate Limit Exceeded")
			return true
		},
		"error page": func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(502)
			fmt.Fprint(w, "<html>")
			return true
		},
		"null":   func(w http.ResponseWriter, _ *http.Request) bool { fmt.Fprint(w, "null"); return true },
		"no URL": func(w http.ResponseWriter, _ *http.Request) bool { fmt.Fprint(w, "{}"); return true },
		"status alone": func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(500)
			fmt.Fprint(w, "{}")
			return true
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
			return true
		},
		"oversized answer": func(w http.ResponseWriter, _ *http.Request) bool {
			fmt.Fprintf(w, `{"secure_url":"https://x/y","result":"ok","more":%q}`, strings.Repeat("a", 8<<20))
			return true
		},
		"cut off": func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) },
		"never answers": func(_ http.ResponseWriter, r *http.Request) bool {
			select {
			case <-slow:
			case <-r.Context().Done():
			}
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			store, m := newCloudinary(t, cloud.url(""), 300*time.Millisecond)
			cloud.set(answer)
			start := time.Now()
			_, err := store.Keep(context.Background(), receive(t, pngBytes, ""))
			if models.CodeOf(err) != models.CodeUnavailable || strings.Contains(err.Error(), cldSecret) {
				t.Errorf("keep: %v", err)
			}
			err = store.Remove(context.Background(), "https://res.cloudinary.com/demo/image/upload/v17/parley/"+strings.Repeat("a", 32)+".png")
			if models.CodeOf(err) != models.CodeUnavailable || strings.Contains(err.Error(), cldSecret) {
				t.Errorf("remove: %v", err)
			}
			if m.all() != "keep remove" {
				t.Errorf("metrics %q", m.all())
			}
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// An upload that was stored but whose answer got lost leaves nothing behind.
func TestCloudinaryTakesBack(t *testing.T) {
	cloud := newCloud(t)
	store, _ := newCloudinary(t, cloud.url(""), time.Minute)
	cloud.set(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/upload") {
			w.WriteHeader(504)
			return true
		}
		return false
	})
	if _, err := store.Keep(context.Background(), receive(t, mp4Bytes, "")); models.CodeOf(err) != models.CodeUnavailable {
		t.Fatal(err)
	}
	if !slices.Equal(cloud.kinds, []string{"video"}) {
		t.Fatalf("destroyed %v", cloud.kinds)
	}
}

func TestCloudinaryRefusesForeignURLs(t *testing.T) {
	cloud := newCloud(t)
	store, _ := newCloudinary(t, cloud.url(""), time.Minute)
	id := "parley/" + strings.Repeat("a", 32)
	for _, url := range []string{"", "::", "/files/x.png", "https://res.cloudinary.com/demo/image/upload/v1/logo.png",
		"https://res.cloudinary.com/demo/other/upload/" + id + ".png", "https://res.cloudinary.com/demo/image/upload/" + id + ".png/more"} {
		if err := store.Remove(context.Background(), url); models.CodeOf(err) != models.CodeNotFound {
			t.Errorf("%q: %v", url, err)
		}
	}
	if len(cloud.kinds) != 0 {
		t.Errorf("destroyed %v", cloud.kinds)
	}
}

func TestCloudinaryURL(t *testing.T) {
	for name, url := range map[string]string{
		"empty":        "",
		"other scheme": "https://key:" + cldSecret + "@demo",
		"no cloud":     "cloudinary://key:" + cldSecret + "@",
		"no secret":    "cloudinary://" + cldSecret + "@demo",
		"not a URL":    "cloudinary://key:" + cldSecret + "%zz@demo",
		"bad prefix":   "cloudinary://key:" + cldSecret + "@demo?upload_prefix=ftp://x",
		"bad query":    "cloudinary://key:" + cldSecret + "@demo?chunk_size=" + cldSecret,
	} {
		c, err := NewCloudinary(CloudinaryOptions{URL: url})
		if err == nil || c != nil || strings.Contains(err.Error(), cldSecret) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewCloudinary(CloudinaryOptions{URL: "cloudinary://key:" + cldSecret + "@demo"}); err != nil {
		t.Error(err)
	}
}
