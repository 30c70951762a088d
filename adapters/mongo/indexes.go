package mongo

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// indexTimeouts is how many operation timeouts building an index may take: a
// large collection takes its time.
const indexTimeouts = 60

// index is one index we need. The names are those MongoDB and Mongoose make up
// by themselves, so that an application asking for the same one finds it.
type index struct {
	coll *mongo.Collection
	name string
	keys bson.D
}

func (s *Store) indexes() []index {
	return []index{
		{s.chats, "participants_1__id_1", bson.D{{Key: "participants", Value: int32(1)}, {Key: "_id", Value: int32(1)}}},
		{s.messages, "chatId_1_createdAt_-1__id_-1", bson.D{
			{Key: "chatId", Value: int32(1)}, {Key: "createdAt", Value: int32(-1)}, {Key: "_id", Value: int32(-1)},
		}},
		{s.absences, online + "_1__id_1", bson.D{{Key: online, Value: int32(1)}, {Key: "_id", Value: int32(1)}}},
		{s.moves, "user_1_at_1", bson.D{{Key: "user", Value: int32(1)}, {Key: "at", Value: int32(1)}}},
		{s.sessions, "until_1", bson.D{{Key: "until", Value: int32(1)}}},
	}
}

// EnsureIndexes makes the indexes that are missing. One with the same keys
// under any name will do.
func (s *Store) EnsureIndexes(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, indexTimeouts*s.timeout)
	defer cancel()
	for _, i := range s.indexes() {
		if err := i.ensure(ctx); err != nil {
			s.metrics.MongoError("ensure_indexes")
			return classify(err)
		}
	}
	return nil
}

func (i index) ensure(ctx context.Context) error {
	there, err := i.exists(ctx)
	if err != nil || there {
		return err
	}
	_, err = i.coll.Indexes().CreateOne(ctx, mongo.IndexModel{Keys: i.keys, Options: options.Index().SetName(i.name)})
	if conflict(err) {
		// Somebody made one meanwhile, or has another under our name. It may be
		// slower; it is theirs to decide.
		return nil
	}
	return err
}

func conflict(err error) bool {
	var server mongo.ServerError
	return errors.As(err, &server) && (server.HasErrorCode(85) || server.HasErrorCode(86)) // IndexOptionsConflict, IndexKeySpecsConflict
}

func (i index) exists(ctx context.Context) (bool, error) {
	cursor, err := i.coll.Indexes().List(ctx)
	var server mongo.ServerError
	if errors.As(err, &server) && server.HasErrorCode(26) { // NamespaceNotFound: no collection yet
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var all []bson.Raw
	if err := cursor.All(ctx, &all); err != nil {
		return false, err
	}
	for _, raw := range all {
		keys, ok := raw.Lookup("key").DocumentOK()
		_, partial := raw.Lookup("partialFilterExpression").DocumentOK()
		sparse, _ := raw.Lookup("sparse").BooleanOK()
		if ok && !partial && !sparse && i.sameKeys(keys) {
			return true, nil
		}
	}
	return false, nil
}

// sameKeys compares keys and directions, whatever kind of number the latter are.
func (i index) sameKeys(keys bson.Raw) bool {
	elements, err := keys.Elements()
	if err != nil || len(elements) != len(i.keys) {
		return false
	}
	for n, e := range elements {
		direction, ok := e.Value().AsInt64OK()
		if !ok || e.Key() != i.keys[n].Key || int32(direction) != i.keys[n].Value {
			return false
		}
	}
	return true
}
