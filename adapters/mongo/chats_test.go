package mongo_test

import (
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"parley/models"
)

func TestChatsAsOthersSeeThem(t *testing.T) {
	f := open(t, nil)
	named := models.Chat{ID: f.NewChatID(), Name: "n", Participants: []models.UserID{hexUser, nameUser}, CreatedAt: at(0), UpdatedAt: at(1)}
	bare := models.Chat{ID: f.NewChatID(), Participants: []models.UserID{nameUser}, CreatedAt: at(0), UpdatedAt: at(0)}
	for _, c := range []models.Chat{named, bare} {
		must(t, f.CreateChat(t.Context(), c))
		got, found, err := f.Chat(t.Context(), c.ID)
		if err != nil || !found || !reflect.DeepEqual(got, c) {
			t.Errorf("%+v %v %v\nwant %+v", got, found, err, c)
		}
	}
	want := map[models.ChatID]bson.D{
		named.ID: {
			{Key: "_id", Value: oid(t, string(named.ID))}, {Key: "name", Value: "n"},
			{Key: "participants", Value: bson.A{oid(t, string(hexUser)), "alice"}},
			{Key: "createdAt", Value: bson.NewDateTimeFromTime(at(0))}, {Key: "updatedAt", Value: bson.NewDateTimeFromTime(at(1))}, {Key: "__v", Value: int32(0)},
		},
		bare.ID: {
			{Key: "_id", Value: oid(t, string(bare.ID))}, {Key: "participants", Value: bson.A{"alice"}},
			{Key: "createdAt", Value: bson.NewDateTimeFromTime(at(0))}, {Key: "updatedAt", Value: bson.NewDateTimeFromTime(at(0))}, {Key: "__v", Value: int32(0)},
		},
	}
	for id, doc := range want {
		var got bson.D
		must(t, f.raw.Collection("chats").FindOne(t.Context(), bson.D{{Key: "_id", Value: oid(t, string(id))}}).Decode(&got))
		if !reflect.DeepEqual(got, doc) {
			t.Errorf("stored %v\nwant   %v", got, doc)
		}
	}
	if err := f.CreateChat(t.Context(), named); models.CodeOf(err) != models.CodeInternal {
		t.Errorf("same id again: %v", err)
	}
	if n := f.count(t, "chats"); n != 2 {
		t.Errorf("%d chats: the refused one must not take the first with it", n)
	}
	for _, id := range []models.ChatID{f.NewChatID(), "nonsense", ""} {
		if _, found, err := f.Chat(t.Context(), id); found || err != nil {
			t.Errorf("%q: %v %v", id, found, err)
		}
	}
}

