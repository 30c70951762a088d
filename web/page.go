package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed page
var pageFiles embed.FS

// Demo is what the page asks for at /demo.json: who its two users are. Whoever
// can read it can speak as them, so it is for the embedded mode alone, which
// makes its own users.
type Demo struct {
	ChatID string     `json:"chatId"`
	Users  []DemoUser `json:"users"`
}

// DemoUser is one side of the page.
type DemoUser struct {
	UserID string `json:"userId"`
	Name   string `json:"name"`
	Token  string `json:"token"`
}

// pagePolicy lets the page load from its own origin and nowhere else. ws: and
// wss: are named because older browsers do not count them among 'self'.
const pagePolicy = "default-src 'self'; img-src 'self' data: blob:; connect-src 'self' ws: wss:; " +
	"object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// pageFile is one file of the page, ready to be sent.
type pageFile struct {
	mediaType string
	etag      string
	body      []byte
}

// Page serves the page to try Parley with at "/" and its parts below "/page/".
// It needs /demo.json, /api, /files and Socket.IO on the same origin. bundle is
// the path of the client it loads, beside which it expects the transports.
func Page(bundle string) (http.Handler, error) {
	files := make(map[string]pageFile)
	err := fs.WalkDir(pageFiles, "page", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := pageFiles.ReadFile(name)
		if err != nil {
			return err
		}
		mediaType, err := mediaTypeOf(name)
		if err != nil {
			return err
		}
		where := "/" + name
		if name == "page/index.html" {
			where = "/"
			body = bytes.Replace(body, []byte("/socket.io/socket.io.js"), []byte(bundle), 1)
		}
		sum := sha256.Sum256(body)
		files[where] = pageFile{mediaType, `"` + hex.EncodeToString(sum[:12]) + `"`, body}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { servePage(w, r, files) }), nil
}

// mediaTypeOf does not ask the machine's own table, which may say anything.
func mediaTypeOf(name string) (string, error) {
	switch ext := path.Ext(name); ext {
	case ".html", ".css":
		return mime.FormatMediaType("text/"+strings.TrimPrefix(ext, "."), map[string]string{"charset": "utf-8"}), nil
	case ".js":
		return "text/javascript; charset=utf-8", nil
	case ".svg":
		return "image/svg+xml", nil
	}
	return "", fmt.Errorf("%s has no media type here", name)
}

func servePage(w http.ResponseWriter, r *http.Request, files map[string]pageFile) {
	h := w.Header()
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	file, known := files[r.URL.Path]
	if !known {
		refuse(w, http.StatusNotFound, "not_found", "there is no such file")
		return
	}
	if !getOrHead(w, r) {
		return
	}
	h.Set("Cache-Control", "no-cache") // ask each time; the ETag makes that cheap
	h.Set("ETag", file.etag)
	if matches(r.Header.Values("If-None-Match"), file.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", file.mediaType)
	h.Set("Content-Length", strconv.Itoa(len(file.body)))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodGet {
		_, _ = w.Write(file.body) // an error means that the client has gone
	}
}
