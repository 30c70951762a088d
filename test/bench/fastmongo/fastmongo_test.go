package main

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func database(t *testing.T, change ...func(*store)) *mongo.Database {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended, s := make(chan struct{}), newStore()
	for _, f := range change {
		f(s)
	}
	go func() {
		defer close(ended)
		_ = serve(listener, s)
	}()
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://" + listener.Addr().String()).SetServerSelectionTimeout(5 * time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.Disconnect(context.Background())
		_ = listener.Close()
		<-ended
	})
	return client.Database("test")
}

// What the servers that are measured rely on, by the driver that one of them
// uses.
func TestWhatTheServersSend(t *testing.T) {
	ctx, db := t.Context(), database(t)
	chats, messages := db.Collection("chats"), db.Collection("messages")
	chat, other, user := bson.NewObjectID(), bson.NewObjectID(), bson.NewObjectID()
	if _, err := chats.InsertMany(ctx, []any{
		bson.D{{Key: "_id", Value: chat}, {Key: "participants", Value: bson.A{user, "a", user}}},
		bson.D{{Key: "_id", Value: other}, {Key: "participants", Value: bson.A{"a"}}},
	}); err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(minute int) time.Time { return start.Add(time.Duration(minute) * time.Minute) }
	for _, m := range []struct {
		chat   bson.ObjectID
		minute int
	}{{chat, 2}, {chat, 1}, {other, 3}, {chat, 4}} {
		if _, err := messages.InsertOne(ctx, bson.D{{Key: "chatId", Value: m.chat}, {Key: "createdAt", Value: at(m.minute)}, {Key: "minute", Value: m.minute}}); err != nil {
			t.Fatal(err)
		}
	}
	minutes := func(filter bson.D, o *options.FindOptionsBuilder) (found []int) {
		t.Helper()
		c, err := messages.Find(ctx, filter, o)
		if err != nil {
			t.Fatal(err)
		}
		var docs []struct{ Minute int }
		if err := c.All(ctx, &docs); err != nil {
			t.Fatal(err)
		}
		for _, d := range docs {
			found = append(found, d.Minute)
		}
		return found
	}
	newest := bson.D{{Key: "createdAt", Value: -1}, {Key: "_id", Value: -1}}
	same := func(what string, got []int, want ...int) {
		t.Helper()
		if len(got) != len(want) {
			t.Fatalf("%s: %v, want %v", what, got, want)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("%s: %v, want %v", what, got, want)
			}
		}
	}
	same("the newest two of a chat", minutes(bson.D{{Key: "chatId", Value: chat}, {Key: "createdAt", Value: bson.D{{Key: "$type", Value: "date"}}}},
		options.Find().SetSort(newest).SetLimit(2)), 4, 2)
	same("what came since, of two chats", minutes(bson.D{{Key: "chatId", Value: bson.D{{Key: "$in", Value: bson.A{chat, other}}}},
		{Key: "createdAt", Value: bson.D{{Key: "$gt", Value: at(2)}}}}, options.Find().SetSort(bson.D{{Key: "createdAt", Value: 1}})), 3, 4)
	same("$and and $or", minutes(bson.D{{Key: "chatId", Value: chat}, {Key: "$and", Value: bson.A{bson.D{{Key: "$or", Value: bson.A{
		bson.D{{Key: "createdAt", Value: bson.D{{Key: "$lt", Value: at(2)}}}}, bson.D{{Key: "minute", Value: 4}}}}}}}},
		options.Find().SetSort(newest)), 4, 1)

	count := func(filter bson.D) int {
		c, err := chats.Find(ctx, filter)
		if err != nil {
			t.Fatal(err)
		}
		var docs []bson.Raw
		if err := c.All(ctx, &docs); err != nil {
			t.Fatal(err)
		}
		return len(docs)
	}
	if n := count(bson.D{{Key: "participants", Value: bson.D{{Key: "$in", Value: bson.A{user, "a"}}}}}); n != 2 {
		t.Errorf("%d chats of a or the user, want 2", n)
	}
	if n := count(bson.D{{Key: "participants", Value: user}}); n != 1 {
		t.Errorf("%d chats of the user, want 1", n)
	}
	for most, want := range map[string]int{"participants.0": 0, "participants.1": 1, "participants.3": 2} {
		filter := bson.D{{Key: "participants", Value: bson.D{{Key: "$in", Value: bson.A{"a"}}}}, {Key: most, Value: bson.D{{Key: "$exists", Value: false}}}}
		if n := count(filter); n != want {
			t.Errorf("%d chats without %s, want %d", n, most, want)
		}
	}
	if _, err := chats.InsertOne(ctx, bson.D{{Key: "_id", Value: chat}}); !mongo.IsDuplicateKeyError(err) {
		t.Errorf("a second document with an _id: %v", err)
	}
	seen := db.Collection("seen")
	for range 2 {
		if _, err := seen.UpdateOne(ctx, bson.D{{Key: "_id", Value: "u"}}, bson.D{{Key: "$set", Value: bson.D{{Key: "n", Value: 7}}}}, options.UpdateOne().SetUpsert(true)); err != nil {
			t.Fatal(err)
		}
	}
	var have struct{ N int }
	if err := seen.FindOne(ctx, bson.D{{Key: "_id", Value: "u"}}).Decode(&have); err != nil || have.N != 7 {
		t.Errorf("an upsert left %+v, %v", have, err)
	}
	for _, n := range []int{8, 9} {
		if _, err := seen.ReplaceOne(ctx, bson.D{{Key: "_id", Value: "v"}}, bson.D{{Key: "n", Value: n}}, options.Replace().SetUpsert(true)); err != nil {
			t.Fatal(err)
		}
	}
	if err := seen.FindOne(ctx, bson.D{{Key: "_id", Value: "v"}}).Decode(&have); err != nil || have.N != 9 {
		t.Errorf("a replacement left %+v, %v", have, err)
	}
	without := bson.D{{Key: "_id", Value: "v"}, {Key: "n", Value: nil}}
	if err := seen.FindOne(ctx, without).Err(); err != mongo.ErrNoDocuments {
		t.Errorf("a field that is there counts as none: %v", err)
	}
	if _, err := seen.UpdateOne(ctx, bson.D{{Key: "_id", Value: "v"}}, bson.D{{Key: "$unset", Value: bson.D{{Key: "n", Value: ""}}}}); err != nil {
		t.Fatal(err)
	}
	if err := seen.FindOne(ctx, without).Err(); err != nil {
		t.Errorf("a field that was taken out: %v", err)
	}
	if err := seen.FindOne(ctx, bson.D{{Key: "_id", Value: "nobody"}}).Err(); err != mongo.ErrNoDocuments {
		t.Errorf("what is not there: %v", err)
	}
}

