package rooms

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"parley/models"
)

// requestKey is what a sender's Idempotency-Key is kept under: of fixed length
// whatever the client made up, and never the same for two senders.
func requestKey(sender models.UserID, key string) string {
	sum := sha256.Sum256([]byte(string(sender) + "\x00" + key))
	return hex.EncodeToString(sum[:])
}

func inProgress() error {
	e := models.Refuse(models.CodeInProgress, "a request with this Idempotency-Key is still being worked on; try again")
	e.RetryAfter = time.Second
	return e
}

// claimPoll is how often a retry looks whether the first try has ended.
const claimPoll = 25 * time.Millisecond

// answered returns what an earlier request with the key stored. It waits for
// one that is under way, and finishes one whose pod died half way.
func (s *Service) answered(ctx context.Context, key string, sender models.UserID) ([]models.Message, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Limits.ClaimPatience)
	defer cancel()
	r, found, err := s.outcome(ctx, key, time.Time{})
	if err != nil || !found {
		return nil, false, err
	}
	return s.repeat(ctx, r, sender)
}

// outcome waits until the request with the key is done, and does it where nobody works
// on it any more, or the claim is the one of ours; found is false for a free key. An
// error after which r is claimed is of the doing.
func (s *Service) outcome(ctx context.Context, key string, ours time.Time) (r models.Request, found bool, err error) {
	for {
		r, found, err = s.Requests.Request(ctx, key)
		if err != nil || !found || r.Done {
			return r, found, err
		}
		// One from a time to come would not be given up for as long.
		now := s.now()
		if r.ClaimedAt.Equal(ours) || now.Sub(r.ClaimedAt) > s.Limits.ClaimLease || !models.Plausible(r.ClaimedAt, now) {
			done, taken, err := s.finish(ctx, r)
			if err != nil || taken {
				return done, true, err
			}
		}
		select {
		case <-ctx.Done():
			return models.Request{}, false, inProgress()
		case <-time.After(claimPoll):
		}
	}
}

// giveBack lets the next try with the key, if there is one, do what this one was refused.
func (s *Service) giveBack(ctx context.Context, key string) {
	if err := s.Requests.Forget(ctx, key); err != nil {
		s.Logger.Warn("idempotency key not given back", "error", err)
	}
}

// repeat answers a retry, unless its sender has been shown the door meanwhile.
func (s *Service) repeat(ctx context.Context, r models.Request, sender models.UserID) ([]models.Message, bool, error) {
	if len(r.Messages) > 0 {
		if _, err := s.member(ctx, sender, r.Messages[0].ChatID); err != nil {
			return nil, false, err
		}
	}
	return r.Messages, true, nil
}

// finish does what nobody works on any more; taken is false where somebody else
// was faster. The claim holds the messages whole, so nothing is stored twice. What is
// not stored was told to nobody, and is said now: with its old stamp it would be
// missed by all who have heard more than that, and are away.
func (s *Service) finish(ctx context.Context, r models.Request) (_ models.Request, taken bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Limits.StoreTimeout)
	defer cancel()
	stamp, landed := s.Marks.stamp()
	defer landed()
	stored := false
	for _, m := range r.Messages {
		_, found, err := s.Messages.Message(ctx, m.ID)
		if err != nil {
			return models.Request{}, false, err
		}
		stored = stored || found
	}
	r.Messages = slices.Clone(r.Messages)
	for i := range r.Messages {
		if m := &r.Messages[i]; stored {
			defer s.Marks.flies(m.CreatedAt)()
		} else {
			m.CreatedAt, m.UpdatedAt = stamp, stamp
		}
	}
	was := r.ClaimedAt
	r.ClaimedAt = s.now()
	if taken, err = s.Requests.TakeOver(ctx, was, r); err != nil || !taken {
		return r, false, err
	}
	if err := s.Messages.InsertMissing(ctx, r.Messages); err != nil {
		return r, false, err
	}
	s.publish(ctx, r.Messages, nil)
	s.finished(ctx, r.Key)
	return r, true, nil
}

// doneQueue bounds the requests that are done and not noted to be.
const doneQueue = 4096

// finished has it noted that the request is done. Nobody waits for that: until
// then a retry finds it under way and waits.
func (s *Service) finished(ctx context.Context, key string) {
	select {
	case s.done <- key:
	default:
		s.noteDone(ctx, []string{key})
	}
}

// noteDone is told keys whose requests are done. A claim that stays open is no
// harm: a retry after its lease finds everything stored and publishes again what
// every pod still recognises.
func (s *Service) noteDone(ctx context.Context, keys []string) (ok bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Limits.StoreTimeout)
	defer cancel()
	if err := s.Requests.Finish(ctx, keys...); err != nil {
		s.Logger.Warn("idempotency keys not finished", "keys", len(keys), "error", err)
		return false
	}
	return true
}

// mostDone is how many are noted at once.
const mostDone = 256

// noteAllDone notes what is done, together what came meanwhile, until ctx ends
// and nothing is left, or not for now.
func (s *Service) noteAllDone(ctx context.Context) {
	for {
		var keys []string
		select {
		case key := <-s.done:
			keys = append(keys, key)
		case <-ctx.Done():
		}
		for more := true; more && len(keys) < mostDone; {
			select {
			case key := <-s.done:
				keys = append(keys, key)
			default:
				more = false
			}
		}
		if len(keys) == 0 {
			return
		}
		if !s.noteDone(ctx, keys) && ctx.Err() != nil {
			return
		}
	}
}
