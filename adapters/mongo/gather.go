package mongo

import (
	"cmp"
	"context"
	"maps"
	"math/bits"
	"slices"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"parley/models"
)

// maxGathered is how many questions are asked as one.
const maxGathered = 256

// gather asks as one what many want to know, or to have done, at the same time:
// whatever came while the round trips before it were under way. Nothing waits
// for others to come: where fewer than trips are under way, it goes at once and
// alone.
type gather[Q, A any] struct {
	// answer answers all of the questions, in their order. An error is
	// everybody's; what concerns one alone is said in its answer.
	answer func(ctx context.Context, questions []Q) ([]A, error)
	// trips are under way side by side at most; 0 is one. most go in one; 0 is
	// maxGathered.
	trips, most int

	mu      sync.Mutex
	running int
	waiting []*question[Q, A]
}

type question[Q, A any] struct {
	asked    Q
	ctx      context.Context //nolint:containedctx // whose values the query goes by
	begun    bool            // guarded by gather.mu
	answered chan struct{}
	answer   A
	err      error
}

// ask waits for the answer to a query that begins no sooner than now, or for ctx
// to end.
func (g *gather[Q, A]) ask(ctx context.Context, q Q) (a A, err error) {
	mine := g.enter(ctx, q)
	if mine == nil {
		return g.alone(ctx, q)
	}
	select {
	case <-mine.answered:
		return mine.answer, mine.err
	case <-ctx.Done():
		return a, classify(ctx.Err())
	}
}

// do is ask for what changes something: who gives up while it is under way waits
// all the same, to know what became of it. Where answer says in each answer what
// went wrong, an error is that ctx ended before anything was done.
func (g *gather[Q, A]) do(ctx context.Context, q Q) (a A, err error) {
	mine := g.enter(ctx, q)
	if mine == nil {
		return g.alone(ctx, q)
	}
	select {
	case <-mine.answered:
	case <-ctx.Done():
		g.mu.Lock()
		g.waiting = slices.DeleteFunc(g.waiting, func(q *question[Q, A]) bool { return q == mine })
		begun := mine.begun
		g.mu.Unlock()
		if !begun {
			return a, classify(ctx.Err())
		}
		<-mine.answered
	}
	return mine.answer, mine.err
}

// enter puts the question among those that wait; nil where it need not.
func (g *gather[Q, A]) enter(ctx context.Context, q Q) *question[Q, A] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running < max(g.trips, 1) {
		g.running++
		return nil
	}
	mine := &question[Q, A]{asked: q, ctx: ctx, answered: make(chan struct{})}
	g.waiting = append(g.waiting, mine)
	return mine
}

// alone is a round trip for one, within its own ctx. Who came meanwhile is
// answered next.
func (g *gather[Q, A]) alone(ctx context.Context, q Q) (a A, err error) {
	defer func() {
		if all := g.next(); all != nil {
			go g.run(all) // ends when nobody waits; each round trip has its time
		}
	}()
	answers, err := g.answer(ctx, []Q{q})
	if err != nil {
		return a, err
	}
	return answers[0], nil
}

// next takes those who are answered next; nil where nobody waits, and then a
// round trip fewer is under way.
func (g *gather[Q, A]) next() []*question[Q, A] {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = slices.DeleteFunc(g.waiting, func(q *question[Q, A]) bool { return q.ctx.Err() != nil })
	n := min(len(g.waiting), cmp.Or(g.most, maxGathered))
	if n == 0 {
		g.running--
		return nil
	}
	all := slices.Clone(g.waiting[:n])
	g.waiting = slices.Delete(g.waiting, 0, n)
	for _, q := range all {
		q.begun = true
	}
	return all
}

func (g *gather[Q, A]) run(all []*question[Q, A]) {
	for ; all != nil; all = g.next() {
		asked := make([]Q, len(all))
		for i, q := range all {
			asked[i] = q.asked
		}
		// Nobody's giving up is a reason for the others to go without.
		answers, err := g.answer(context.WithoutCancel(all[0].ctx), asked)
		for i, q := range all {
			if q.err = err; err == nil {
				q.answer = answers[i]
			}
			close(q.answered)
		}
	}
}

// sinceAsked is a question of Since.
type sinceAsked struct {
	chats []models.ChatID
	since time.Time
	limit int
}

