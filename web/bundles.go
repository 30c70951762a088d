package web

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

//go:embed client/VERSION client/dist
var clientFiles embed.FS

// The stock client's browser builds; each has a source map beside it.
var bundleNames = [...]string{"socket.io.js", "socket.io.min.js", "socket.io.esm.min.js", "socket.io.msgpack.min.js"}

// bundle is one file in the encodings Node's server knows.
type bundle struct {
	mediaType string
	encoded   map[string]func() []byte // by content coding; "" is the file itself
}

// bundles is a handler; it is not changed once made.
type bundles struct {
	prefix string
	etag   string
	files  map[string]bundle
}

// Bundles serves the stock socket.io-client builds and their source maps below
// prefix, "/socket.io" as a rule, with the answers of Node's server: the version
// is the ETag, and the content is packed where the client takes that.
//
// Two things differ. The answers say Vary, without which a cache in between
// hands packed bytes to a client that cannot read them; and what is not one of
// the files is a 404, where Node's engine takes it for a bad handshake.
func Bundles(prefix string) (http.Handler, error) {
	version, err := clientFiles.ReadFile("client/VERSION")
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	b := &bundles{
		prefix: strings.TrimRight(prefix, "/") + "/",
		etag:   `"` + strings.TrimSpace(string(version)) + `"`,
		files:  make(map[string]bundle, 2*len(bundleNames)),
	}
	for _, name := range bundleNames {
		if err := b.add(name, "application/javascript; charset=utf-8"); err != nil {
			return nil, err
		}
		if err := b.add(name+".map", "application/json; charset=utf-8"); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (b *bundles) add(name, mediaType string) error {
	plain, err := clientFiles.ReadFile("client/dist/" + name)
	if err != nil {
		return fmt.Errorf("web: %w", err)
	}
	brotli, err := clientFiles.ReadFile("client/dist/" + name + ".br")
	if err != nil {
		return fmt.Errorf("web: %w", err)
	}
	b.files[name] = bundle{mediaType, map[string]func() []byte{
		"":   func() []byte { return plain },
		"br": func() []byte { return brotli },
		// Packed when first asked for, and kept: most pods never serve a map.
		"gzip": sync.OnceValue(func() []byte {
			return packed(plain, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, gzip.BestCompression) })
		}),
		// What HTTP calls deflate is the zlib format.
		"deflate": sync.OnceValue(func() []byte {
			return packed(plain, func(w io.Writer) (io.WriteCloser, error) { return zlib.NewWriterLevel(w, zlib.BestCompression) })
		}),
	}}
	return nil
}

// packed compresses into memory, which does not fail; should it, nil stands for
// "serve the file itself".
func packed(plain []byte, packer func(io.Writer) (io.WriteCloser, error)) []byte {
	var out bytes.Buffer
	w, err := packer(&out)
	if err != nil {
		return nil
	}
	if _, err := w.Write(plain); err != nil {
		return nil
	}
	if err := w.Close(); err != nil {
		return nil
	}
	return bytes.Clone(out.Bytes())
}

func (b *bundles) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, inside := strings.CutPrefix(r.URL.Path, b.prefix)
	file, known := b.files[name]
	if !inside || !known {
		refuse(w, http.StatusNotFound, "not_found", "there is no such file")
		return
	}
	if !getOrHead(w, r) {
		return
	}
	h := w.Header()
	h.Add("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "public, max-age=0")
	h.Set("ETag", b.etag)
	if matches(r.Header.Values("If-None-Match"), b.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", file.mediaType)
	coding := preferredCoding(r.Header.Values("Accept-Encoding"), "br", "gzip", "deflate")
	body := file.encoded[coding]()
	if body == nil {
		coding, body = "", file.encoded[""]()
	}
	if coding != "" {
		h.Set("Content-Encoding", coding)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodGet {
		_, _ = w.Write(body) // an error means that the client has gone
	}
}

// getOrHead refuses every other method.
func getOrHead(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	w.Header().Set("Allow", "GET, HEAD")
	refuse(w, http.StatusMethodNotAllowed, "method_not_allowed", "this file can be read, nothing else")
	return false
}

// refuse answers in the shape of every other refusal of the server.
func refuse(w http.ResponseWriter, status int, code, message string) {
	body, err := json.Marshal(map[string]any{"error": map[string]string{"code": code, "message": message}})
	if err != nil {
		status = http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // an error means that the client has gone
}

// matches compares weakly, as If-None-Match asks.
func matches(fields []string, etag string) bool {
	for _, field := range fields {
		for candidate := range strings.SplitSeq(field, ",") {
			candidate = strings.TrimSpace(candidate)
			if candidate == "*" || strings.TrimPrefix(candidate, "W/") == etag {
				return true
			}
		}
	}
	return false
}
