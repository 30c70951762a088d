package media

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strings"

	"parley/models"
)

// Handler serves GET and HEAD of /files/<name>, whole or in ranges.
func (l *Local) Handler() http.Handler { return http.HandlerFunc(l.serve) }

func (l *Local) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	// Set before anything can go wrong: an error page is a page too. What pages
	// may do with a file is set by the middleware, for all of /files.
	h.Set("X-Content-Type-Options", "nosniff")

	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed, models.CodeMethodNotAllowed, "use GET or HEAD")
		return
	}
	name, ok := strings.CutPrefix(r.URL.Path, filesPath)
	if !ok || !namePattern.MatchString(name) {
		refuse(w, http.StatusNotFound, models.CodeNotFound, "no such file")
		return
	}
	file, info, err := l.open(name)
	if errors.Is(err, fs.ErrNotExist) {
		refuse(w, http.StatusNotFound, models.CodeNotFound, "no such file")
		return
	}
	if err != nil {
		l.metrics.MediaError("serve")
		l.logger.Error("a kept file cannot be read", "file", name, "error", err)
		refuse(w, http.StatusServiceUnavailable, models.CodeUnavailable, "the file cannot be read; try again")
		return
	}
	defer func() { _ = file.Close() }() // read only: nothing can be lost

	ending := path.Ext(name)
	contentType, inline := shown[ending]
	if !inline {
		h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
		if contentType = handedOver[ending]; contentType == "" {
			contentType = octets
		}
	}
	h.Set("Content-Type", contentType)
	// A name is given once, so what it stands for never changes.
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("ETag", `"`+strings.TrimSuffix(name, ending)+`"`)
	http.ServeContent(w, r, "", info.ModTime(), file)
}

// open opens a plain file of ours; a link, or anything else that somebody put
// into the directory, counts as not there.
func (l *Local) open(name string) (*os.File, fs.FileInfo, error) {
	info, err := l.root.Lstat(name)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fs.ErrNotExist
	}
	file, err := l.root.Open(name)
	if err != nil {
		return nil, nil, err
	}
	return file, info, nil
}

// refuse answers in the shape of the REST interface. The words hold no quotes.
func refuse(w http.ResponseWriter, status int, code models.Code, message string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// The client may be gone; there is nobody left to tell.
	_, _ = w.Write([]byte(`{"error":{"code":"` + string(code) + `","message":"` + message + `"}}`))
}
