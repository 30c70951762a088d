package middleware

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"parley/models"
)

// Metrics counts for every package: each declares the few methods it calls, and
// this type has them all. It has a registry of its own.
type Metrics struct {
	registry *prometheus.Registry

	stored, replayed           prometheus.Counter
	send                       prometheus.Histogram
	dropped                    counters
	unspoken, heardBehind      prometheus.Gauge
	sockets, waiting           prometheus.Gauge
	notLetIn                   counters
	opened                     prometheus.Counter
	closed, cut                counters
	delivered, duplicates      prometheus.Counter
	panics                     prometheus.Counter
	socketRefused, restRefused counters
	clusterDropped             counters
	published, received        prometheus.Counter
	mongoErrors, redisErrors   counters
	mongoSeconds, redisSeconds histograms
	podsReaped, ghosts         prometheus.Counter
	strangers                  prometheus.Counter
	mediaErrors                counters
	keysFetched                counters
	requests                   *prometheus.CounterVec
	requestSeconds             *prometheus.HistogramVec
}

// counters and histograms are families with one bounded label.
type counters struct {
	family *prometheus.CounterVec
	known  *labels
}

// add never lets a negative number make a counter panic.
func add(c prometheus.Counter, n int) { c.Add(float64(max(0, n))) }

func (c counters) inc(value string) { c.family.WithLabelValues(c.known.value(value)).Inc() }

type histograms struct {
	family *prometheus.HistogramVec
	known  *labels
}

func (h histograms) observe(value string, d time.Duration) {
	h.family.WithLabelValues(h.known.value(value)).Observe(d.Seconds())
}

// seconds are the buckets of every latency: 1 ms to 10 s.
func seconds() []float64 {
	return []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
}

// NewMetrics makes Metrics, the Go runtime's and the process's included.
func NewMetrics() *Metrics {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	f := factory{r}
	refusals := f.counterVec("parley_refusals_total", "What was refused, over REST or a socket (via), by code.", "via", "code")
	m := &Metrics{
		registry:    r,
		stored:      f.counter("parley_messages_stored_total", "Messages stored."),
		replayed:    f.counter("parley_messages_replayed_total", "Messages sent again to users who had been away."),
		send:        f.histogram("parley_send_seconds", "Time from an accepted post to its messages being stored and emitted."),
		dropped:     f.counters("parley_dropped_total", "Work given up, by reason.", "reason"),
		unspoken:    f.gauge("parley_connections_unspoken", "Connections open without a byte so far."),
		heardBehind: f.gauge("parley_heard_behind_seconds", "How far behind the clock all pods are known to have been heard."),
		sockets:     f.gauge("parley_sockets", "Sockets connected to this pod."),
		waiting:     f.gauge("parley_sockets_waiting", "Sockets that wait at the door to be let in."),
		notLetIn:    f.counters("parley_connect_retries_total", "Tries to let a socket in that failed for a reason of ours, and are made again, by reason.", "reason"),
		opened:      f.counter("parley_sockets_opened_total", "Sockets let in."),
		closed:      f.counters("parley_sockets_closed_total", "Sockets that left, by reason.", "reason"),
		cut:         f.counters("parley_sockets_cut_total", "Connections this pod closed on purpose, by reason.", "reason"),
		delivered:   f.counter("parley_deliveries_total", "Events written to sockets."),
		duplicates:  f.counter("parley_duplicates_total", "Events kept from a socket that had them already."),
		panics:      f.counter("parley_panics_total", "Panics caught in handlers."),

		socketRefused: counters{refusals.MustCurryWith(prometheus.Labels{"via": "socket"}), newLabels()},
		restRefused:   counters{refusals.MustCurryWith(prometheus.Labels{"via": "rest"}), newLabels()},

		clusterDropped: f.counters("parley_cluster_dropped_total", "Messages between pods given up, by reason.", "reason"),
		published:      f.counter("parley_cluster_published_total", "Messages sent to other pods."),
		received:       f.counter("parley_cluster_received_total", "Messages received from other pods."),
		mongoErrors:    f.counters("parley_mongo_errors_total", "MongoDB operations that failed, by operation.", "op"),
		mongoSeconds:   f.histograms("parley_mongo_seconds", "Time of MongoDB operations.", "op"),
		redisErrors:    f.counters("parley_redis_errors_total", "Redis operations that failed, by operation.", "op"),
		redisSeconds:   f.histograms("parley_redis_seconds", "Time of Redis operations.", "op"),
		podsReaped:     f.counter("parley_pods_reaped_total", "Dead pods whose sockets this pod cleared away."),
		ghosts:         f.counter("parley_ghost_sockets_total", "Sockets of dead pods taken out of presence."),
		strangers:      f.counter("parley_stranger_sockets_total", "Sockets that no pod had, taken out of presence."),
		mediaErrors:    f.counters("parley_media_errors_total", "File storage operations that failed, by operation.", "op"),
		keysFetched:    f.counters("parley_token_keys_fetched_total", "Requests for JWT_JWKS_URL, by outcome.", "outcome"),
		requests:       f.counterVec("parley_http_requests_total", "HTTP requests answered.", "route", "method", "status"),
		requestSeconds: f.histogramVec("parley_http_request_seconds", "Time to answer an HTTP request, Socket.IO not included.", "route", "method"),
	}
	return m
}

// Handler serves the metrics in Prometheus's text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}

// HTTP counts and times what HTTP requests come to.
func (m *Metrics) HTTP() gin.HandlerFunc {
	return func(c *gin.Context) {
		start := time.Now()
		defer func() {
			path, verb := route(c), method(c.Request.Method)
			m.requests.WithLabelValues(path, verb, status(c.Writer.Status())).Inc()
			if !realtime(c) {
				m.requestSeconds.WithLabelValues(path, verb).Observe(time.Since(start).Seconds())
			}
		}()
		c.Next()
	}
}

// RequestRefused counts a refusal over REST.
func (m *Metrics) RequestRefused(code models.Code) { m.restRefused.inc(string(code)) }
