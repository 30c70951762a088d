package cluster

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func numbered(n int) *outgoing { return &outgoing{channel: "c", payload: fmt.Sprint(n), own: true} }

func payloads(batch []*outgoing) string {
	var out []string
	for _, o := range batch {
		out = append(out, o.payload)
	}
	return strings.Join(out, " ")
}

func TestQueueKeepsOrderWithinItsBounds(t *testing.T) {
	var lost []*outgoing
	q := newQueue(5, 1<<20, func(o *outgoing, _ string) { lost = append(lost, o) })
	for i := range 4 {
		q.push(numbered(i))
	}
	first := q.take(2, 1<<20)
	for i := 4; i < 7; i++ {
		q.push(numbered(i))
	}
	q.putBack(first)
	if got := payloads(lost); got != "0 1" {
		t.Errorf("the oldest gave way, but it was %q", got)
	}
	if got := payloads(q.take(100, 1<<20)); got != "2 3 4 5 6" {
		t.Errorf("left %q", got)
	}
	if q.bytes != 0 {
		t.Errorf("%d bytes in an empty queue", q.bytes)
	}
}

func TestQueueCountsBytes(t *testing.T) {
	lost := 0
	q := newQueue(1000, 1000, func(*outgoing, string) { lost++ })
	big := &outgoing{payload: strings.Repeat("x", 400)}
	for range 3 {
		q.push(big)
	}
	if lost != 1 {
		t.Errorf("%d lost", lost)
	}
	q.push(&outgoing{payload: strings.Repeat("x", 2000)})
	if got := q.take(10, 1<<20); lost != 4 || len(got) != 0 {
		t.Errorf("%d lost, %d left, after one that never fits", lost, len(got))
	}
}

func TestQueueForgetsItsPast(t *testing.T) {
	q := newQueue(1<<20, 1<<30, func(*outgoing, string) { t.Error("something was dropped") })
	next := 0
	for i := range 100_000 {
		q.push(numbered(i))
		if i%3 > 0 {
			for _, o := range q.take(2, 1<<20) {
				if o.payload != fmt.Sprint(next) {
					t.Fatalf("%s where %d was next", o.payload, next)
				}
				next++
			}
		}
	}
	if len(q.items) > 10_000 {
		t.Errorf("it holds on to %d", len(q.items))
	}
}

func TestWhatWasHeardIsNotRepeated(t *testing.T) {
	q := newQueue(100, 1<<20, func(*outgoing, string) {})
	p := &publisher{queue: q}
	batch := []*outgoing{numbered(0), numbered(1), numbered(1), {channel: "c", payload: "answer"}, numbered(2)}
	p.watch(slices.Clone(batch))
	p.heard("c", "0")
	p.heard("c", "1")
	p.heard("other", "2")
	p.heard("c", "answer") // could be another pod's
	q.putBack(batch)
	if got := payloads(q.take(10, 1<<20)); got != "1 answer 2" {
		t.Errorf("again: %q", got)
	}
}
