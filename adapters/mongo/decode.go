package mongo

import (
	"encoding/hex"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"parley/models"
)

// What is read here may have been written by anybody: every field is taken for
// what it is if that makes sense, and for absent otherwise.

// stringOf returns a string field.
func stringOf(d bson.Raw, key string) string {
	s, _ := d.Lookup(key).StringValueOK()
	return s
}

// dateOf returns a Date field in UTC.
func dateOf(d bson.Raw, key string) (time.Time, bool) {
	ms, ok := d.Lookup(key).DateTimeOK()
	if !ok {
		return time.Time{}, false
	}
	return time.UnixMilli(ms).UTC(), true
}

// idOf returns the _id; a document whose _id is no ObjectId cannot be named in
// our API and is passed over.
func idOf(d bson.Raw) (bson.ObjectID, bool) { return d.Lookup("_id").ObjectIDOK() }

// hexOf returns an ObjectId or a string as a string.
func hexOf(v bson.RawValue) string {
	if id, ok := v.ObjectIDOK(); ok {
		return id.Hex()
	}
	s, _ := v.StringValueOK()
	return s
}

// userOf returns who a value names; false for a number, null, a subdocument.
func userOf(v bson.RawValue) (models.UserID, bool) { return models.ParseUserID(hexOf(v)) }

func chatOf(d bson.Raw) (models.Chat, bool) {
	id, ok := idOf(d)
	if !ok {
		return models.Chat{}, false
	}
	c := models.Chat{ID: models.ChatID(id.Hex()), Name: stringOf(d, "name"), Participants: participantsOf(d.Lookup("participants"))}
	c.CreatedAt, c.UpdatedAt = stamps(d, id)
	return c, true
}

// participantsOf names each user once, in the order of the document. A chat of
// very many is read for each post to it: their ids share one text.
func participantsOf(v bson.RawValue) []models.UserID {
	array, ok := v.ArrayOK()
	if !ok {
		if u, ok := userOf(v); ok {
			return []models.UserID{u}
		}
		return []models.UserID{}
	}
	ids := make([]byte, 0, len(array)*3/2)
	var ends []int
	eachIn(array, func(v bson.RawValue) {
		if id, ok := v.ObjectIDOK(); ok {
			ids = hex.AppendEncode(ids, id[:])
		} else if u, ok := userOf(v); ok {
			ids = append(ids, u...)
		} else {
			return
		}
		ends = append(ends, len(ids))
	})
	users := make([]models.UserID, 0, len(ends))
	in := make(map[models.UserID]struct{}, len(ends))
	all, from := string(ids), 0
	for _, end := range ends {
		u := models.UserID(all[from:end])
		from = end
		if in[u] = struct{}{}; len(in) > len(users) {
			users = append(users, u)
		}
	}
	return users
}

// eachIn hands out the values of an array, as far as it can be read.
func eachIn(array bson.RawArray, f func(bson.RawValue)) {
	const head = 4 // its length
	for rest := []byte(array)[min(head, len(array)):]; ; {
		e, behind, ok := bsoncore.ReadElement(rest)
		if !ok {
			return
		}
		v := e.Value()
		f(bson.RawValue{Type: bson.Type(v.Type), Value: v.Data})
		rest = behind
	}
}

func messageOf(d bson.Raw) (models.Message, bool) {
	id, ok := idOf(d)
	if !ok {
		return models.Message{}, false
	}
	m := models.Message{
		ID:      models.MessageID(id.Hex()),
		Text:    stringOf(d, "textMessage"),
		FileURL: stringOf(d, "fileUrl"),
		Type:    models.MessageType(stringOf(d, "type")),
	}
	m.ChatID, _ = models.ParseChatID(hexOf(d.Lookup("chatId")))
	m.SenderID, _ = userOf(d.Lookup("senderId"))
	if m.Type == "" && m.FileURL == "" {
		m.Type = models.Text
	}
	m.CreatedAt, m.UpdatedAt = stamps(d, id)
	return m, true
}

// stamps returns createdAt and updatedAt. An ObjectId knows when it was made,
// which stands in for a missing createdAt; that stands in for updatedAt.
func stamps(d bson.Raw, id bson.ObjectID) (created, updated time.Time) {
	created, ok := dateOf(d, "createdAt")
	if !ok {
		created = id.Timestamp().UTC()
	}
	if updated, ok = dateOf(d, "updatedAt"); !ok {
		updated = created
	}
	return created, updated
}
