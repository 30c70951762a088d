// Package rooms is the heart of Parley: who may be where, and what they are
// told. It owns sending (authorise, store, publish), presence, membership and
// what is sent again to those who return.
//
// It refuses technology: it never sees gin, Redis, MongoDB or Socket.IO. What
// it needs of them it declares as small interfaces in ports.go, and it speaks
// of the world in the words of package models.
package rooms

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"parley/models"
)

// Options are what a Service is made of; every field is required.
type Options struct {
	Chats    Chats
	Moves    Moves
	Messages Messages
	Requests Requests
	Absences Absences
	Presence Presence
	Census   Census
	Sessions Sessions
	Saved    SavedSessions
	Board    Board
	Marks    *Marks
	Hub      Hub
	Media    Media
	IDs      IDs
	Metrics  Metrics
	Logger   *slog.Logger
	Now      func() time.Time
	Limits   Limits
}

// Limits bound what one request or one return may cost.
type Limits struct {
	TextBytes    int           // longest text
	Files        int           // most files in one request
	Participants int           // most participants of a chat made here
	NameBytes    int           // longest chat name
	PresenceRoom int           // most participants of a chat that is told who comes and goes
	Replay       int           // most messages sent again on a return; 0 is none
	ReplayGrace  time.Duration // devices this close behind the first share its replay
	Recovery     time.Duration // how long a client may come back to its session; 0 is never
	// RecoveryPatience is how long a socket that holds the session may take to go.
	RecoveryPatience time.Duration
	// ReloadPatience is how long the old page's socket may take to go when a page
	// is loaded again, before the new one's counts as a further device.
	ReloadPatience time.Duration
	ClaimPatience  time.Duration // how long a retry waits for the first try
	ClaimLease     time.Duration // after which a claim counts as abandoned
	// Unheard is how long a connection may be dead before its pod notices.
	Unheard         time.Duration
	StoreTimeout    time.Duration // storing and publishing, once begun
	PresenceTimeout time.Duration // taking a socket out of presence
}

// Service does it. It is safe for concurrent use.
type Service struct {
	Options

	order order

	mu sync.Mutex
	// welcomes remembers what each live socket was let in with: one that dies
	// before it has heard anything leaves its user as absent as before.
	welcomes map[models.SocketID]entrance
	// again are sockets that are tried again after they were refused; see comesAgain.
	again map[models.SocketID]time.Time
	owes  map[models.SocketID]owed
	// places are users' in chats of which other pods may not know; see settle.
	places map[place]struct{}
	goneBy map[models.UserID]time.Time // see toldGone

	receipts chan receipt
	lookout  lookout
	arrivals chan arrived
	counted  counted
	done     chan string // keys of requests

	unanswered chan unanswered

	inTime context.Context // ends with hurry
	hurry  context.CancelFunc
}

// New makes a Service. Run must be called for delivery receipts to flow, for
// those who come to be announced, and for retries to be answered.
func New(o Options) *Service {
	s := &Service{
		Options:  o,
		welcomes: map[models.SocketID]entrance{},
		again:    map[models.SocketID]time.Time{},
		owes:     map[models.SocketID]owed{},
		places:   map[place]struct{}{},
		goneBy:   map[models.UserID]time.Time{},
		receipts: make(chan receipt, receiptQueue),
		arrivals: make(chan arrived, arrivalQueue),
		done:     make(chan string, doneQueue),

		unanswered: make(chan unanswered, unansweredMost),
	}
	s.inTime, s.hurry = context.WithCancel(context.Background())
	return s
}

// Run works off what may happen after an answer was given. It returns when ctx
// ends.
func (s *Service) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	workers.Go(func() { gather(ctx, s.receipts, s.deliver) })
	workers.Go(func() { gather(ctx, s.arrivals, s.tellOnline) })
	workers.Go(func() { s.noteAllDone(ctx) })
	workers.Go(func() { s.keepHearing(ctx) })
	for range askers {
		workers.Go(func() { s.askAll(ctx) })
	}
	workers.Wait()
	return nil
}

// Hurry says that this pod has no time left. What is still noted of those who
// leave, or looked up to tell of them, because a database is away, is given up: the
// other pods find out.
func (s *Service) Hurry() { s.hurry() }

// unhurried is ctx for as long as that takes, and no longer than this pod has time.
func (s *Service) unhurried(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	stop := context.AfterFunc(s.inTime, cancel)
	return ctx, func() { stop(); cancel() }
}

// afterwards is for what is noted whoever has gone meanwhile: it outlives ctx.
func (s *Service) afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	return s.unhurried(context.WithoutCancel(ctx), s.Limits.PresenceTimeout)
}

// member returns the chat if the user takes part in it.
func (s *Service) member(ctx context.Context, user models.UserID, id models.ChatID) (models.Chat, error) {
	chat, found, err := s.Chats.Chat(ctx, id)
	switch {
	case err != nil:
		return models.Chat{}, err
	case !found:
		return models.Chat{}, models.Refuse(models.CodeChatNotFound, "there is no such chat")
	case !chat.Has(user):
		return models.Chat{}, models.Refuse(models.CodeNotAParticipant, "you do not take part in this chat")
	}
	return chat, nil
}

// now is the clock in what MongoDB and JavaScript can express.
func (s *Service) now() time.Time { return truncated(s.Now()) }

// Authorise says whether the user may send to the chat. Handlers ask as soon as
// they know the chat, so that nobody uploads in vain.
func (s *Service) Authorise(ctx context.Context, user models.UserID, chat models.ChatID) error {
	_, err := s.member(ctx, user, chat)
	return err
}
