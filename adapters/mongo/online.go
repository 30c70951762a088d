package mongo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"parley/models"
)

// online is the field of an absence that is true while others take its user for
// online. It outlives Redis, and is read only where that has lost everything.
const online = "online"

// onlineAtOnce is how many users TakenForOnline hands over at a time.
const onlineAtOnce = 200

// TakenForOnline calls fn with all users whom others take for online, some at a
// time, as far as they have come since Parley notes it.
func (s *Store) TakenForOnline(ctx context.Context, fn func(users []models.UserID) error) error {
	page := options.Find().SetProjection(bson.D{{Key: "_id", Value: 1}}).SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(onlineAtOnce)
	for last := ""; ; {
		var users []models.UserID
		filter := bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: last}}}, {Key: online, Value: true}}
		err := s.do(ctx, "taken_for_online", func(ctx context.Context) error {
			users = nil
			return each(ctx, s.absences, filter, page, func(raw bson.Raw) {
				last, _ = raw.Lookup("_id").StringValueOK()
				users = append(users, models.UserID(last))
			})
		})
		if err != nil || len(users) == 0 {
			return err
		}
		if err := fn(users); err != nil {
			return err
		}
	}
}

// ToldOffline notes that others know that these have left, unless they are back
// since.
func (s *Store) ToldOffline(ctx context.Context, gone []models.Untold) error {
	writes := make([]mongo.WriteModel, len(gone))
	for i, g := range gone {
		filter := append(byID(string(g.UserID)), bson.E{Key: "$or", Value: bson.A{
			bson.D{{Key: "back", Value: nil}}, bson.D{{Key: "back", Value: bson.D{{Key: "$lte", Value: date(g.Left)}}}},
		}})
		writes[i] = mongo.NewUpdateOneModel().SetFilter(filter).SetUpdate(bson.D{{Key: "$unset", Value: bson.D{{Key: online, Value: ""}}}})
	}
	if len(writes) == 0 {
		return nil
	}
	return s.do(ctx, "told_offline", func(ctx context.Context) error {
		_, err := s.absences.BulkWrite(ctx, writes, options.BulkWrite().SetOrdered(false))
		return err
	})
}