func TestChatsOfWhateverOthersWrote(t *testing.T) {
	f := open(t, nil)
	user := oid(t, string(hexUser))
	upper := strings.ToUpper(string(hexUser))
	docs := []struct {
		name string
		doc  bson.D
		mine bool
		want []models.UserID
	}{
		{"ObjectId", bson.D{{Key: "participants", Value: bson.A{user, "bob"}}}, true, []models.UserID{hexUser, "bob"}},
		{"string", bson.D{{Key: "participants", Value: bson.A{string(hexUser)}}}, true, []models.UserID{hexUser}},
		{"upper case", bson.D{{Key: "participants", Value: bson.A{upper}}}, true, []models.UserID{hexUser}},
		{"all forms", bson.D{{Key: "participants", Value: bson.A{user, string(hexUser), upper}}}, true, []models.UserID{hexUser}},
		{"odd company", bson.D{{Key: "participants", Value: bson.A{1, nil, bson.D{{Key: "_id", Value: user}}, "", 2.5, user}}, {Key: "name", Value: 5}, {Key: "createdAt", Value: "then"}}, true, []models.UserID{hexUser}},
		{"not a list", bson.D{{Key: "participants", Value: user}}, true, []models.UserID{hexUser}},
		{"somebody else", bson.D{{Key: "participants", Value: bson.A{"bob"}}}, false, nil},
		{"nobody", bson.D{}, false, nil},
		{"inside a subdocument", bson.D{{Key: "participants", Value: bson.A{bson.D{{Key: "_id", Value: user}}}}}, false, nil},
	}
	want := map[models.ChatID][]models.UserID{}
	for _, d := range docs {
		id := f.NewChatID()
		_, err := f.raw.Collection("chats").InsertOne(t.Context(), append(bson.D{{Key: "_id", Value: oid(t, string(id))}}, d.doc...))
		must(t, err)
		if d.mine {
			want[id] = d.want
		}
	}
	_, err := f.raw.Collection("chats").InsertOne(t.Context(), bson.D{{Key: "_id", Value: "a string"}, {Key: "participants", Value: bson.A{user}}})
	must(t, err)
	alone, err := f.ChatIDsOf(t.Context(), hexUser)
	must(t, err)
	chats, err := f.ChatsByID(t.Context(), alone[hexUser])
	must(t, err)
	got := map[models.ChatID][]models.UserID{}
	for _, c := range chats {
		got[c.ID] = c.Participants
		if c.CreatedAt.IsZero() || c.UpdatedAt.IsZero() {
			t.Errorf("%s has no times", c.ID)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	several, err := f.ChatIDsOf(t.Context(), "nobody", hexUser, "bob")
	must(t, err)
	slices.Sort(several[hexUser])
	slices.Sort(alone[hexUser])
	if !slices.Equal(several[hexUser], alone[hexUser]) || len(several["nobody"]) != 0 || len(several["bob"]) != 2 {
		t.Errorf("of several: %v, alone %v", several, alone)
	}
	if none, err := f.ChatIDsOf(t.Context(), "nobody"); err != nil || len(none["nobody"]) != 0 {
		t.Error(none, err)
	}
	if none, err := f.ChatsByID(t.Context(), []models.ChatID{f.NewChatID(), "nonsense"}); err != nil || len(none) != 0 {
		t.Error(none, err)
	}
}

func TestParticipantsComeAndGo(t *testing.T) {
	f := open(t, nil)
	id := f.NewChatID()
	_, err := f.raw.Collection("chats").InsertOne(t.Context(), bson.D{
		{Key: "_id", Value: oid(t, string(id))}, {Key: "participants", Value: bson.A{7, string(hexUser), "bob"}}, {Key: "theirs", Value: bson.D{{Key: "x", Value: 1}}},
	})
	must(t, err)
	steps := []struct {
		name   string
		change func() (models.Chat, bool, error)
		want   []models.UserID
		stored bson.A
	}{
		{"there as a string", func() (models.Chat, bool, error) { return f.AddParticipant(t.Context(), id, hexUser, at(1)) },
			[]models.UserID{hexUser, "bob"}, bson.A{int32(7), string(hexUser), "bob"}},
		{"add", func() (models.Chat, bool, error) { return f.AddParticipant(t.Context(), id, nameUser, at(2)) },
			[]models.UserID{hexUser, "bob", nameUser}, bson.A{int32(7), string(hexUser), "bob", "alice"}},
		{"remove the string form", func() (models.Chat, bool, error) { return f.RemoveParticipant(t.Context(), id, hexUser, at(3)) },
			[]models.UserID{"bob", nameUser}, bson.A{int32(7), "bob", "alice"}},
		{"remove again", func() (models.Chat, bool, error) { return f.RemoveParticipant(t.Context(), id, hexUser, at(4)) },
			[]models.UserID{"bob", nameUser}, bson.A{int32(7), "bob", "alice"}},
		{"add as ObjectId", func() (models.Chat, bool, error) { return f.AddParticipant(t.Context(), id, hexUser, at(5)) },
			[]models.UserID{"bob", nameUser, hexUser}, bson.A{int32(7), "bob", "alice", oid(t, string(hexUser))}},
		{"remove the ObjectId", func() (models.Chat, bool, error) { return f.RemoveParticipant(t.Context(), id, hexUser, at(6)) },
			[]models.UserID{"bob", nameUser}, bson.A{int32(7), "bob", "alice"}},
	}
	for _, s := range steps {
		chat, found, err := s.change()
		if err != nil || !found || !slices.Equal(chat.Participants, s.want) {
			t.Errorf("%s: %v %v %v", s.name, chat.Participants, found, err)
		}
		var doc struct {
			Participants bson.A
			Theirs       struct{ X int }
			UpdatedAt    bson.DateTime `bson:"updatedAt"`
		}
		must(t, f.raw.Collection("chats").FindOne(t.Context(), bson.D{{Key: "_id", Value: oid(t, string(id))}}).Decode(&doc))
		if !reflect.DeepEqual(doc.Participants, s.stored) || doc.Theirs.X != 1 {
			t.Errorf("%s: stored %v", s.name, doc)
		}
		if strings.HasPrefix(s.name, "add") && doc.UpdatedAt != bson.NewDateTimeFromTime(chat.UpdatedAt) {
			t.Errorf("%s: updatedAt %v, chat %v", s.name, doc.UpdatedAt.Time(), chat.UpdatedAt)
		}
	}
	for _, missing := range []models.ChatID{f.NewChatID(), "nonsense"} {
		if _, found, err := f.AddParticipant(t.Context(), missing, hexUser, at(0)); found || err != nil {
			t.Error(found, err)
		}
		if _, found, err := f.RemoveParticipant(t.Context(), missing, hexUser, at(0)); found || err != nil {
			t.Error(found, err)
		}
	}
}

func TestParticipantsAddedAtOnceAllStay(t *testing.T) {
	f := open(t, nil)
	id := f.NewChatID()
	must(t, f.CreateChat(t.Context(), models.Chat{ID: id, Participants: []models.UserID{"u"}, CreatedAt: at(0), UpdatedAt: at(0)}))
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if _, _, err := f.AddParticipant(t.Context(), id, models.UserID(strings.Repeat("x", i+1)), at(i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if c, _, err := f.Chat(t.Context(), id); err != nil || len(c.Participants) != 21 {
		t.Errorf("%d participants, %v", len(c.Participants), err)
	}
}

func TestSmallChats(t *testing.T) {
	f := open(t, nil)
	var small []models.ChatID
	for _, p := range [][]models.UserID{{hexUser}, {hexUser, "bob"}, {"bob", "cem", hexUser}, {"cem"}} {
		c := models.Chat{ID: f.NewChatID(), Participants: p, CreatedAt: base, UpdatedAt: base}
		must(t, f.CreateChat(t.Context(), c))
		if len(p) <= 2 {
			small = append(small, c.ID)
		}
	}
	chats, err := f.SmallChatsOf(t.Context(), 2, hexUser, "cem")
	must(t, err)
	var got []models.ChatID
	for _, c := range chats {
		got = append(got, c.ID)
	}
	if slices.Sort(got); !slices.Equal(got, small) {
		t.Errorf("%v, want %v", got, small)
	}
}
