package mongo_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"parley/models"
)

func TestMessagesAsOthersSeeThem(t *testing.T) {
	f := open(t, nil)
	chat := f.NewChatID()
	text := models.Message{ID: f.NewMessageID(), ChatID: chat, SenderID: hexUser, Type: models.Text, Text: "<é>", CreatedAt: base.Add(345_678), UpdatedAt: base.Add(345_678)}
	file := models.Message{ID: f.NewMessageID(), ChatID: chat, SenderID: nameUser, Type: models.Audio, FileURL: "http://x/y", CreatedAt: at(1), UpdatedAt: at(2)}
	f.insert(t, text, file)
	for _, m := range []models.Message{text, file} {
		m.CreatedAt, m.UpdatedAt = m.CreatedAt.Truncate(time.Millisecond), m.UpdatedAt.Truncate(time.Millisecond)
		got, found, err := f.Message(t.Context(), m.ID)
		if err != nil || !found || !reflect.DeepEqual(got, m) {
			t.Errorf("%+v %v %v\nwant %+v", got, found, err, m)
		}
	}
	want := []bson.D{{
		{Key: "_id", Value: oid(t, string(text.ID))}, {Key: "chatId", Value: oid(t, string(chat))}, {Key: "senderId", Value: oid(t, string(hexUser))},
		{Key: "type", Value: "text"}, {Key: "textMessage", Value: "<é>"},
		{Key: "createdAt", Value: bson.NewDateTimeFromTime(base)}, {Key: "updatedAt", Value: bson.NewDateTimeFromTime(base)}, {Key: "__v", Value: int32(0)},
	}, {
		{Key: "_id", Value: oid(t, string(file.ID))}, {Key: "chatId", Value: oid(t, string(chat))}, {Key: "senderId", Value: "alice"},
		{Key: "type", Value: "audio"}, {Key: "fileUrl", Value: "http://x/y"},
		{Key: "createdAt", Value: bson.NewDateTimeFromTime(at(1))}, {Key: "updatedAt", Value: bson.NewDateTimeFromTime(at(2))}, {Key: "__v", Value: int32(0)},
	}}
	cursor, err := f.raw.Collection("messages").Find(t.Context(), bson.D{})
	must(t, err)
	var got []bson.D
	must(t, cursor.All(t.Context(), &got))
	if !reflect.DeepEqual(got, want) {
		t.Errorf("stored %v\nwant   %v", got, want)
	}
	for _, id := range []models.MessageID{f.NewMessageID(), "nonsense", ""} {
		if _, found, err := f.Message(t.Context(), id); found || err != nil {
			t.Errorf("%q: %v %v", id, found, err)
		}
	}
}

func TestInsertIsAllOrNone(t *testing.T) {
	f := open(t, nil)
	chat := f.NewChatID()
	there := f.text(chat, 0)
	f.insert(t, there)
	a, b := f.text(chat, 1), f.text(chat, 2)
	if err := f.Insert(t.Context(), []models.Message{a, there, b}); err == nil {
		t.Fatal("an _id twice")
	}
	if _, found, err := f.Message(t.Context(), there.ID); err != nil || !found {
		t.Error("a message that was there before is gone")
	}
	if n := f.count(t, "messages"); n != 1 {
		t.Errorf("%d messages", n)
	}
	bad := f.text("nonsense", 3)
	if err := f.Insert(t.Context(), []models.Message{a, bad}); models.CodeOf(err) != models.CodeInternal {
		t.Error(err)
	}
	if n := f.count(t, "messages"); n != 1 {
		t.Errorf("%d messages", n)
	}
	must(t, f.Insert(t.Context(), nil))
}

func TestInsertMissing(t *testing.T) {
	f := open(t, nil)
	chat := f.NewChatID()
	a, b := f.text(chat, 1), f.text(chat, 2)
	f.insert(t, a)
	for range 2 {
		must(t, f.InsertMissing(t.Context(), []models.Message{a, b}))
	}
	got, found, err := f.History(t.Context(), chat, models.Page{Limit: 10})
	must(t, err)
	if !found || len(got) != 2 || got[0].ID != b.ID || got[1].ID != a.ID {
		t.Errorf("%+v", got)
	}
	if !got[1].CreatedAt.Equal(a.CreatedAt) || !got[1].UpdatedAt.After(a.UpdatedAt) {
		t.Errorf("%+v: createdAt stays, updatedAt moves on", got[1])
	}
	must(t, f.InsertMissing(t.Context(), nil))
	a.CreatedAt = at(3) // as it was not told, so far as who asks knows
	must(t, f.InsertMissing(t.Context(), []models.Message{a}))
	if m, _, err := f.Message(t.Context(), a.ID); err != nil || !m.CreatedAt.Equal(a.CreatedAt) {
		t.Errorf("%+v %v", m, err)
	}
}

