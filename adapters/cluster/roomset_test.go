package cluster

import (
	"context"
	"testing"
	"time"
)

func TestAwaitingRooms(t *testing.T) {
	r := newRoomSet(false)
	brief := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer cancel()
		return r.await(ctx)
	}
	if err := brief(); err != nil {
		t.Errorf("nothing is wanted: %v", err)
	}
	r.want("a", true)
	r.want("b", true)
	r.asked, r.heard, r.leaving = map[string]struct{}{}, map[string]struct{}{}, map[string]int{}
	r.changes()
	if brief() == nil || r.complete() {
		t.Error("heard before Redis confirmed")
	}
	r.confirmed("a")
	if brief() == nil {
		t.Error("heard with b missing")
	}
	r.want("b", false) // closed again before it was heard
	if err := brief(); err != nil || !r.complete() {
		t.Errorf("all is heard: %v", err)
	}
	// A new connection hears nothing yet.
	r.end()
	if brief() == nil || r.complete() {
		t.Error("heard without a connection")
	}
}