// gathers says what goes together.
func (s *Store) gathers() {
	s.inserts = &gather[[]bson.D, outcome]{answer: s.insertTogether, trips: writeTrips}
	s.claims = &gather[[]bson.D, outcome]{answer: s.claimTogether, trips: writeTrips}
	s.chatMany = &gather[bson.ObjectID, looked]{answer: s.answerChat, trips: readTrips}
	s.chatIDsOfMany = &gather[[]models.UserID, map[models.UserID][]models.ChatID]{answer: s.answerChatIDsOf, trips: readTrips}
	s.sinceMany = &gather[sinceAsked, []models.Message]{answer: s.answerSince, trips: readTrips}
	s.absencesOf = &gather[models.UserID, noted]{answer: s.findAbsences, trips: readTrips}
	s.movesMany = &gather[movesAsked, []models.Move]{answer: s.answerMoves, trips: readTrips}
	s.absencesSaved = &gather[absenceNote, error]{answer: s.saveAbsences, trips: writeTrips}
	s.sessionsOf = &gather[models.SessionID, savedSession]{answer: s.findSessions, trips: readTrips}
	s.sessionsSaved = &gather[sessionNote, struct{}]{answer: s.saveSessions, trips: writeTrips}
	if s.byIDs {
		return
	}
	s.inserts.trips, s.claims.trips, s.chatIDsOfMany.trips, s.sinceMany.trips, s.movesMany.trips = 1, 1, 1, 1, 1
	s.absencesOf.trips, s.absencesOf.most = parallelReads, 1
	s.absencesSaved.trips, s.absencesSaved.most = 1, 1
	s.sessionsOf.trips, s.sessionsOf.most = parallelReads, 1
	s.sessionsSaved.trips, s.sessionsSaved.most = 1, 1
}

// answerSince asks once for all who are after about as much of the past: one who
// was away for a month must not have what everybody said in a month read.
func (s *Store) answerSince(ctx context.Context, asked []sinceAsked) ([][]models.Message, error) {
	alike := map[int][]int{}
	now := s.now()
	for i, q := range asked {
		age := bits.Len64(uint64(max(0, now.Sub(q.since)/time.Second)))
		alike[age] = append(alike[age], i)
	}
	answers := make([][]models.Message, len(asked))
	errs := make([]error, 0, len(alike))
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, some := range alike {
		all.Go(func() {
			err := s.sinceTogether(ctx, asked, some, answers)
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return answers, nil
}

// sinceTogether answers some of the questions as one.
func (s *Store) sinceTogether(ctx context.Context, asked []sinceAsked, some []int, answers [][]models.Message) error {
	all := sinceAsked{since: asked[some[0]].since}
	who := map[models.ChatID][]int{}
	for _, i := range some {
		q := asked[i]
		all.limit += max(0, q.limit)
		if q.since.Before(all.since) {
			all.since = q.since
		}
		for _, id := range q.chats {
			if !slices.Contains(who[id], i) {
				who[id] = append(who[id], i)
			}
		}
	}
	all.chats = slices.Collect(maps.Keys(who))
	messages, err := s.findSince(ctx, all)
	if err != nil {
		return err
	}
	if len(messages) >= all.limit && len(some) > 1 { // what one has too much of, another may lack
		half := len(some) / 2
		if err := s.sinceTogether(ctx, asked, some[:half], answers); err != nil {
			return err
		}
		return s.sinceTogether(ctx, asked, some[half:], answers)
	}
	for _, m := range messages {
		for _, i := range who[m.ChatID] {
			if !m.CreatedAt.Before(time.UnixMilli(int64(date(asked[i].since)))) { // as the database compares it
				answers[i] = append(answers[i], m)
			}
		}
	}
	for _, i := range some {
		answers[i] = answers[i][max(0, len(answers[i])-max(0, asked[i].limit)):]
	}
	return nil
}

// findSince returns the newest of one or more questions, oldest first.
//
// It asks for so few chats at a time that the database reads the newest of each
// from the index, in order, and stops at the limit. Asked for more it would read
// all that there are, and sort them.
func (s *Store) findSince(ctx context.Context, q sinceAsked) ([]models.Message, error) {
	if q.limit <= 0 {
		return nil, nil
	}
	created := bson.D{{Key: "$gte", Value: date(q.since)}, {Key: "$lte", Value: date(s.now().Add(models.ClockSkew))}}
	var mu sync.Mutex
	var all []models.Message
	err := sideBySide(ctx, slices.Collect(slices.Chunk(objectIDs(q.chats), maxScans)), func(ctx context.Context, ids []bson.ObjectID) error {
		filter := bson.D{{Key: "chatId", Value: bson.D{{Key: "$in", Value: ids}}}, {Key: "createdAt", Value: created}}
		newest, err := s.list(ctx, "since", filter, newestFirst, q.limit)
		mu.Lock()
		defer mu.Unlock()
		slices.Reverse(newest)
		all = merged(all, newest, q.limit)
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// merged is the newest of two lists that are oldest first.
func merged(a, b []models.Message, limit int) []models.Message {
	if len(a) > 0 && len(b) > 0 {
		a = append(a, b...)
		slices.SortFunc(a, func(a, b models.Message) int {
			return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
		})
	} else {
		a = append(a, b...)
	}
	return slices.Clone(a[max(0, len(a)-limit):])
}
