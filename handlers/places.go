package handlers

import (
	"context"
	"io"
	"sync"
	"time"

	"parley/models"
)

// How many posts with files may be under way: each keeps a file open and some
// 100 KiB of memory. One user may have as many as no honest page ever has.
const (
	maxOpen     = 1024
	maxOpenEach = 64
)

// places shares out what uploads use up, so that nobody pays for another's slow
// network:
//
//   - Writing to the disk takes one of so many places, held from the moment bytes
//     have arrived until they are written, never while a client is waited for.
//   - The disk holds so many bytes of uploads at once, counted as they arrive, and
//     at most half of them for one user. Who comes when it is full is refused at
//     once: uploads that wait for one another's bytes would wait for ever.
//   - Open uploads are bounded in number, over all and for each user.
type places struct {
	writing chan struct{}
	disk    int64 // bytes
	share   int64 // of one user

	mu    sync.Mutex
	open  int
	bytes int64
	users map[models.UserID]*taken
}

// taken is what one user has of it.
type taken struct {
	open  int
	bytes int64
}

// newPlaces makes so many places, and a disk for as many posts of the largest
// size.
func newPlaces(n int, postBytes int64) *places {
	n = max(1, n)
	disk := int64(n) * postBytes
	return &places{
		writing: make(chan struct{}, n), disk: disk, share: max(postBytes, disk/2),
		users: map[models.UserID]*taken{},
	}
}

// enter opens an upload for the user; leave ends it.
func (p *places) enter(user models.UserID) (leave func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.users[user]
	switch {
	case t != nil && t.open >= maxOpenEach:
		return nil, tooMuch("too many uploads at once")
	case p.open >= maxOpen:
		return nil, full()
	}
	p.change(user, 1, 0)
	return sync.OnceFunc(func() { p.add(user, -1, 0) }), nil
}

// store counts bytes of the user's that are about to lie on the disk.
func (p *places) store(user models.UserID, n int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch t := p.users[user]; {
	case t != nil && t.bytes+n > p.share:
		return tooMuch("too many bytes uploaded at once")
	case p.bytes+n > p.disk:
		return full()
	}
	p.change(user, 0, n)
	return nil
}

// free takes them back.
func (p *places) free(user models.UserID, n int64) { p.add(user, 0, -n) }

func (p *places) add(user models.UserID, open int, bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.change(user, open, bytes)
}

// change is called with the lock held. Users with nothing are forgotten.
func (p *places) change(user models.UserID, open int, bytes int64) {
	t := p.users[user]
	if t == nil {
		t = &taken{}
		p.users[user] = t
	}
	t.open, t.bytes = t.open+open, t.bytes+bytes
	p.open, p.bytes = p.open+open, p.bytes+bytes
	if *t == (taken{}) {
		delete(p.users, user)
	}
}

func tooMuch(what string) error {
	return &models.Error{Code: models.CodeRateLimited, Message: what + "; wait for some to end", RetryAfter: time.Second}
}

func full() error {
	return &models.Error{Code: models.CodeUnavailable, Message: "no room for more uploads just now; try again", RetryAfter: time.Second}
}

// seat is one file on its way to the disk. Its reader takes a place when it has
// bytes to hand over and gives it back when it is asked for more.
type seat struct {
	places   *places
	user     models.UserID
	file     io.Reader
	ctx      context.Context // of the request
	patience time.Duration   // for a disk that is slow
	most     int64           // bytes the spool takes; what is beyond never lies on the disk
	seated   bool
	bytes    int64
}

func (s *seat) Read(b []byte) (int, error) {
	s.rise()
	n, err := s.file.Read(b)
	if n == 0 {
		return 0, err
	}
	more := min(int64(n), s.most-s.bytes)
	if err := s.places.store(s.user, more); err != nil {
		return 0, err
	}
	s.bytes += more
	if err := s.sit(); err != nil {
		return 0, err
	}
	return n, err
}

func (s *seat) sit() error {
	select {
	case s.places.writing <- struct{}{}:
		s.seated = true
		return nil
	default:
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.patience)
	defer cancel()
	select {
	case s.places.writing <- struct{}{}:
		s.seated = true
		return nil
	case <-ctx.Done():
		return models.Unavailable("a place to upload", ctx.Err())
	}
}

func (s *seat) rise() {
	if s.seated {
		<-s.places.writing
		s.seated = false
	}
}

// leave ends the file's way. Without an upload its bytes are gone already; with
// one they are free when it is discarded.
func (s *seat) leave(upload *models.Upload) {
	s.rise()
	if upload == nil {
		s.places.free(s.user, s.bytes)
		return
	}
	discard := upload.Discard
	upload.Discard = sync.OnceFunc(func() {
		discard()
		s.places.free(s.user, s.bytes)
	})
}
