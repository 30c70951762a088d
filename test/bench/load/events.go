package main

import (
	"bytes"
	"sync"
)

// offset is the event that tells a client how far it has come: it belongs to the
// message before it.
const offset = "parley:offset"

// maxNames bounds the names that are told apart; the rest are one.
const maxNames = 64

// events counts, by name, what sockets are sent beside messages.
type events struct {
	mu sync.Mutex
	n  map[string]int
}

// add counts an event of which text is what follows the quote before its name.
func (e *events) add(text []byte) {
	end := bytes.IndexByte(text, '"')
	if end < 0 {
		end = 0
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	name := text[:end]
	if _, known := e.n[string(name)]; !known && len(e.n) >= maxNames {
		name = nil
	}
	if e.n == nil {
		e.n = map[string]int{}
	}
	e.n[string(name)]++
}

func (e *events) sofar() map[string]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := make(map[string]int, len(e.n))
	for name, count := range e.n {
		n[name] = count
	}
	return n
}

// since is what was counted between two moments, and how much of it nobody
// asked for with a message: presence, receipts and the like.
func since(before, after map[string]int) (all map[string]int, courtesies int) {
	all = map[string]int{}
	for name, n := range after {
		if n -= before[name]; n == 0 {
			continue
		}
		all[name] = n
		if name != offset {
			courtesies += n
		}
	}
	return all, courtesies
}
