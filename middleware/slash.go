package middleware

import (
	"net/http"
	"net/url"
	"strings"
)

// TrailingSlash serves every path also with a slash at its end, as Express
// does. A redirect would do for a GET alone, and a router writes it before any
// middleware runs. exact names the paths that stay as they were asked for.
func TrailingSlash(next http.Handler, exact func(path string) bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		short := strings.TrimSuffix(path, "/")
		if short == "" {
			short = "/" // also of an absolute request for no path at all
		}
		if short == path || exact(path) {
			next.ServeHTTP(w, r)
			return
		}
		shortened := new(http.Request)
		*shortened = *r
		shortened.URL = new(url.URL)
		*shortened.URL = *r.URL
		shortened.URL.Path, shortened.URL.RawPath = short, strings.TrimSuffix(r.URL.RawPath, "/")
		next.ServeHTTP(w, shortened)
	})
}
