package main

import (
	"errors"
	"slices"
	"sync"
	"time"
)

// book keeps what one measurement sent and who has had it. The messages of a
// room are numbered as they are sent, one after the other; so what a socket
// lacks, has twice, or has in another order shows by the numbers alone.
type book struct {
	mu      sync.Mutex
	base    int // id of the first message; lower ones are of earlier measurements
	sent    []message
	rooms   []bookRoom
	ledgers []ledger // by socket

	open     int           // messages that somebody still waits for
	stopped  bool          // nothing more is sent
	ended    chan struct{} // closed once stopped and nothing is open
	counting bool

	deliveries       int
	twice, reordered int
	stray            int // to a socket that was not meant, or of no message of ours
	receive, last    histogram
}

// message is one that was sent.
type message struct {
	room   int
	number int // within the room
	due    time.Duration
	left   int // sockets that have not had it
	counts bool
}

type bookRoom struct {
	members int
	sent    int
}

// ledger is what one socket has had of its room.
type ledger struct {
	room    int // -1: in none
	next    int
	missing []int // below next and not had
	gone    bool  // its connection has ended; missing is all that it lacked then
}

var errTwoRooms = errors.New("a socket is in two rooms of one measurement")

// newBook opens a book for rooms, each a list of sockets.
func newBook(base, sockets int, rooms [][]int) (*book, error) {
	b := &book{base: base, ledgers: make([]ledger, sockets), ended: make(chan struct{})}
	for i := range b.ledgers {
		b.ledgers[i].room = -1
	}
	for r, members := range rooms {
		for _, s := range members {
			if b.ledgers[s].room >= 0 {
				return nil, errTwoRooms
			}
			b.ledgers[s].room = r
		}
		b.rooms = append(b.rooms, bookRoom{members: len(members)})
	}
	return b, nil
}

// send notes a message that is about to be sent and returns its id; not ok once
// the measurement is over.
func (b *book) send(room int, due time.Duration) (id int, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return 0, false
	}
	r := &b.rooms[room]
	b.sent = append(b.sent, message{room: room, number: r.sent, due: due, left: r.members, counts: b.counting})
	r.sent++
	if r.members > 0 {
		b.open++
	}
	return b.base + len(b.sent) - 1, true
}

// received notes that a socket was sent a message, and says whether it was the
// last one to wait for it.
func (b *book) received(socket, id int, now time.Duration) (last bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if id < b.base || id >= b.base+len(b.sent) {
		b.stray++
		return false
	}
	m, l := &b.sent[id-b.base], &b.ledgers[socket]
	if l.room != m.room {
		b.stray++
		return false
	}
	b.deliveries++
	switch had, late := l.take(m.number); {
	case had:
		b.twice++
		return false
	case late:
		b.reordered++
	}
	m.left--
	if m.counts {
		b.receive.add(now - m.due)
	}
	if m.left > 0 {
		return false
	}
	if m.counts {
		b.last.add(now - m.due)
	}
	b.open--
	b.end()
	return true
}

// take notes that the socket has had a number: again, or after a later one.
func (l *ledger) take(number int) (had, late bool) {
	if number < l.next {
		if i := slices.Index(l.missing, number); i >= 0 {
			l.missing = slices.Delete(l.missing, i, i+1)
			return false, true
		}
		return true, false
	}
	for ; l.next < number; l.next++ {
		l.missing = append(l.missing, l.next)
	}
	l.next++
	return false, false
}

// gone notes that a socket's connection has ended: what it lacks is lost, and
// nobody waits for it any more. It returns how many messages are settled by that.
func (b *book) gone(socket int) (settled int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := &b.ledgers[socket]
	if l.room < 0 || l.gone {
		return 0
	}
	room := &b.rooms[l.room]
	for ; l.next < room.sent; l.next++ {
		l.missing = append(l.missing, l.next)
	}
	l.gone = true
	room.members--
	for i := range b.sent {
		m := &b.sent[i]
		if m.room != l.room || !slices.Contains(l.missing, m.number) {
			continue
		}
		if m.left--; m.left == 0 {
			b.open--
			settled++
		}
	}
	b.end()
	return settled
}

// count begins what the figures are of.
func (b *book) count() (deliveries, messages int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counting = true
	return b.deliveries, len(b.sent)
}

// stop ends the sending.
func (b *book) stop() (deliveries, messages int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counting = false
	b.stopped = true
	b.end()
	return b.deliveries, len(b.sent)
}

func (b *book) end() {
	if b.stopped && b.open == 0 {
		close(b.ended)
		b.stopped, b.open = true, -1 // once
	}
}

// lost is how many deliveries never came.
func (b *book) lost() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.ledgers {
		n += len(l.missing)
		if l.room >= 0 && !l.gone {
			n += b.rooms[l.room].sent - l.next
		}
	}
	return n
}
