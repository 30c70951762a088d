package hub

import (
	"context"
	"net/http"
	"testing"
)

// What the handler itself refuses, a page of an allowed origin may read too.
func TestRefusalsCanBeRead(t *testing.T) {
	t.Parallel()
	const page = "https://page.example"
	for name, tc := range map[string]struct {
		origins             []string
		from                string
		allow, creds, varys string
	}{
		"no origin":       {nil, page, "", "", ""},
		"any origin":      {[]string{"*"}, page, "*", "", ""},
		"one of them":     {[]string{"https://a.example", page}, page, page, "true", "Origin"},
		"none of them":    {[]string{"https://a.example"}, page, "", "true", "Origin"},
		"not from a page": {[]string{page}, "", "", "true", "Origin"},
	} {
		p := newPod(t, func(o *Options) { o.CORSOrigins = tc.origins }, chat).start()
		ask := func(query string, status int) {
			t.Helper()
			req, _ := http.NewRequest(http.MethodGet, p.http.URL+"/socket.io/?transport=polling&"+query, nil)
			if tc.from != "" {
				req.Header.Set("Origin", tc.from)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			h := res.Header
			if res.StatusCode != status || h.Get("Access-Control-Allow-Origin") != tc.allow ||
				h.Get("Access-Control-Allow-Credentials") != tc.creds || h.Get("Vary") != tc.varys {
				t.Errorf("%s, %s: %d %v", name, query, res.StatusCode, h)
			}
		}
		ask("EIO=3", http.StatusBadRequest)
		ask("EIO=4&j=0", http.StatusBadRequest)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		if err := p.s.Close(ctx); err != nil {
			t.Error(err)
		}
		cancel()
		ask("EIO=4", http.StatusServiceUnavailable)
	}
}
