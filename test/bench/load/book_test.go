package main

import (
	"testing"
	"time"
)

type delivery struct{ socket, id int }

func TestBookCounts(t *testing.T) {
	for name, c := range map[string]struct {
		deliveries                    []delivery
		lost, twice, reordered, stray int
		ends                          bool
	}{
		"everything once, in order": {
			deliveries: []delivery{{0, 100}, {1, 100}, {0, 101}, {1, 101}, {2, 102}, {0, 103}, {1, 103}}, ends: true},
		"nothing": {lost: 7},
		"one lost in the middle": {
			deliveries: []delivery{{0, 100}, {1, 100}, {0, 101}, {2, 102}, {0, 103}, {1, 103}}, lost: 1},
		"one lost at the end": {
			deliveries: []delivery{{0, 100}, {1, 100}, {0, 101}, {1, 101}, {2, 102}, {1, 103}}, lost: 1},
		"one twice": {
			deliveries: []delivery{{0, 100}, {0, 100}, {1, 100}, {0, 101}, {1, 101}, {2, 102}, {0, 103}, {1, 103}}, twice: 1, ends: true},
		"one twice, much later": {
			deliveries: []delivery{{0, 100}, {1, 100}, {0, 101}, {1, 101}, {2, 102}, {0, 103}, {1, 103}, {1, 100}}, twice: 1, ends: true},
		"a second one does not stand for one that is lost": {
			deliveries: []delivery{{0, 100}, {0, 100}, {0, 101}, {1, 101}, {2, 102}, {0, 103}, {1, 103}}, lost: 1, twice: 1},
		"two out of order": {
			deliveries: []delivery{{0, 103}, {0, 100}, {0, 101}, {1, 100}, {1, 101}, {2, 102}, {1, 103}}, reordered: 2, ends: true},
		"out of order and then again": {
			deliveries: []delivery{{0, 101}, {0, 100}, {0, 100}, {0, 103}, {1, 100}, {1, 101}, {2, 102}, {1, 103}}, reordered: 1, twice: 1, ends: true},
		"of another room, of another measurement, never sent, to nobody's room": {
			deliveries: []delivery{{2, 100}, {0, 99}, {0, 104}, {3, 100}}, lost: 7, stray: 4},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := newBook(100, 4, [][]int{{0, 1}, {2}})
			if err != nil {
				t.Fatal(err)
			}
			for i, room := range []int{0, 0, 1, 0} {
				if id, ok := b.send(room, 0); id != 100+i || !ok {
					t.Fatalf("message %d is called %d", i, id)
				}
			}
			b.stop()
			for _, d := range c.deliveries {
				b.received(d.socket, d.id, 0)
			}
			if got := b.lost(); got != c.lost || b.twice != c.twice || b.reordered != c.reordered || b.stray != c.stray {
				t.Errorf("lost %d, twice %d, reordered %d, stray %d; want %d, %d, %d, %d",
					got, b.twice, b.reordered, b.stray, c.lost, c.twice, c.reordered, c.stray)
			}
			select {
			case <-b.ended:
				if !c.ends {
					t.Error("it ended with somebody waiting")
				}
			default:
				if c.ends {
					t.Error("it did not end")
				}
			}
		})
	}
}

func TestBookTimesOnlyWhatCounts(t *testing.T) {
	b, err := newBook(0, 2, [][]int{{0, 1}})
	if err != nil {
		t.Fatal(err)
	}
	say := func(due time.Duration) { b.send(0, due) }
	say(0)
	b.count()
	say(10 * time.Millisecond)
	b.stop()
	if _, ok := b.send(0, 0); ok {
		t.Error("a message was sent after the end")
	}
	for _, d := range []struct {
		delivery
		last bool
	}{{delivery{0, 0}, false}, {delivery{1, 0}, true}, {delivery{0, 1}, false}, {delivery{1, 1}, true}} {
		if last := b.received(d.socket, d.id, 20*time.Millisecond); last != d.last {
			t.Errorf("%+v: last is %v", d, last)
		}
	}
	if b.receive.n != 2 || b.last.n != 1 {
		t.Errorf("%d receipts and %d last ones were timed, want 2 and 1", b.receive.n, b.last.n)
	}
	if got := b.last.quantile(0.5); got < 9.9 || got > 10.4 {
		t.Errorf("the last receipt came after %v ms, want 10", got)
	}
}

func TestNobodyWaitsForASocketThatHasGone(t *testing.T) {
	b, err := newBook(0, 2, [][]int{{0, 1}})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		b.send(0, 0)
	}
	b.received(0, 0, 0)
	b.received(1, 0, 0)
	b.received(1, 1, 0)
	if settled := b.gone(0); settled != 1 {
		t.Errorf("%d messages were settled, want 1: the other socket waits for the third", settled)
	}
	if settled := b.gone(0); settled != 0 {
		t.Errorf("it went twice: %d", settled)
	}
	b.send(0, 0)
	b.received(1, 2, 0)
	b.stop()
	if last := b.received(1, 3, 0); !last {
		t.Error("a message after it went waits for it")
	}
	select {
	case <-b.ended:
	default:
		t.Error("it did not end")
	}
	if lost := b.lost(); lost != 2 {
		t.Errorf("%d lost, want the two that were under way", lost)
	}
}

func TestASocketIsInOneRoomOfAMeasurement(t *testing.T) {
	if _, err := newBook(0, 2, [][]int{{0, 1}, {1}}); err == nil {
		t.Error("a socket in two rooms was accepted: its numbers mean nothing")
	}
}
