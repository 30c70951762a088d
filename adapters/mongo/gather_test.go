package mongo_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"parley/adapters/mongo"
	"parley/models"
)

// Asked together, each gets what they would get alone.
func TestGatheredAnswers(t *testing.T) {
	t.Parallel()
	f := open(t, nil)
	alone := open(t, func(o *mongo.Options) { o.URI = f.uri.String() })
	ctx := t.Context()
	const people = 40
	user := func(i int) models.UserID { return models.UserID(fmt.Sprintf("%024x", i+1)) }
	var chats []models.ChatID
	for i := range people / 4 {
		c := models.Chat{ID: f.NewChatID(), Participants: []models.UserID{user(4 * i), user(4*i + 1), user(4*i + 2), user((4*i + 5) % people)}, CreatedAt: base, UpdatedAt: base}
		must(t, f.CreateChat(ctx, c))
		chats = append(chats, c.ID)
		for n := range 20 + i {
			f.insert(t, f.text(c.ID, 100*i+n))
		}
	}
	ids := func(of map[models.UserID][]models.ChatID, u models.UserID) []models.ChatID {
		slices.Sort(of[u])
		return of[u]
	}
	// Some want few of many, some of several chats, some of none; and then so few
	// that together they do not have room for what one wants.
	since := func(i int) ([]models.ChatID, time.Time, int) {
		limit := 1 + 20*(i%4)
		if i >= people {
			limit = 1 + i%4
		}
		return chats[i%len(chats) : min(len(chats), i%len(chats)+i%3)], at(100*(i%7)+10).AddDate(0, 0, -(i % 5)), limit
	}
	type answer struct {
		chats    map[models.UserID][]models.ChatID
		messages []models.Message
		err      error
	}
	var each [2 * people]answer // asked by itself
	for i := range each {
		of, from, limit := since(i)
		var err error
		each[i].messages, each[i].err = alone.Since(ctx, of, from, limit)
		if each[i].chats, err = alone.ChatIDsOf(ctx, user(i%people)); err != nil {
			t.Fatal(err)
		}
	}
	var all sync.WaitGroup
	for i := range each {
		if i == people {
			all.Wait()
		}
		all.Go(func() {
			got, err := f.ChatIDsOf(ctx, user(i%people))
			mine, alone := ids(got, user(i%people)), ids(each[i].chats, user(i%people))
			if err != nil || each[i].err != nil || i%4 != 3 && len(alone) == 0 || !slices.Equal(mine, alone) {
				t.Errorf("chats of %d: %v, alone %v; %v %v", i, mine, alone, err, each[i].err)
			}
		})
		all.Go(func() {
			of, from, limit := since(i)
			got, err := f.Since(ctx, of, from, limit)
			want, werr := each[i].messages, each[i].err
			same := slices.EqualFunc(got, want, func(a, b models.Message) bool { return a.ID == b.ID })
			if err != nil || werr != nil || !same {
				t.Errorf("%d: %d messages, alone %d; %v %v", i, len(got), len(want), err, werr)
			}
		})
	}
	all.Wait()
	f.metrics.mu.Lock()
	defer f.metrics.mu.Unlock()
	if n := f.metrics.timed["chat_ids_of"]; n >= 2*people {
		t.Errorf("%d people, %d queries", people, n)
	}
}

// Who gives up is answered at once and costs the others nothing.
func TestGatheredAndGivenUp(t *testing.T) {
	t.Parallel()
	f := open(t, nil)
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if i%2 == 0 {
				cancel()
			}
			defer cancel()
			_, err := f.ChatIDsOf(ctx, "somebody")
			if code := models.CodeOf(err); i%2 == 0 && code != models.CodeUnavailable || i%2 == 1 && err != nil {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	all.Wait()
}

// A crowd's absences are looked up and noted in a few round trips, each for
// itself.
func TestGatheredAbsences(t *testing.T) {
	t.Parallel()
	f := open(t, nil)
	ctx := t.Context()
	const people = 40
	user := func(i int) models.UserID { return models.UserID(fmt.Sprintf("user-%d", i)) }
	absence := func(i int) models.Absence {
		a := models.Absence{Since: at(i), Had: models.Had{Heard: at(i - 1), Seen: []models.MessageID{f.NewMessageID()}}}
		if i%2 == 0 {
			a.Back = at(i + 1)
		}
		return a
	}
	crowd := func(fn func(i int)) {
		var all sync.WaitGroup
		for i := range people {
			all.Go(func() { fn(i) })
		}
		all.Wait()
	}
	var noted [people]models.Absence
	for round := range 2 { // over nothing, and over what is there
		crowd(func(i int) {
			noted[i] = absence(i + 1000*round)
			if err := f.SaveAbsence(ctx, user(i), noted[i]); err != nil {
				t.Error(err)
			}
		})
		crowd(func(i int) {
			got, found, err := f.Absence(ctx, user(i))
			if err != nil || !found || !reflect.DeepEqual(got, noted[i]) {
				t.Errorf("%d: noted %+v, found %+v, %v, %v", i, noted[i], got, found, err)
			}
			if _, found, err := f.Absence(ctx, "nobody-"+user(i)); found || err != nil {
				t.Errorf("nobody %d is found: %v, %v", i, found, err)
			}
		})
	}
	f.metrics.mu.Lock()
	defer f.metrics.mu.Unlock()
	for _, op := range []string{"save_absence", "absence"} {
		if n := f.metrics.timed[op]; n > people {
			t.Errorf("%s: %d people, twice, in %d round trips", op, people, n)
		}
	}
}

// Of what one user's absence is, the last word counts; that one cannot be noted
// is no business of its neighbours.
func TestGatheredAbsencesAreEachTheirOwn(t *testing.T) {
	t.Parallel()
	f := open(t, nil)
	ctx := t.Context()
	_, err := f.raw.Collection("parley_absences").Indexes().CreateOne(ctx, driver.IndexModel{
		Keys: bson.D{{Key: "since", Value: 1}}, Options: options.Index().SetUnique(true),
	})
	must(t, err)
	must(t, f.SaveAbsence(ctx, "first", models.Absence{Since: at(0)}))
	notes := []mongo.Note{
		mongo.NoteOf(f.Store, "a", at(1)), mongo.NoteOf(f.Store, "b", at(0)), mongo.NoteOf(f.Store, "a", at(2)), mongo.NoteOf(f.Store, "c", at(3)),
	}
	errs, err := mongo.SaveAbsences(ctx, f.Store, notes)
	if err != nil || errs[0] != nil || errs[1] == nil || errs[2] != nil || errs[3] != nil {
		t.Errorf("only b's is not to be had: %v, %v", errs, err)
	}
	for user, since := range map[models.UserID]time.Time{"a": at(2), "c": at(3)} {
		if got, found, err := f.Absence(ctx, user); err != nil || !found || !got.Since.Equal(since) {
			t.Errorf("%s: %+v, %v, %v", user, got, found, err)
		}
	}
}
