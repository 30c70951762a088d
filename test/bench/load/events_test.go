package main

import (
	"fmt"
	"maps"
	"testing"
)

func TestEventsAreToldByName(t *testing.T) {
	s := &socket{pool: &pool{}}
	s.heard = func([]byte) {}
	say := func(packets ...string) {
		t.Helper()
		for _, p := range packets {
			if err := s.packet([]byte(p)); err != nil {
				t.Fatalf("%s: %v", p, err)
			}
		}
	}
	say(`42["user_online",{"userId":"a"}]`)
	before := s.pool.events.sofar()
	say(`42["new_message",{"_id":"1"}]`, `42["parley:offset","1"]`, `42["user_online",{"userId":"b"}]`,
		`42["message_delivered",{}]`, `42["message_delivered",{}]`, `42["typing"]`, `42[1]`, `430[]`)
	all, courtesies := since(before, s.pool.events.sofar())
	want := map[string]int{"parley:offset": 1, "user_online": 1, "message_delivered": 2, "typing": 1}
	if !maps.Equal(all, want) || courtesies != 4 {
		t.Errorf("%v, %d courtesies; want %v and 4: neither messages nor their offsets are one", all, courtesies, want)
	}
}

func TestNamesOfEventsAreBounded(t *testing.T) {
	var e events
	for i := range 10 * maxNames {
		e.add(fmt.Appendf(nil, `%d",{}]`, i))
	}
	e.add([]byte(`no end`))
	n, sum := e.sofar(), 0
	for _, c := range n {
		sum += c
	}
	if len(n) > maxNames+1 || sum != 10*maxNames+1 {
		t.Errorf("%d events of %d names", sum, len(n))
	}
}
