package main

import (
	"fmt"
	"sync"
	"time"
)

// emit measures a bare engine: one socket sends `bench {room,n,size,id}`, and
// the server sends the room new_message {id,i,room,text}.
func (p *pool) emit(o order, span time.Duration) (*report, error) {
	if o.Control < 0 || o.Control >= len(p.sockets) {
		return nil, fmt.Errorf("there is no socket %d", o.Control)
	}
	control := p.sockets[o.Control]
	var h *hearing
	var mu sync.Mutex // an id must be sent before the next one is
	var turn int
	var failed error
	send := func(due time.Duration) bool {
		mu.Lock()
		defer mu.Unlock()
		room := turn % len(o.Rooms)
		turn++
		id, ok := h.send(room, due)
		if !ok {
			return false
		}
		if err := control.write(clientFrame(fmt.Sprintf(`42["bench",{"room":%q,"n":1,"size":%d,"id":%d}]`, o.Rooms[room], o.Bytes, id))); err != nil {
			failed = err
			return false
		}
		return true
	}
	again := func() {}
	if o.Rate == 0 {
		again = func() { send(now()) }
	}
	h, err := p.open(o, `"id":`, again)
	if err != nil {
		return nil, err
	}
	var pacing sync.WaitGroup
	if o.Rate > 0 {
		pacing.Go(func() { pace(o.Rate, func(_ int, due time.Duration) bool { return send(due) }) })
	} else {
		for range o.Window {
			send(now())
		}
	}
	r, err := p.watch(h, o, span)
	pacing.Wait()
	mu.Lock()
	defer mu.Unlock()
	if err == nil {
		err = failed
	}
	return r, err
}
