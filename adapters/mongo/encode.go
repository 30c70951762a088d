package mongo

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"parley/models"
)

// version is the key Mongoose gives each document it makes.
const version = int32(0)

// date cuts to the millisecond, which is all a Date holds.
func date(t time.Time) bson.DateTime { return bson.NewDateTimeFromTime(t) }

// userValue is how a user is stored: as an ObjectId where the id is one.
func userValue(u models.UserID) any {
	if u.IsObjectID() {
		if id, err := bson.ObjectIDFromHex(string(u)); err == nil {
			return id
		}
	}
	return string(u)
}

// userForms are all ways a user may be found among participants. An id of 24
// hex digits may be there as an ObjectId or as a string in either case; MongoDB
// could match mixed case only by reading every document.
func userForms(u models.UserID) bson.A {
	if !u.IsObjectID() {
		return bson.A{string(u)}
	}
	lower, upper := strings.ToLower(string(u)), strings.ToUpper(string(u))
	forms := bson.A{userValue(u), lower}
	if upper != lower {
		forms = append(forms, upper)
	}
	return forms
}

func chatDoc(c models.Chat) (bson.D, error) {
	id, err := objectID(string(c.ID))
	if err != nil {
		return nil, err
	}
	d := bson.D{{Key: "_id", Value: id}}
	if c.Name != "" {
		d = append(d, bson.E{Key: "name", Value: c.Name})
	}
	participants := make(bson.A, 0, len(c.Participants))
	for _, u := range c.Participants {
		participants = append(participants, userValue(u))
	}
	return append(d,
		bson.E{Key: "participants", Value: participants},
		bson.E{Key: "createdAt", Value: date(c.CreatedAt)},
		bson.E{Key: "updatedAt", Value: date(c.UpdatedAt)},
		bson.E{Key: "__v", Value: version},
	), nil
}

func messageDoc(m models.Message) (bson.D, error) {
	id, err := objectID(string(m.ID))
	if err != nil {
		return nil, err
	}
	chat, err := objectID(string(m.ChatID))
	if err != nil {
		return nil, err
	}
	d := bson.D{
		{Key: "_id", Value: id},
		{Key: "chatId", Value: chat},
		{Key: "senderId", Value: userValue(m.SenderID)},
		{Key: "type", Value: string(m.Type)},
	}
	if m.IsFile() {
		d = append(d, bson.E{Key: "fileUrl", Value: m.FileURL})
	} else {
		d = append(d, bson.E{Key: "textMessage", Value: m.Text})
	}
	return append(d,
		bson.E{Key: "createdAt", Value: date(m.CreatedAt)},
		bson.E{Key: "updatedAt", Value: date(m.UpdatedAt)},
		bson.E{Key: "__v", Value: version},
	), nil
}

// messageDocs encodes all of them, or none.
func messageDocs(messages []models.Message) ([]bson.D, error) {
	docs := make([]bson.D, 0, len(messages))
	for _, m := range messages {
		d, err := messageDoc(m)
		if err != nil {
			return nil, models.Internal(err)
		}
		docs = append(docs, d)
	}
	return docs, nil
}

// objectID parses an id that came out of models and so should be one.
func objectID(hex string) (bson.ObjectID, error) {
	id, err := bson.ObjectIDFromHex(hex)
	if err != nil {
		return id, fmt.Errorf("id %q: %w", hex, err)
	}
	return id, nil
}

// objectIDs encodes chat ids, each once, leaving out what cannot be one.
func objectIDs(chats []models.ChatID) []bson.ObjectID {
	ids := make([]bson.ObjectID, 0, len(chats))
	for _, c := range chats {
		if id, err := objectID(string(c)); err == nil {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b bson.ObjectID) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(ids)
}

// byID is the filter for one document. It holds nothing else, because that is
// all an embedded server can look up without reading the whole collection.
func byID(id any) bson.D { return bson.D{{Key: "_id", Value: id}} }

// anyOf is the filter for several documents, where Store.byIDs.
func anyOf[ID any](ids []ID) bson.D { return byID(bson.D{{Key: "$in", Value: ids}}) }
