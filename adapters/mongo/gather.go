package mongo

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"parley/models"
)

// maxGathered is how many questions are asked as one.
const maxGathered = 64

// gather asks as one what many want to know at the same time. A database that
// reads a collection whole for each query answers a hundred in the time of one;
// asked one after the other it would need minutes where a crowd connects.
type gather[Q, A any] struct {
	// answer answers all of the questions, in their order.
	answer func(ctx context.Context, questions []Q) ([]A, error)

	mu      sync.Mutex
	running bool
	waiting []*question[Q, A]
}

type question[Q, A any] struct {
	asked    Q
	ctx      context.Context //nolint:containedctx // whose values the query goes by
	answered chan struct{}
	answer   A
	err      error
}

// ask waits for the answer to a query that begins no sooner than now.
func (g *gather[Q, A]) ask(ctx context.Context, q Q) (a A, err error) {
	mine := &question[Q, A]{asked: q, ctx: ctx, answered: make(chan struct{})}
	g.mu.Lock()
	g.waiting = append(g.waiting, mine)
	if !g.running {
		g.running = true
		go g.run() // ends when nobody waits; each query has its time
	}
	g.mu.Unlock()
	select {
	case <-mine.answered:
		return mine.answer, mine.err
	case <-ctx.Done():
		return a, classify(ctx.Err())
	}
}

func (g *gather[Q, A]) run() {
	for {
		g.mu.Lock()
		g.waiting = slices.DeleteFunc(g.waiting, func(q *question[Q, A]) bool { return q.ctx.Err() != nil })
		n := min(len(g.waiting), maxGathered)
		if n == 0 {
			g.running = false
			g.mu.Unlock()
			return
		}
		all := slices.Clone(g.waiting[:n])
		g.waiting = slices.Delete(g.waiting, 0, n)
		g.mu.Unlock()
		asked := make([]Q, n)
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

func (s *Store) gathers() {
	s.chatsOfMany = &gather[[]models.UserID, []models.Chat]{answer: s.answerChatsOf}
	s.sinceMany = &gather[sinceAsked, []models.Message]{answer: s.answerSince}
}

func (s *Store) answerChatsOf(ctx context.Context, asked [][]models.UserID) ([][]models.Chat, error) {
	chats, err := s.findChatsOf(ctx, slices.Concat(asked...))
	if err != nil {
		return nil, err
	}
	answers := make([][]models.Chat, len(asked))
	for i, users := range asked {
		answers[i] = []models.Chat{}
		for _, c := range chats {
			if slices.ContainsFunc(users, c.Has) {
				c.Participants = slices.Clone(c.Participants)
				answers[i] = append(answers[i], c)
			}
		}
	}
	return answers, nil
}

func (s *Store) answerSince(ctx context.Context, asked []sinceAsked) ([][]models.Message, error) {
	all := sinceAsked{since: asked[0].since}
	for _, q := range asked {
		all.chats = append(all.chats, q.chats...)
		all.limit += q.limit
		if q.since.Before(all.since) {
			all.since = q.since
		}
	}
	answers := make([][]models.Message, len(asked))
	messages, err := s.findSince(ctx, all)
	if err != nil {
		return nil, err
	}
	for i, q := range asked {
		if len(messages) >= all.limit && len(asked) > 1 { // what one has too much of, another may lack
			if answers[i], err = s.findSince(ctx, q); err != nil {
				return nil, err
			}
			continue
		}
		of := make(map[models.ChatID]bool, len(q.chats))
		for _, id := range q.chats {
			of[id] = true
		}
		since := time.UnixMilli(int64(date(q.since))) // as the database compares it
		for _, m := range messages {
			if of[m.ChatID] && !m.CreatedAt.Before(since) {
				answers[i] = append(answers[i], m)
			}
		}
		answers[i] = answers[i][max(0, len(answers[i])-q.limit):]
	}
	return answers, nil
}

// findSince returns the newest of one or more questions, oldest first.
func (s *Store) findSince(ctx context.Context, q sinceAsked) ([]models.Message, error) {
	ids := chatIDs(q.chats)
	if len(ids) == 0 || q.limit <= 0 {
		return nil, nil
	}
	filter := bson.D{
		{Key: "chatId", Value: bson.D{{Key: "$in", Value: ids}}},
		{Key: "createdAt", Value: bson.D{{Key: "$gte", Value: date(q.since)}, {Key: "$lte", Value: date(s.now().Add(models.ClockSkew))}}},
	}
	messages, err := s.list(ctx, "since", filter, newestFirst, q.limit)
	slices.Reverse(messages)
	return messages, err
}
