package middleware

import "github.com/prometheus/client_golang/prometheus"

// factory makes families and registers them. It registers fixed names into a
// fresh registry, so MustRegister can fail only where a name is written twice.
type factory struct{ registry *prometheus.Registry }

func register[C prometheus.Collector](f factory, c C) C {
	f.registry.MustRegister(c)
	return c
}

func (f factory) counter(name, help string) prometheus.Counter {
	return register(f, prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help}))
}

func (f factory) gauge(name, help string) prometheus.Gauge {
	return register(f, prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help}))
}

func (f factory) histogram(name, help string) prometheus.Histogram {
	return register(f, prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: seconds()}))
}

func (f factory) counterVec(name, help string, labels ...string) *prometheus.CounterVec {
	return register(f, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels))
}

func (f factory) histogramVec(name, help string, labels ...string) *prometheus.HistogramVec {
	return register(f, prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: seconds()}, labels))
}

func (f factory) counters(name, help, label string) counters {
	return counters{f.counterVec(name, help, label), newLabels()}
}

func (f factory) histograms(name, help, label string) histograms {
	return histograms{f.histogramVec(name, help, label), newLabels()}
}
