package main

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// drain is how long to wait for what is under way when the sending ends.
const drain = 10 * time.Second

// report is what one measurement of messages told.
type report struct {
	Deliveries int     `json:"deliveries"`
	PerSecond  float64 `json:"per_s"`
	Messages   int     `json:"messages"`
	CPU        float64 `json:"us_per_delivery"` // of the server
	PerMessage float64 `json:"us_per_message"`  // of the server
	Own        float64 `json:"load_us_per_delivery"`

	Beside map[string]float64 `json:"beside_us_per_message"` // of the other processes that were named

	Events     map[string]int `json:"events"` // other than messages, meanwhile
	Courtesies int            `json:"courtesies"`

	Lost      int   `json:"lost"`
	Twice     int   `json:"twice"`
	Reordered int   `json:"reordered"`
	Stray     int   `json:"stray"`
	Dropped   int64 `json:"dropped"` // connections, since they were made

	// From when a message was due: to each receipt, and to the last one.
	P50     float64 `json:"p50_ms"`
	P99     float64 `json:"p99_ms"`
	LastP50 float64 `json:"last_p50_ms"`
	LastP99 float64 `json:"last_p99_ms"`
}

// open begins a measurement of the rooms of an order.
func (p *pool) open(o order, mark string, last func()) (*hearing, error) {
	var rooms [][]int
	for _, name := range o.Rooms {
		if len(p.rooms[name]) == 0 {
			return nil, fmt.Errorf("nobody is in room %q", name)
		}
		rooms = append(rooms, slices.DeleteFunc(slices.Clone(p.rooms[name]), func(i int) bool { return p.sockets[i].gone.Load() }))
	}
	if len(rooms) == 0 {
		return nil, errors.New("no rooms")
	}
	b, err := newBook(p.next, len(p.sockets), rooms)
	if err != nil {
		return nil, err
	}
	h := &hearing{book: b, mark: []byte(mark), last: last}
	p.book.Store(h)
	for i, s := range p.sockets { // one may have gone before the reader knew of the book
		if s.gone.Load() {
			h.forget(i)
		}
	}
	return h, nil
}

// forget takes a socket that has gone out of the measurement.
func (h *hearing) forget(socket int) {
	for range h.gone(socket) {
		h.last()
	}
}

// watch lets a load that is under way warm up, measures it for a time, ends it
// and waits for what is still to come.
func (p *pool) watch(h *hearing, o order, span time.Duration) (*report, error) {
	time.Sleep(time.Duration(o.Warm) * time.Millisecond)
	deliveries, messages := h.count()
	told := p.events.sofar()
	from, err := p.instant(o.Beside)
	if err != nil {
		return nil, err
	}
	time.Sleep(span)
	to, err := p.instant(o.Beside)
	if err != nil {
		return nil, err
	}
	d, m := h.stop()
	toldThen := p.events.sofar()
	select {
	case <-h.ended:
	case <-time.After(drain):
	}
	p.next = h.base + len(h.sent)
	deliveries, messages = d-deliveries, m-messages
	r := &report{
		Deliveries: deliveries, PerSecond: float64(deliveries) / to.at.Sub(from.at).Seconds(), Messages: messages,
		CPU: per(to.server-from.server, deliveries), PerMessage: per(to.server-from.server, messages), Own: per(to.own-from.own, deliveries),
		Lost: h.lost(), Dropped: p.dropped.Load(),
	}
	r.Events, r.Courtesies = since(told, toldThen)
	r.Beside = map[string]float64{}
	for name := range o.Beside {
		r.Beside[name] = per(to.beside[name]-from.beside[name], messages)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	r.Twice, r.Reordered, r.Stray = h.twice, h.reordered, h.stray
	r.P50, r.P99 = h.receive.quantile(0.5), h.receive.quantile(0.99)
	r.LastP50, r.LastP99 = h.book.last.quantile(0.5), h.book.last.quantile(0.99)
	return r, nil
}

// pace calls send at an even rate, with the time each was due, until it says no.
// One that is late is not left out: what waits for a slow server counts.
func pace(rate float64, send func(n int, due time.Duration) bool) {
	start := now()
	for n := 0; ; n++ {
		due := start + time.Duration(float64(n)/rate*float64(time.Second))
		time.Sleep(due - now())
		if !send(n, due) {
			return
		}
	}
}
