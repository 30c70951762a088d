package middleware

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"parley/models"
	"parley/rooms"
)

var _ rooms.Metrics = (*Metrics)(nil)

// scrape returns the samples, by name and labels.
func scrape(t *testing.T, m *Metrics) map[string]string {
	t.Helper()
	rec := serve(m.Handler(), "GET", "/metrics")
	if rec.Code != 200 {
		t.Fatalf("/metrics: %d", rec.Code)
	}
	samples := make(map[string]string)
	for line := range strings.Lines(rec.Body.String()) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "} "); ok {
			samples[name+"}"] = value
		} else if name, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name != "#" {
			samples[name] = value
		}
	}
	return samples
}

func TestMetricsCount(t *testing.T) {
	t.Parallel()
	m := NewMetrics()
	m.MessagesStored(3)
	m.MessagesReplayed(2)
	m.Sent(20 * time.Millisecond)
	m.Dropped("queue_full")
	m.SocketOpened()
	m.SocketOpened()
	m.SocketClosed("transport close")
	m.Refused(string(models.CodeTokenExpired))
	m.RequestRefused(models.CodeRateLimited)
	m.Delivered(7)
	m.Delivered(-1) // a counter must never be made to panic
	m.Duplicate()
	m.Cut("slow_client")
	m.Panicked()
	m.ClusterDropped("undecodable")
	m.ClusterPublished(4)
	m.ClusterReceived(5)
	m.MongoError("insert")
	m.MongoLatency("insert", 3*time.Millisecond)
	m.RedisError("add")
	m.RedisLatency("add", 2*time.Second)
	m.PodReaped(6)
	m.StrangersRemoved(2)
	m.MediaError("keep")
	m.KeysFetched("failed")
	got := scrape(t, m)
	for sample, want := range map[string]string{
		"parley_messages_stored_total":                             "3",
		"parley_messages_replayed_total":                           "2",
		`parley_send_seconds_bucket{le="0.01"}`:                    "0",
		`parley_send_seconds_bucket{le="0.025"}`:                   "1",
		`parley_dropped_total{reason="queue_full"}`:                "1",
		"parley_sockets":                                           "1",
		"parley_sockets_opened_total":                              "2",
		`parley_sockets_closed_total{reason="transport close"}`:    "1",
		`parley_sockets_cut_total{reason="slow_client"}`:           "1",
		`parley_refusals_total{code="token_expired",via="socket"}`: "1",
		`parley_refusals_total{code="rate_limited",via="rest"}`:    "1",
		"parley_deliveries_total":                                  "7",
		"parley_stranger_sockets_total":                            "2",
		"parley_duplicates_total":                                  "1",
		"parley_panics_total":                                      "1",
		`parley_cluster_dropped_total{reason="undecodable"}`:       "1",
		"parley_cluster_published_total":                           "4",
		"parley_cluster_received_total":                            "5",
		`parley_mongo_errors_total{op="insert"}`:                   "1",
		`parley_mongo_seconds_bucket{op="insert",le="0.005"}`:      "1",
		`parley_redis_errors_total{op="add"}`:                      "1",
		`parley_redis_seconds_bucket{op="add",le="1"}`:             "0",
		`parley_redis_seconds_count{op="add"}`:                     "1",
		"parley_ghost_sockets_total":                               "6",
		"parley_pods_reaped_total":                                 "1",
		`parley_media_errors_total{op="keep"}`:                     "1",
		`parley_token_keys_fetched_total{outcome="failed"}`:        "1",
	} {
		if got[sample] != want {
			t.Errorf("%s = %q, want %s", sample, got[sample], want)
		}
	}
	for _, runtime := range []string{"go_goroutines", "process_open_fds"} {
		if got[runtime] == "" {
			t.Errorf("%s is missing", runtime)
		}
	}
}

func TestRegistriesAreApart(t *testing.T) {
	t.Parallel()
	a, b := NewMetrics(), NewMetrics() // a shared registry would panic here
	a.Panicked()
	if got := scrape(t, b)["parley_panics_total"]; got != "0" {
		t.Errorf("b counts a's panics: %s", got)
	}
}

func TestLabelsAreBounded(t *testing.T) {
	t.Parallel()
	m := NewMetrics()
	for _, odd := range []string{"", "a\nb", `a"b`, strings.Repeat("x", 41), "ü"} {
		m.Cut(odd)
	}
	for i := range 3 * maxLabelValues {
		m.Cut(fmt.Sprintf("reason_%d", i))
	}
	m.Cut("reason_0") // known before the limit, counted under its name after it
	got := scrape(t, m)
	n := 0
	for sample := range got {
		if strings.HasPrefix(sample, "parley_sockets_cut_total") {
			n++
		}
	}
	if n != maxLabelValues+1 {
		t.Errorf("%d series, want %d", n, maxLabelValues+1)
	}
	for _, odd := range []string{"", strings.Repeat("x", 41)} {
		if got[`parley_sockets_cut_total{reason="`+odd+`"}`] != "" {
			t.Errorf("%q is counted under its name", odd)
		}
	}
	if first := got[`parley_sockets_cut_total{reason="reason_0"}`]; first != "2" {
		t.Errorf("reason_0 = %s, want 2", first)
	}
	if rest, want := got[`parley_sockets_cut_total{reason="other"}`], fmt.Sprint(2*maxLabelValues+5); rest != want {
		t.Errorf("other = %s, want %s", rest, want)
	}
}

func TestHTTPMetrics(t *testing.T) {
	t.Parallel()
	m := NewMetrics()
	r := gin.New()
	r.Use(m.HTTP())
	r.GET("/api/chats/:chatId", func(c *gin.Context) { c.Status(200) })
	r.GET("/odd", func(c *gin.Context) { c.Status(799) })
	r.GET("/socket.io/*any", Realtime(), func(c *gin.Context) { c.Status(200) })
	serve(r, "GET", "/api/chats/1")
	serve(r, "GET", "/api/chats/2?x=1")
	serve(r, "GET", "/socket.io/?EIO=4")
	serve(r, "GET", "/odd")
	serve(r, "GET", "/wp-login.php")
	serve(r, "BREW", "/pot")
	got := scrape(t, m)
	for sample, want := range map[string]string{
		`parley_http_requests_total{method="GET",route="/api/chats/:chatId",status="200"}`: "2",
		`parley_http_requests_total{method="GET",route="/socket.io/*any",status="200"}`:    "1",
		`parley_http_requests_total{method="GET",route="/odd",status="other"}`:             "1",
		`parley_http_requests_total{method="GET",route="other",status="404"}`:              "1",
		`parley_http_requests_total{method="other",route="other",status="404"}`:            "1",
		`parley_http_request_seconds_count{method="GET",route="/api/chats/:chatId"}`:       "2",
		`parley_http_request_seconds_count{method="GET",route="/socket.io/*any"}`:          "",
	} {
		if got[sample] != want {
			t.Errorf("%s = %q, want %q", sample, got[sample], want)
		}
	}
}
