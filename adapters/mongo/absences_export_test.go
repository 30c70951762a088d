package mongo

import (
	"context"
	"time"

	"parley/models"
)

// Note is what SaveAbsence asks for, for tests that say who asks together.
type Note = absenceNote

func NoteOf(s *Store, user models.UserID, since time.Time) Note {
	return absenceNote{user, s.absenceDoc(models.Absence{Since: since})}
}

func SaveAbsences(ctx context.Context, s *Store, notes []Note) ([]error, error) {
	return s.saveAbsences(ctx, notes)
}
