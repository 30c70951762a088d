package rooms

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"parley/models"
)

func (w *world) list(page models.ChatPage) (names []string, next models.ChatID) {
	w.t.Helper()
	chats, next, err := w.svc.ChatsOf(context.Background(), "ann", page)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range chats {
		names = append(names, c.Name)
	}
	return names, next
}

// listedChat is a chat of ann's, made so many seconds into the day.
func (w *world) listedChat(second, participants int) models.ChatID {
	w.t.Helper()
	day := w.now().Truncate(24 * time.Hour)
	at := day.Add(time.Duration(second) * time.Second)
	c := models.Chat{ID: models.ChatID(fmt.Sprintf("%08x%016x", at.Unix(), second)), Name: fmt.Sprint(second), Participants: []models.UserID{"ann"}, CreatedAt: at, UpdatedAt: at}
	for i := 1; i < participants; i++ {
		c.Participants = append(c.Participants, models.UserID(fmt.Sprint("p", i)))
	}
	w.chats[c.ID] = c
	return c.ID
}

func TestChatsAreListedPageByPage(t *testing.T) {
	w := newWorld(t)
	var ids []models.ChatID
	for i := range 7 {
		ids = append(ids, w.listedChat(i, 1))
	}
	w.send("ann", ids[2], "newer than all others")
	order := []string{"2", "6", "5", "4", "3", "1", "0"}
	if got, next := w.list(models.ChatPage{Limit: 1000}); !slices.Equal(got, order) || next != "" {
		t.Errorf("all: %v, next %q", got, next)
	}
	for _, limit := range []int{1, 3, 7} {
		var all []string
		for page := (models.ChatPage{Limit: limit}); ; {
			got, next := w.list(page)
			if all = append(all, got...); next == "" || len(got) > limit || len(all) > len(order) {
				break
			}
			page.Before = next
		}
		if !slices.Equal(all, order) {
			t.Errorf("%d at a time: %v", limit, all)
		}
	}
	chats, _, err := w.svc.ChatsOf(context.Background(), "ann", models.ChatPage{Limit: 2})
	if err != nil || chats[0].LastMessage == nil || chats[1].LastMessage != nil {
		t.Errorf("%+v %v", chats, err)
	}
	if _, _, err := w.svc.ChatsOf(context.Background(), "ann", models.ChatPage{Before: "ffffffffffffffffffffffff", Limit: 2}); models.CodeOf(err) != models.CodeInvalidCursor {
		t.Error(err)
	}
}

// Of chats with very many participants a page has fewer.
func TestAPageOfChatsIsBounded(t *testing.T) {
	w := newWorld(t)
	for i := range 6 {
		w.listedChat(i, listParticipants/2)
	}
	got, next := w.list(models.ChatPage{Limit: 1000})
	if !slices.Equal(got, []string{"5", "4", "3"}) {
		t.Fatal(got)
	}
	if got, next = w.list(models.ChatPage{Before: next, Limit: 1000}); !slices.Equal(got, []string{"2", "1", "0"}) || next != "" {
		t.Error(got, next)
	}
}
