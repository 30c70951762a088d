package mongo

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"parley/models"
)

// oddSession is a session that cannot be read, or not all of it.
const oddSession = "odd_session"

// sessionNote is a session to be kept, with how it is found and until when.
type sessionNote struct {
	id    models.SessionID
	note  []byte
	until time.Time
}

// SaveSession keeps the session for that long. A socket leaves its own once; so it
// need not be taken out to be read.
func (s *Store) SaveSession(ctx context.Context, id models.SessionID, session models.Session, keep time.Duration) error {
	note, err := session.Note()
	if err != nil {
		return err
	}
	_, err = s.sessionsSaved.ask(ctx, sessionNote{id, note, s.now().Add(keep)})
	return err
}

// saveSessions keeps them all, and forgets those that are over. The two need no order:
// what is kept now is not over.
func (s *Store) saveSessions(ctx context.Context, notes []sessionNote) ([]struct{}, error) {
	return make([]struct{}, len(notes)), s.do(ctx, "save_session", func(ctx context.Context) error {
		writes := []mongo.WriteModel{
			mongo.NewDeleteManyModel().SetFilter(bson.D{{Key: "until", Value: bson.D{{Key: "$lt", Value: date(s.now())}}}}),
		}
		for _, n := range notes {
			writes = append(writes, mongo.NewReplaceOneModel().SetFilter(byID(string(n.id))).SetUpsert(true).
				SetReplacement(bson.D{{Key: "_id", Value: string(n.id)}, {Key: "note", Value: string(n.note)}, {Key: "until", Value: date(n.until)}}))
		}
		_, err := s.sessions.BulkWrite(ctx, writes, options.BulkWrite().SetOrdered(false))
		return err
	})
}

// savedSession is what is known of a session.
type savedSession struct {
	session models.Session
	found   bool
}

// SavedSession returns what SaveSession kept.
func (s *Store) SavedSession(ctx context.Context, id models.SessionID) (session models.Session, found bool, err error) {
	saved, err := s.sessionsOf.ask(ctx, id)
	return saved.session, saved.found, err
}

func (s *Store) findSessions(ctx context.Context, ids []models.SessionID) ([]savedSession, error) {
	asked := make(bson.A, len(ids))
	for i, id := range ids {
		asked[i] = string(id)
	}
	found := make(map[models.SessionID]savedSession, len(ids))
	err := s.do(ctx, "saved_session", func(ctx context.Context) error {
		filter := bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: asked}}}}
		return each(ctx, s.sessions, filter, options.Find(), func(raw bson.Raw) {
			id, _ := raw.Lookup("_id").StringValueOK()
			note, _ := raw.Lookup("note").StringValueOK()
			until, _ := dateOf(raw, "until")
			if now := s.now(); until.After(now) {
				session, odd, err := models.SessionFrom([]byte(note), now)
				if odd {
					s.metrics.Dropped(oddSession)
					s.logger.Warn("a session is odd", "error", err)
				}
				found[models.SessionID(id)] = savedSession{session, err == nil}
			}
		})
	})
	answers := make([]savedSession, len(ids))
	for i, id := range ids {
		answers[i] = found[id]
	}
	return answers, err
}
