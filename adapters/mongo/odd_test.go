package mongo_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"parley/adapters/mongo"
	"parley/models"
)

// What others wrote where only Parley should, or an older Parley: it is taken
// for what it can be, counted, and refuses nobody.
func TestOddAbsences(t *testing.T) {
	f := open(t, nil)
	good := f.NewMessageID()
	since := bson.NewDateTimeFromTime(at(0))
	for what, tc := range map[string]struct {
		doc   bson.D
		found bool
		seen  int
		odd   int
	}{
		"as it should be":    {doc: bson.D{{Key: "since", Value: since}, {Key: "seen", Value: bson.A{oid(t, string(good))}}}, found: true, seen: 1},
		"a list of anything": {doc: bson.D{{Key: "since", Value: since}, {Key: "seen", Value: bson.A{"notice-1", 7, nil, oid(t, string(good))}}}, found: true, seen: 1},
		"no list":            {doc: bson.D{{Key: "since", Value: since}, {Key: "seen", Value: "x"}}, found: true},
		"a word for a time":  {doc: bson.D{{Key: "since", Value: "yesterday"}}, odd: 1},
		"a time to come":     {doc: bson.D{{Key: "since", Value: bson.DateTime(8.64e15)}}, odd: 1},
		"no time there was":  {doc: bson.D{{Key: "since", Value: bson.DateTime(-1 << 63)}}, odd: 1},
		"back in a year":     {doc: bson.D{{Key: "since", Value: since}, {Key: "back", Value: bson.NewDateTimeFromTime(time.Now().AddDate(1, 0, 0))}}, found: true, odd: 1},
	} {
		user := models.UserID(what)
		_, err := f.raw.Collection("parley_absences").InsertOne(t.Context(), append(bson.D{{Key: "_id", Value: what}}, tc.doc...))
		must(t, err)
		before := f.metrics.dropped("odd_absence")
		got, found, err := f.Absence(t.Context(), user)
		if err != nil || found != tc.found || len(got.Seen) != tc.seen || got.Back.After(time.Now()) || f.metrics.dropped("odd_absence")-before != tc.odd {
			t.Errorf("%s: %+v, %v, %v", what, got, found, err)
		}
		if seen, err := f.LastSeen(t.Context(), []models.UserID{user}); err != nil || (len(seen) == 1) != tc.found {
			t.Errorf("%s: last seen %v, %v", what, seen, err)
		}
	}
	// A user who heard an event of no message is away all the same.
	must(t, f.SaveAbsence(t.Context(), "bob", models.Absence{Since: at(1), Had: models.Had{Seen: []models.MessageID{"notice-1", good}}}))
	got, found, err := f.Absence(t.Context(), "bob")
	if err != nil || !found || !slices.Equal(got.Seen, []models.MessageID{good}) || !got.Since.Equal(at(1)) {
		t.Errorf("%+v, %v, %v", got, found, err)
	}
}

func TestAnOddInstallationBeginsNow(t *testing.T) {
	for what, value := range map[string]any{"a word": "yesterday", "nothing": nil, "a time to come": bson.DateTime(8.64e15)} {
		f := open(t, nil)
		_, err := f.raw.Collection("parley_state").InsertOne(t.Context(), bson.D{{Key: "_id", Value: "installed"}, {Key: "at", Value: value}})
		must(t, err)
		began := time.Now().Truncate(time.Millisecond)
		first, err := f.Installed(t.Context())
		if err != nil || first.Before(began) || first.After(time.Now()) {
			t.Errorf("%s: %v, %v", what, first, err)
		}
		// Another pod goes by the same time.
		other, err := mongo.Open(t.Context(), mongo.Options{URI: f.uri.String()})
		must(t, err)
		t.Cleanup(func() { _ = other.Close(t.Context()) })
		if again, err := other.Installed(t.Context()); err != nil || !again.Equal(first) {
			t.Errorf("%s: %v, %v, want %v", what, again, err, first)
		}
	}
}

// A message that says it is from a time to come is not sent again each time
// until then, and crowds out none of the others.
func TestMessagesFromATimeToComeAreNotMissed(t *testing.T) {
	f := open(t, nil)
	chat := f.NewChatID()
	now := time.Now().UTC().Truncate(time.Millisecond)
	real := f.text(chat, 0)
	real.CreatedAt = now
	var odd []models.Message
	for i := range 5 {
		m := f.text(chat, 0)
		m.CreatedAt = now.AddDate(1000*(i+1), 0, 0)
		odd = append(odd, m)
	}
	f.insert(t, append(odd, real)...)
	got, err := f.Since(t.Context(), []models.ChatID{chat}, now.Add(-time.Hour), 3)
	if err != nil || len(got) != 1 || got[0].ID != real.ID {
		t.Errorf("%+v, %v", got, err)
	}
	page, found, err := f.History(t.Context(), chat, models.Page{Limit: 10})
	if err != nil || !found || len(page) != 6 {
		t.Errorf("history has %d, %v, %v", len(page), found, err)
	}
}

func TestOddParticipants(t *testing.T) {
	f := open(t, nil)
	id := f.NewChatID()
	_, err := f.raw.Collection("chats").InsertOne(t.Context(), bson.D{
		{Key: "_id", Value: oid(t, string(id))}, {Key: "createdAt", Value: bson.DateTime(1 << 62)},
		{Key: "participants", Value: bson.A{string(hexUser), 7, nil, bson.D{{Key: "ne", Value: nil}}, "", "\x00", "bob", "bob", strings.ToUpper(string(hexUser))}},
	})
	must(t, err)
	chat, found, err := f.Chat(t.Context(), id)
	if err != nil || !found || !slices.Equal(chat.Participants, []models.UserID{hexUser, "bob"}) {
		t.Errorf("%v, %v, %v", chat.Participants, found, err)
	}
}

// A claim of no time, or of one to come, is nobody's.
func TestOddClaimsAreTakenOver(t *testing.T) {
	f := open(t, nil)
	now := time.Now().UTC().Truncate(time.Millisecond)
	for key, claimed := range map[string]any{"none": nil, "a word": "x", "to come": bson.NewDateTimeFromTime(now.AddDate(1, 0, 0))} {
		_, err := f.raw.Collection("parley_requests").InsertOne(t.Context(), bson.D{
			{Key: "_id", Value: key}, {Key: "done", Value: false}, {Key: "messages", Value: bson.A{}}, {Key: "claimedAt", Value: claimed},
		})
		must(t, err)
		r, found, err := f.Request(t.Context(), key)
		if err != nil || !found {
			t.Fatal(found, err)
		}
		was := r.ClaimedAt
		r.ClaimedAt = now
		if taken, err := f.TakeOver(t.Context(), was, r); err != nil || !taken {
			t.Errorf("%s: %v, %v", key, taken, err)
		}
		if r, _, err := f.Request(t.Context(), key); err != nil || !r.ClaimedAt.Equal(now) {
			t.Errorf("%s: %v, %v", key, r.ClaimedAt, err)
		}
	}
}
