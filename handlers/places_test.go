package handlers

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/models"
)

// hanging is a client that has sent some and says no more; asked tells that it
// was waited for.
type hanging struct {
	some  io.Reader
	asked chan struct{}
	over  chan struct{}
	once  sync.Once
}

func (h *hanging) Read(b []byte) (int, error) {
	if n, err := h.some.Read(b); err == nil {
		return n, nil
	}
	h.once.Do(func() { close(h.asked) })
	<-h.over
	return 0, io.ErrUnexpectedEOF
}

func sitting(p *places, user models.UserID, file io.Reader) *seat {
	return &seat{places: p, user: user, file: file, ctx: context.Background(), patience: time.Second, most: 1000}
}

// One place, and forty uploads that hang in the middle: another's goes through.
func TestWhoHangsHoldsNoPlace(t *testing.T) {
	p := newPlaces(1, 10_000)
	over := make(chan struct{})
	var group sync.WaitGroup
	failed := make(chan error, 40)
	for range 40 {
		leave, err := p.enter("ann")
		if err != nil {
			t.Fatal(err)
		}
		client := &hanging{some: strings.NewReader("some bytes"), asked: make(chan struct{}), over: over}
		group.Go(func() {
			defer leave()
			s := sitting(p, "ann", client)
			_, err := io.Copy(io.Discard, s)
			failed <- err
			s.leave(nil)
		})
		select {
		case <-client.asked:
		case err := <-failed:
			t.Fatalf("held up by one that hangs: %v", err)
		}
	}
	leave, err := p.enter("bob")
	if err != nil {
		t.Fatal(err)
	}
	s := sitting(p, "bob", strings.NewReader("70 bytes"))
	if n, err := io.Copy(io.Discard, s); n != 8 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	s.leave(nil)
	leave()
	close(over)
	group.Wait()
	if len(p.writing) != 0 || p.open != 0 || p.bytes != 0 || len(p.users) != 0 {
		t.Errorf("not given back: %+v", p)
	}
}

func TestUploadsAreBounded(t *testing.T) {
	p := newPlaces(4, 100) // 400 bytes, 200 each
	var leaves []func()
	for range maxOpenEach {
		leave, err := p.enter("ann")
		if err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, leave)
	}
	if _, err := p.enter("ann"); models.CodeOf(err) != models.CodeRateLimited {
		t.Errorf("one too many: %v", err)
	}
	if leave, err := p.enter("bob"); err != nil {
		t.Errorf("another's: %v", err)
	} else {
		leave()
		leave() // once is enough
	}
	for _, leave := range leaves {
		leave()
	}

	put := func(user models.UserID, n int) (*seat, error) {
		s := sitting(p, user, strings.NewReader(strings.Repeat("x", n)))
		_, err := io.Copy(io.Discard, s)
		return s, err
	}
	ann, err := put("ann", 200)
	if err != nil {
		t.Fatal(err)
	}
	more, err := put("ann", 1)
	if models.CodeOf(err) != models.CodeRateLimited {
		t.Errorf("beyond the share: %v", err)
	}
	more.leave(nil)
	discarded := 0
	upload := models.Upload{Discard: func() { discarded++ }}
	ann.leave(&upload)
	bob, err := put("bob", 200)
	if err != nil {
		t.Fatal(err)
	}
	cid, err := put("cid", 1)
	if models.CodeOf(err) != models.CodeUnavailable || models.AsError(err).RetryAfter <= 0 {
		t.Errorf("beyond the disk: %v", err)
	}
	cid.leave(nil)
	if upload.Discard(); p.bytes != 200 {
		t.Errorf("%d bytes after the upload was discarded", p.bytes)
	}
	upload.Discard()
	bob.leave(nil)
	if discarded == 0 || p.bytes != 0 || len(p.users) != 0 || len(p.writing) != 0 {
		t.Errorf("not given back: %+v", p)
	}
}

// A disk that hangs is not waited for for ever.
func TestASlowDisk(t *testing.T) {
	p := newPlaces(1, 100)
	p.writing <- struct{}{}
	s := sitting(p, "ann", strings.NewReader("x"))
	s.patience = time.Millisecond
	if _, err := io.Copy(io.Discard, s); models.CodeOf(err) != models.CodeUnavailable || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	s.leave(nil)
	if <-p.writing; p.bytes != 0 {
		t.Errorf("%d bytes left", p.bytes)
	}
}