// fill stores n messages, three to a millisecond, in every chat, in an order
// that is not the one asked for later.
func (f *fixture) fill(t *testing.T, chat models.ChatID, n int) []models.Message {
	t.Helper()
	var all []models.Message
	for i := range n {
		all = append(all, f.text(chat, i/3))
	}
	mixed := slices.Clone(all)
	slices.SortFunc(mixed, func(a, b models.Message) int { return int(a.ID[23]) - int(b.ID[23]) })
	f.insert(t, mixed...)
	return all
}

func ids(messages []models.Message) (out []models.MessageID) {
	for _, m := range messages {
		out = append(out, m.ID)
	}
	return out
}

func reversed[T any](s []T) []T {
	s = slices.Clone(s)
	slices.Reverse(s)
	return s
}

func TestHistoryPages(t *testing.T) {
	f := open(t, nil)
	chat, other := f.NewChatID(), f.NewChatID()
	all := f.fill(t, chat, 23)
	f.fill(t, other, 9)
	newest := reversed(ids(all))
	for _, limit := range []int{1, 2, 4, 23, 100} {
		var down, up []models.MessageID
		for page := (models.Page{Limit: limit}); ; {
			got, found, err := f.History(t.Context(), chat, page)
			if err != nil || !found {
				t.Fatal(found, err)
			}
			if len(got) == 0 {
				break
			}
			if down = append(down, ids(got)...); len(down) > 2*len(all) {
				t.Fatal("the pages downwards never end")
			}
			page.Before = got[len(got)-1].ID
		}
		if !slices.Equal(down, newest) {
			t.Errorf("limit %d downwards: %v\nwant %v", limit, down, newest)
		}
		for page := (models.Page{Limit: limit, After: all[0].ID}); ; {
			got, found, err := f.History(t.Context(), chat, page)
			if err != nil || !found {
				t.Fatal(found, err)
			}
			if len(got) == 0 {
				break
			}
			if up = append(slices.Clone(ids(got)), up...); len(up) > 2*len(all) { // each page is newest first
				t.Fatal("the pages upwards never end")
			}
			page.After = got[0].ID
		}
		if want := newest[:len(newest)-1]; !slices.Equal(up, want) {
			t.Errorf("limit %d upwards: %v\nwant %v", limit, up, want)
		}
	}
	got, _, err := f.History(t.Context(), chat, models.Page{After: all[4].ID, Before: all[12].ID, Limit: 5})
	must(t, err)
	if want := reversed(ids(all[7:12])); !slices.Equal(ids(got), want) {
		t.Errorf("both cursors: %v\nwant %v", ids(got), want)
	}
	got, _, err = f.History(t.Context(), chat, models.Page{After: all[4].ID, Before: all[7].ID, Limit: 5})
	must(t, err)
	if want := reversed(ids(all[5:7])); !slices.Equal(ids(got), want) {
		t.Errorf("both cursors, short: %v\nwant %v", ids(got), want)
	}
	strangers, _, err := f.History(t.Context(), other, models.Page{Limit: 1})
	must(t, err)
	for _, page := range []models.Page{
		{Before: f.NewMessageID(), Limit: 5}, {After: f.NewMessageID(), Limit: 5}, {Before: strangers[0].ID, Limit: 5}, {After: strangers[0].ID, Limit: 5}, {Before: "x", Limit: 5},
	} {
		if got, found, err := f.History(t.Context(), chat, page); found || err != nil || len(got) != 0 {
			t.Errorf("%+v: %v %v %v", page, got, found, err)
		}
	}
	if got, found, err := f.History(t.Context(), f.NewChatID(), models.Page{Limit: 5}); !found || err != nil || len(got) != 0 {
		t.Errorf("empty chat: %v %v %v", got, found, err)
	}
}

