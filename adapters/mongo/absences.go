package mongo

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"parley/models"
)

// What others wrote here, or older versions, is left out under these names where
// it is odd; nobody is refused for it.
const (
	oddAbsence = "odd_absence"
	oddInstall = "odd_installation"
)

// SaveAbsence notes since when the user is away, in place of what was noted. Whose
// return it notes, others are told is there, and so is it noted here until they
// are told otherwise.
func (s *Store) SaveAbsence(ctx context.Context, user models.UserID, absence models.Absence) error {
	own, err := s.absencesSaved.ask(ctx, absenceNote{user, s.absenceDoc(absence)})
	if err != nil {
		return err
	}
	return own
}

// absenceNote is what is to be noted of a user.
type absenceNote struct {
	user models.UserID
	doc  bson.D // the update
}

func (s *Store) absenceDoc(absence models.Absence) bson.D {
	doc := bson.D{{Key: "since", Value: date(absence.Since)}, {Key: "heard", Value: date(absence.HeardUpTo())}}
	seen := bson.A{}
	for _, id := range absence.Seen {
		oid, err := objectID(string(id))
		if err != nil { // no message has it, so that none will be sent again for it
			s.metrics.Dropped(oddAbsence)
			continue
		}
		seen = append(seen, oid)
	}
	doc = append(doc, bson.E{Key: "seen", Value: seen})
	if absence.Back.IsZero() {
		return bson.D{{Key: "$set", Value: doc}, {Key: "$unset", Value: bson.D{{Key: "back", Value: ""}}}}
	}
	return bson.D{{Key: "$set", Value: append(doc, bson.E{Key: "back", Value: date(absence.Back)}, bson.E{Key: online, Value: true})}}
}

// saveAbsences saves each, or says of each why not. Of several of one user the
// last counts.
func (s *Store) saveAbsences(ctx context.Context, notes []absenceNote) ([]error, error) {
	last := make(map[models.UserID]int, len(notes))
	for i, n := range notes {
		last[n.user] = i
	}
	errs := make([]error, len(notes))
	err := s.do(ctx, "save_absence", func(ctx context.Context) error {
		err := s.writeAbsences(ctx, notes, slices.Sorted(maps.Values(last))...)
		if len(last) == 1 || !refused(err) {
			return err
		}
		// Not every server does the rest where it refuses one: each by itself.
		for _, i := range last {
			if errs[i] = classify(s.writeAbsences(ctx, notes, i)); ctx.Err() != nil {
				return errs[i]
			}
		}
		return nil
	})
	for i, n := range notes {
		errs[i] = errs[last[n.user]]
	}
	return errs, err
}

// writeAbsences notes some of them in one round trip.
func (s *Store) writeAbsences(ctx context.Context, notes []absenceNote, which ...int) error {
	writes := make([]mongo.WriteModel, len(which))
	for i, n := range which {
		writes[i] = mongo.NewUpdateOneModel().SetFilter(byID(string(notes[n].user))).SetUpdate(notes[n].doc).SetUpsert(true)
	}
	_, err := s.absences.BulkWrite(ctx, writes, options.BulkWrite().SetOrdered(false))
	if isDuplicate(err) && len(which) == 1 {
		// Two upserts at once may both find nothing; now there is something.
		_, err = s.absences.BulkWrite(ctx, writes)
	}
	return err
}

// refused says that the server answered, and would not write some of it.
func refused(err error) bool {
	var bulk mongo.BulkWriteException
	return errors.As(err, &bulk) && bulk.WriteConcernError == nil && len(bulk.WriteErrors) > 0
}

// noted is what is known of a user's absence.
type noted struct {
	absence models.Absence
	found   bool
}

// Absence returns what was noted; found is false for a user never seen to leave.
func (s *Store) Absence(ctx context.Context, user models.UserID) (absence models.Absence, found bool, err error) {
	n, err := s.absencesOf.ask(ctx, user)
	return n.absence, n.found, err
}

func (s *Store) findAbsences(ctx context.Context, users []models.UserID) ([]noted, error) {
	ids := make(bson.A, len(users))
	for i, u := range users {
		ids[i] = string(u)
	}
	all := make(map[models.UserID]noted, len(users))
	err := s.do(ctx, "absence", func(ctx context.Context) error {
		filter := bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}}
		return each(ctx, s.absences, filter, options.Find(), func(raw bson.Raw) {
			id, _ := raw.Lookup("_id").StringValueOK()
			all[models.UserID(id)] = s.noted(models.UserID(id), raw)
		})
	})
	if err != nil {
		return nil, err
	}
	answers := make([]noted, len(users))
	for i, u := range users {
		answers[i] = all[u]
		answers[i].absence.Seen = slices.Clone(answers[i].absence.Seen)
	}
	return answers, nil
}

func (s *Store) noted(user models.UserID, raw bson.Raw) (n noted) {
	n.absence.Since, _ = dateOf(raw, "since")
	n.absence.Back, _ = dateOf(raw, "back")
	n.absence.Heard, _ = dateOf(raw, "heard") // what versions before do not say
	array, _ := raw.Lookup("seen").ArrayOK()
	values, _ := array.Values()
	for _, v := range values {
		if id, ok := v.ObjectIDOK(); ok {
			n.absence.Seen = append(n.absence.Seen, models.MessageID(id.Hex()))
		}
	}
	var odd bool
	if n.absence, odd, n.found = n.absence.Checked(s.now()); odd {
		s.metrics.Dropped(oddAbsence)
		s.logger.Warn("an absence is odd", "user", user, "usable", n.found)
	}
	return n
}

const installedID = "installed"

// Installed is when Parley first ran on this database: now, for the first pod.
func (s *Store) Installed(ctx context.Context) (time.Time, error) {
	s.mu.Lock()
	at := s.installed
	s.mu.Unlock()
	if !at.IsZero() {
		return at, nil // it never changes
	}
	err := s.do(ctx, "installed", func(ctx context.Context) error {
		raw, err := one(s.state.FindOne(ctx, byID(installedID)))
		if err == nil && raw == nil {
			_, err = s.state.InsertOne(ctx, append(byID(installedID), bson.E{Key: "at", Value: date(s.now())}))
			if err != nil && !isDuplicate(err) {
				return err
			}
			// Of several pods at once one was first; all go by its time.
			raw, err = one(s.state.FindOne(ctx, byID(installedID)))
		}
		if err != nil {
			return err
		}
		var ok bool
		if at, ok = dateOf(raw, "at"); ok && models.Plausible(at, s.now()) {
			return nil
		}
		// Somebody's hand was in it. Nobody can be told that it began at no time, or
		// that it has not begun yet: it begins now.
		s.metrics.Dropped(oddInstall)
		s.logger.Warn("when Parley was installed cannot be read; from now on it is now")
		at = s.now().UTC().Truncate(time.Millisecond)
		_, err = s.state.ReplaceOne(ctx, byID(installedID), append(byID(installedID), bson.E{Key: "at", Value: date(at)}))
		return err
	})
	if err != nil {
		return time.Time{}, err
	}
	s.mu.Lock()
	s.installed = at
	s.mu.Unlock()
	return at, nil
}
