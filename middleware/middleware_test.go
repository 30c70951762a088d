package middleware

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"parley/models"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode) // no route list between the results
	os.Exit(m.Run())
}

// fail answers as handlers.Fail does, as far as these tests look.
func fail(c *gin.Context, err error) {
	e := models.AsError(err)
	status := map[models.Code]int{
		models.CodeTokenMissing: 401, models.CodeTokenMalformed: 401, models.CodeTokenInvalid: 401,
		models.CodeRateLimited: 429, models.CodeUnavailable: 503,
	}[e.Code]
	if status == 0 {
		status = 500
	}
	if e.RetryAfter > 0 {
		c.Header("Retry-After", e.RetryAfter.String())
	}
	c.AbortWithStatusJSON(status, gin.H{"code": e.Code})
}

// serve sends one request through the engine.
func serve(r http.Handler, method, target string, headers ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, target, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	r.ServeHTTP(rec, req)
	return rec
}

// tokens verifies "good" as alice's and refuses the rest.
type tokens struct{}

func (tokens) Verify(_ context.Context, raw any, present bool) (models.Identity, error) {
	text, ok := raw.(string)
	switch {
	case !present:
		return models.Identity{}, models.Refuse(models.CodeTokenMissing, "")
	case !ok:
		return models.Identity{}, models.Refuse(models.CodeTokenMalformed, "")
	case text != "good":
		return models.Identity{}, models.Refuse(models.CodeTokenInvalid, "")
	}
	return models.Identity{UserID: "alice"}, nil
}

func TestRequireUser(t *testing.T) {
	t.Parallel()
	r := gin.New()
	reached := 0
	r.GET("/", RequireUser(tokens{}, fail), func(c *gin.Context) {
		reached++
		c.String(200, string(UserOf(c).UserID))
	})
	for _, tc := range []struct {
		name    string
		headers []string
		body    string
		status  int
	}{
		{"valid", []string{"Authorization", "Bearer good"}, "alice", 200},
		{"scheme in lower case", []string{"Authorization", "bearer good"}, "alice", 200},
		{"scheme in upper case, more spaces", []string{"Authorization", "  BEARER   good "}, "alice", 200},
		{"no header", nil, `{"code":"token_missing"}`, 401},
		{"another scheme", []string{"Authorization", "Basic good"}, `{"code":"token_missing"}`, 401},
		{"wrong token", []string{"Authorization", "Bearer bad"}, `{"code":"token_invalid"}`, 401},
		{"nothing behind the scheme", []string{"Authorization", "Bearer"}, `{"code":"token_invalid"}`, 401},
		{"two headers", []string{"Authorization", "Bearer good", "Authorization", "Bearer good"}, `{"code":"token_malformed"}`, 401},
	} {
		before := reached
		rec := serve(r, "GET", "/", tc.headers...)
		if rec.Code != tc.status || rec.Body.String() != tc.body || (reached > before) != (tc.status == 200) {
			t.Errorf("%s: %d %s, handler reached: %v", tc.name, rec.Code, rec.Body, reached > before)
		}
	}
}

// A fail that forgets to abort must not open the door.
func TestRequireUserAbortsByItself(t *testing.T) {
	t.Parallel()
	r := gin.New()
	r.GET("/", RequireUser(tokens{}, func(c *gin.Context, _ error) { c.Status(401) }), func(c *gin.Context) { t.Error("reached") })
	if rec := serve(r, "GET", "/"); rec.Code != 401 {
		t.Errorf("status %d", rec.Code)
	}
}