func TestSince(t *testing.T) {
	f := open(t, nil)
	a, b, c := f.NewChatID(), f.NewChatID(), f.NewChatID()
	var all []models.Message
	for i := range 12 {
		all = append(all, f.text([]models.ChatID{a, b, c}[i%3], i/4))
	}
	f.insert(t, all...)
	in := func(from int, chats ...models.ChatID) (want []models.MessageID) {
		for _, m := range all[from:] {
			if slices.Contains(chats, m.ChatID) {
				want = append(want, m.ID)
			}
		}
		return want
	}
	tests := []struct {
		name  string
		chats []models.ChatID
		since time.Time
		limit int
		want  []models.MessageID
	}{
		{"from the first millisecond on", []models.ChatID{a, b, c}, at(0), 100, in(0, a, b, c)},
		{"the moment counts", []models.ChatID{a, b, c}, at(1), 100, in(4, a, b, c)},
		{"a part of a millisecond is that millisecond", []models.ChatID{a, b, c}, at(1).Add(999 * time.Microsecond), 100, in(4, a, b, c)},
		{"two chats", []models.ChatID{a, c}, at(1), 100, in(4, a, c)},
		{"the newest within the limit", []models.ChatID{a, b, c}, at(0), 5, in(7, a, b, c)},
		{"nothing", []models.ChatID{a}, at(3), 5, nil},
		{"no chats", nil, at(0), 5, nil},
		{"no limit", []models.ChatID{a}, at(0), 0, nil},
		{"not a chat", []models.ChatID{"x", b}, at(0), 100, in(0, b)},
	}
	for _, tt := range tests {
		got, err := f.Since(t.Context(), tt.chats, tt.since, tt.limit)
		if err != nil || !slices.Equal(ids(got), tt.want) {
			t.Errorf("%s: %v %v\nwant %v", tt.name, ids(got), err, tt.want)
		}
	}
}

func TestLatest(t *testing.T) {
	f := open(t, nil)
	var chats []models.ChatID
	want := map[models.ChatID]models.MessageID{}
	for i := range 25 {
		id := f.NewChatID()
		chats = append(chats, id)
		if i%5 != 0 {
			want[id] = f.fill(t, id, i)[i-1].ID
		}
	}
	got, err := f.Latest(t.Context(), append(chats, "nonsense"))
	must(t, err)
	have := map[models.ChatID]models.MessageID{}
	for id, m := range got {
		have[id] = m.ID
	}
	if !reflect.DeepEqual(have, want) {
		t.Errorf("%v\nwant %v", have, want)
	}
	if got, err := f.Latest(t.Context(), nil); err != nil || len(got) != 0 {
		t.Error(got, err)
	}
}

func TestListsOutliveOddDocuments(t *testing.T) {
	f := open(t, nil)
	chat := f.NewChatID()
	good := f.text(chat, 5)
	f.insert(t, good)
	undated := oid(t, string(f.NewMessageID()))
	var docs bson.A
	cid := oid(t, string(chat))
	when := bson.NewDateTimeFromTime(at(9))
	for _, d := range []bson.D{
		{{Key: "_id", Value: "a string"}, {Key: "chatId", Value: cid}, {Key: "createdAt", Value: when}},
		{{Key: "_id", Value: undated}, {Key: "chatId", Value: cid}},
		{{Key: "_id", Value: bson.NewObjectID()}, {Key: "chatId", Value: cid}, {Key: "createdAt", Value: "yesterday"}},
		{{Key: "_id", Value: bson.NewObjectID()}, {Key: "chatId", Value: cid}, {Key: "createdAt", Value: bson.NewDateTimeFromTime(at(6))}, {Key: "type", Value: 4}, {Key: "textMessage", Value: bson.A{}}, {Key: "senderId", Value: nil}, {Key: "updatedAt", Value: false}},
	} {
		docs = append(docs, d)
	}
	_, err := f.raw.Collection("messages").InsertMany(t.Context(), docs)
	must(t, err)
	got, found, err := f.History(t.Context(), chat, models.Page{Limit: 10})
	if err != nil || !found || len(got) != 2 || got[1].ID != good.ID || !got[0].UpdatedAt.Equal(at(6)) {
		t.Errorf("%+v %v %v", got, found, err)
	}
	if got, err := f.Since(t.Context(), []models.ChatID{chat}, at(0), 10); err != nil || len(got) != 2 {
		t.Errorf("%+v %v", got, err)
	}
	m, found, err := f.Message(t.Context(), models.MessageID(undated.Hex()))
	if err != nil || !found || !m.CreatedAt.Equal(undated.Timestamp()) || m.Type != models.Text {
		t.Errorf("%+v %v %v", m, found, err)
	}
	if _, found, err := f.History(t.Context(), chat, models.Page{Before: m.ID, Limit: 10}); found || err != nil {
		t.Error("a message outside the order is no cursor: ", found, err)
	}
}
