package mongo

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"parley/models"
)

// LastSeen says of those of the users who have ever left since when they were
// away last. It asks once for all.
func (s *Store) LastSeen(ctx context.Context, users []models.UserID) (map[models.UserID]time.Time, error) {
	ids := make(bson.A, len(users))
	for i, u := range users {
		ids[i] = string(u)
	}
	seen := make(map[models.UserID]time.Time, len(users))
	filter := bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}}
	since := options.Find().SetProjection(bson.D{{Key: "since", Value: 1}})
	err := s.do(ctx, "last_seen", func(ctx context.Context) error {
		return each(ctx, s.absences, filter, since, func(raw bson.Raw) {
			id, ok := raw.Lookup("_id").StringValueOK()
			at, dated := dateOf(raw, "since")
			if ok && dated && models.Plausible(at, s.now()) {
				seen[models.UserID(id)] = at
			}
		})
	})
	if err != nil {
		return nil, err
	}
	return seen, nil
}