// A measurement must not go wrong quietly.
func TestWhatItDoesNotKnowItRefuses(t *testing.T) {
	ctx, db := t.Context(), database(t)
	c := db.Collection("chats")
	if _, err := c.InsertOne(ctx, bson.D{{Key: "_id", Value: "x"}, {Key: "chatId", Value: 1}}); err != nil {
		t.Fatal(err)
	}
	_, push := c.UpdateOne(ctx, bson.D{{Key: "_id", Value: "x"}}, bson.D{{Key: "$push", Value: bson.D{{Key: "a", Value: 1}}}})
	_, indexed := c.UpdateOne(ctx, bson.D{{Key: "_id", Value: "x"}}, bson.D{{Key: "$set", Value: bson.D{{Key: "chatId", Value: 2}}}})
	_, remove := c.DeleteOne(ctx, bson.D{{Key: "_id", Value: "x"}})
	for what, err := range map[string]error{
		"an operator in a filter":  c.FindOne(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$regex", Value: "x"}}}}).Err(),
		"an operator in an update": push, "an update of an indexed field": indexed, "a command": remove,
	} {
		if err == nil || !strings.Contains(err.Error(), "not") || err == mongo.ErrNoDocuments {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Each command takes its time, several at once no longer, and is counted.
func TestDelayAndCount(t *testing.T) {
	ctx, db := t.Context(), database(t, func(s *store) { s.delay = 20 * time.Millisecond })
	start := time.Now()
	for range 3 {
		if err := db.Collection("chats").FindOne(ctx, bson.D{}).Err(); !errors.Is(err, mongo.ErrNoDocuments) {
			t.Fatal(err)
		}
	}
	if took := time.Since(start); took < 60*time.Millisecond {
		t.Errorf("three queries of 20 ms took %v", took)
	}
	var status struct {
		Opcounters map[string]int `bson:"opcounters"`
	}
	if err := db.RunCommand(ctx, bson.D{{Key: "serverStatus", Value: 1}}).Decode(&status); err != nil || status.Opcounters["find"] != 3 {
		t.Errorf("three queries are counted as %v, %v", status.Opcounters, err)
	}
}
