package mongo_test

import (
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func (f *fixture) indexNames(t *testing.T, coll string) (names []string) {
	t.Helper()
	specs, err := f.raw.Collection(coll).Indexes().ListSpecifications(t.Context())
	must(t, err)
	for _, s := range specs {
		names = append(names, s.Name)
	}
	slices.Sort(names)
	return names
}

func TestEnsureIndexes(t *testing.T) {
	f := open(t, nil)
	for range 2 {
		must(t, f.EnsureIndexes(t.Context()))
	}
	if got := f.indexNames(t, "chats"); !slices.Equal(got, []string{"_id_", "participants_1__id_1"}) {
		t.Error(got)
	}
	if got := f.indexNames(t, "messages"); !slices.Equal(got, []string{"_id_", "chatId_1_createdAt_-1__id_-1"}) {
		t.Error(got)
	}
}

func TestTheIndexesOfOurOwn(t *testing.T) {
	f := open(t, nil)
	must(t, f.EnsureIndexes(t.Context()))
	if got := f.indexNames(t, "parley_absences"); !slices.Equal(got, []string{"_id_", "online_1__id_1"}) {
		t.Error(got)
	}
	if got := f.indexNames(t, "parley_moves"); !slices.Equal(got, []string{"_id_", "user_1_at_1"}) {
		t.Error(got)
	}
}

func TestOthersIndexesWillDo(t *testing.T) {
	f := open(t, nil)
	for coll, keys := range map[string]bson.D{
		"chats":    {{Key: "participants", Value: 1.0}, {Key: "_id", Value: 1.0}},
		"messages": {{Key: "chatId", Value: 1}, {Key: "createdAt", Value: -1}, {Key: "_id", Value: -1}},
	} {
		_, err := f.raw.Collection(coll).Indexes().CreateOne(t.Context(), driver.IndexModel{Keys: keys, Options: options.Index().SetName("theirs")})
		must(t, err)
	}
	must(t, f.EnsureIndexes(t.Context()))
	for _, coll := range []string{"chats", "messages"} {
		if got := f.indexNames(t, coll); !slices.Equal(got, []string{"_id_", "theirs"}) {
			t.Error(coll, got)
		}
	}
}

func TestANameThatIsTakenIsNoError(t *testing.T) {
	f := open(t, nil)
	_, err := f.raw.Collection("chats").Indexes().CreateOne(t.Context(), driver.IndexModel{Keys: bson.D{{Key: "name", Value: 1}}, Options: options.Index().SetName("participants_1__id_1")})
	must(t, err)
	must(t, f.EnsureIndexes(t.Context()))
}