func TestUserOfNobody(t *testing.T) {
	t.Parallel()
	c, _ := gin.CreateTestContext(httptest.NewRecorder())
	if id := UserOf(c); id != (models.Identity{}) {
		t.Errorf("%+v", id)
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	r := gin.New()
	r.Use(RequestID())
	r.GET("/", func(c *gin.Context) { c.String(200, RequestIDFrom(c.Request.Context())) })
	for _, tc := range []struct {
		given string
		kept  bool
	}{
		{"abc-DEF_1.2", true},
		{strings.Repeat("x", 64), true},
		{strings.Repeat("x", 65), false},
		{"", false},
		{"a b", false},
		{"a\tb", false},
		{`{"level":"ERROR"}`, false},
		{"ü", false},
	} {
		rec := serve(r, "GET", "/", "X-Request-Id", tc.given)
		id := rec.Header().Get("X-Request-Id")
		if id != rec.Body.String() || (id == tc.given) != tc.kept || !sane(id) {
			t.Errorf("given %q: header %q, context %q", tc.given, id, rec.Body)
		}
	}
	if a, b := serve(r, "GET", "/").Body.String(), serve(r, "GET", "/").Body.String(); a == b || len(a) != 32 {
		t.Errorf("fresh ids %q, %q", a, b)
	}
}

// logged returns the lines of a JSON log.
func logged(t *testing.T, out *bytes.Buffer) []map[string]any {
	t.Helper()
	var lines []map[string]any
	for d := json.NewDecoder(out); ; {
		var line map[string]any
		if err := d.Decode(&line); errors.Is(err, io.EOF) {
			return lines
		} else if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
}

func TestAccessLog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r := gin.New()
	r.Use(RequestID(), AccessLog(logger), Recover(slog.New(slog.DiscardHandler), &Metrics{panics: NewMetrics().panics}, fail))
	answer := func(c *gin.Context) { c.String(201, "four") }
	r.GET("/api/chats/:chatId", RequireUser(tokens{}, fail), answer)
	r.GET("/panics", func(*gin.Context) { panic("x") })
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		r.GET(path, answer)
	}
	r.GET("/chat/ws", Realtime(), answer)
	for _, tc := range []struct {
		method, target, level, route string
		status, bytes                float64
		user                         any
	}{
		{"GET", "/api/chats/hunter2?token=hunter2", "INFO", "/api/chats/:chatId", 201, 4, "alice"},
		{"GET", "/hunter2?token=hunter2", "INFO", "other", 404, 0, nil},
		{"HUNTER2", "/hunter2", "INFO", "other", 404, 0, nil},
		{"GET", "/panics", "INFO", "/panics", 500, 19, nil},
		{"GET", "/healthz", "DEBUG", "/healthz", 201, 4, nil},
		{"GET", "/readyz", "DEBUG", "/readyz", 201, 4, nil},
		{"GET", "/metrics", "DEBUG", "/metrics", 201, 4, nil},
		{"GET", "/chat/ws?EIO=4&sid=hunter2", "DEBUG", "/chat/ws", 201, 4, nil},
	} {
		out.Reset()
		serve(r, tc.method, tc.target, "Authorization", "Bearer good", "X-Request-Id", "req-1")
		if strings.Contains(strings.ToLower(out.String()), "hunter2") || strings.Contains(out.String(), "Bearer") {
			t.Errorf("%s: the log repeats what it should not: %s", tc.target, out.String())
		}
		lines := logged(t, &out)
		if len(lines) != 1 {
			t.Fatalf("%s: %d lines", tc.target, len(lines))
		}
		l := lines[0]
		if l["level"] != tc.level || l["route"] != tc.route || l["status"] != tc.status || l["user_id"] != tc.user || l["request_id"] != "req-1" {
			t.Errorf("%s: %v", tc.target, l)
		}
		if bytes, _ := l["bytes"].(float64); bytes != tc.bytes && tc.status != 500 {
			t.Errorf("%s: %v bytes", tc.target, bytes)
		}
		if d, ok := l["duration"].(float64); !ok || d < 0 {
			t.Errorf("%s: duration %v", tc.target, l["duration"])
		}
	}
}

type panics int

func (p *panics) Panicked() { *p++ }

func TestRecover(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	var count panics
	r := gin.New()
	r.Use(Recover(slog.New(slog.NewJSONHandler(&out, nil)), &count, fail))
	r.GET("/panic", func(*gin.Context) { panic("the handler's fault") })
	r.GET("/half", func(c *gin.Context) {
		c.String(200, "half")
		panic("too late")
	})
	r.GET("/abort", func(*gin.Context) { panic(http.ErrAbortHandler) })
	r.GET("/fine", func(c *gin.Context) { c.Status(204) })

	if rec := serve(r, "GET", "/fine"); rec.Code != 204 || count != 0 {
		t.Errorf("no panic: %d, counted %d", rec.Code, count)
	}
	rec := serve(r, "GET", "/panic")
	if rec.Code != 500 || strings.Contains(rec.Body.String(), "fault") || count != 1 {
		t.Errorf("panic: %d %s, counted %d", rec.Code, rec.Body, count)
	}
	if l := logged(t, &out); len(l) != 1 || l[0]["panic"] != "the handler's fault" || !strings.Contains(l[0]["stack"].(string), "middleware_test.go") {
		t.Errorf("log: %v", l)
	}
	for target, counted := range map[string]panics{"/half": 1, "/abort": 0} {
		before := count
		func() {
			defer func() {
				if v := recover(); v != http.ErrAbortHandler {
					t.Errorf("%s: recovered %v, want http.ErrAbortHandler", target, v)
				}
			}()
			serve(r, "GET", target)
		}()
		if count-before != counted {
			t.Errorf("%s: counted %d, want %d", target, count-before, counted)
		}
	}
}
