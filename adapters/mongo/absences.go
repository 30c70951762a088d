package mongo

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"parley/models"
)

// What others wrote here, or older versions, is left out under these names where
// it is odd; nobody is refused for it.
const (
	oddAbsence = "odd_absence"
	oddInstall = "odd_installation"
)

// SaveAbsence notes since when the user is away, in place of what was noted.
func (s *Store) SaveAbsence(ctx context.Context, user models.UserID, absence models.Absence) error {
	doc := bson.D{{Key: "_id", Value: string(user)}, {Key: "since", Value: date(absence.Since)}}
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
	if !absence.Back.IsZero() {
		doc = append(doc, bson.E{Key: "back", Value: date(absence.Back)})
	}
	return s.do(ctx, "save_absence", func(ctx context.Context) error {
		upsert := options.Replace().SetUpsert(true)
		_, err := s.absences.ReplaceOne(ctx, byID(string(user)), doc, upsert)
		if isDuplicate(err) {
			// Two upserts at once may both find nothing; now there is something.
			_, err = s.absences.ReplaceOne(ctx, byID(string(user)), doc, upsert)
		}
		return err
	})
}

// Absence returns what was noted; found is false for a user never seen to leave.
func (s *Store) Absence(ctx context.Context, user models.UserID) (absence models.Absence, found bool, err error) {
	err = s.do(ctx, "absence", func(ctx context.Context) error {
		raw, err := one(s.absences.FindOne(ctx, byID(string(user))))
		if err != nil || raw == nil {
			return err
		}
		absence.Since, _ = dateOf(raw, "since")
		absence.Back, _ = dateOf(raw, "back")
		array, _ := raw.Lookup("seen").ArrayOK()
		values, _ := array.Values()
		for _, v := range values {
			if id, ok := v.ObjectIDOK(); ok {
				absence.Seen = append(absence.Seen, models.MessageID(id.Hex()))
			}
		}
		var odd bool
		if absence, odd, found = absence.Checked(s.now()); odd {
			s.metrics.Dropped(oddAbsence)
			s.logger.Warn("an absence is odd", "user", user, "usable", found)
		}
		return nil
	})
	return absence, found, err
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
