//go:build !noembed

package embedded

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// find answers a query from the indexes; errOther where they do not serve it.
func (q query) find(ctx context.Context, db *sql.DB, table string) ([]bson.Raw, error) {
	if len(q.filter) == 0 {
		return nil, errOther
	}
	first, err := q.filter.IndexErr(0)
	if err != nil {
		return nil, errOther // an empty filter
	}
	values, err := wanted(first.Value())
	if err != nil {
		return nil, err
	}
	var raws []bson.Raw
	switch key := first.Key(); {
	case key == "_id" && q.collection != "" && q.plain():
		raws, err = q.byID(ctx, db, table, values)
	case key == "participants" && q.collection == "chats" && q.plain():
		raws, err = q.ofMembers(ctx, db, table, values)
	case key == "chatId" && q.collection == "messages":
		raws, err = q.inOrder(ctx, db, table, values)
	case key == "user" && q.collection == "parley_moves" && q.plain():
		raws, err = q.ofUsers(ctx, db, table, values)
	default:
		err = errOther
	}
	if err != nil {
		return nil, err
	}
	return q.projected(raws)
}

func (q query) byID(ctx context.Context, db *sql.DB, table string, ids []bson.RawValue) ([]bson.Raw, error) {
	get, err := db.PrepareContext(ctx, fmt.Sprintf(`SELECT %s FROM "%s" WHERE %s = ?`, doc, table, docID))
	if err != nil {
		return nil, err
	}
	defer func() { _ = get.Close() }()
	var raws []bson.Raw
	for _, id := range texts(ids) {
		stored, err := json.Marshal(id)
		if err != nil {
			return nil, err
		}
		rows, err := get.QueryContext(ctx, string(stored))
		if err != nil {
			return nil, err
		}
		if raws, err = q.take(rows, raws); err != nil {
			return nil, err
		}
	}
	return raws, nil
}

// ofMembers finds chats by who takes part. Where only their ids are wanted the
// chats are not read, if each ObjectId is asked for as a string, too: of what
// kind a participant is, the table does not say.
func (q query) ofMembers(ctx context.Context, db *sql.DB, table string, users []bson.RawValue) ([]bson.Raw, error) {
	names := make([]any, 0, len(users))
	strs := map[string]bool{}
	for _, u := range users {
		if u.Type == bson.TypeString {
			strs[u.StringValue()] = true
		}
	}
	fields, _ := q.projection.Elements()
	idsOnly := len(fields) == 1 && fields[0].Key() == "_id"
	for _, u := range users {
		names = append(names, text(u))
		idsOnly = idsOnly && strs[text(u)]
	}
	in := `IN (?` + strings.Repeat(`,?`, max(0, len(names)-1)) + `)`
	if len(names) == 0 {
		return nil, nil
	}
	if idsOnly {
		return idsOf(ctx, db, fmt.Sprintf(`SELECT DISTINCT chat, kind FROM "parley_members_%s" WHERE user %s`, table, in), names)
	}
	rows, err := db.QueryContext(ctx, fmt.Sprintf(`SELECT %[1]s FROM "%[2]s" WHERE %[3]s IN (SELECT chat FROM "parley_members_%[2]s" WHERE user %[4]s)`, doc, table, docID, in), names...)
	if err != nil {
		return nil, err
	}
	return q.take(rows, nil)
}

// ofUsers finds the moves of users from a time on.
func (q query) ofUsers(ctx context.Context, db *sql.DB, table string, users []bson.RawValue) ([]bson.Raw, error) {
	from, to := q.between("at")
	get, err := db.PrepareContext(ctx, fmt.Sprintf(`SELECT %s FROM "%s" WHERE %s = ? AND %s BETWEEN ? AND ?`, doc, table, moveOf, moveAt))
	if err != nil {
		return nil, err
	}
	defer func() { _ = get.Close() }()
	var raws []bson.Raw
	for _, user := range texts(users) {
		rows, err := get.QueryContext(ctx, user, from, to)
		if err != nil {
			return nil, err
		}
		if raws, err = q.take(rows, raws); err != nil {
			return nil, err
		}
	}
	return raws, nil
}

// inOrder finds the messages of chats, newest or oldest first, one chat after
// the other, each from where the index has it on: no more than the limit, and
// none beyond what the others have brought already.
func (q query) inOrder(ctx context.Context, db *sql.DB, table string, chats []bson.RawValue) ([]bson.Raw, error) {
	direction, err := q.direction()
	if err != nil || q.limit == 0 {
		return nil, errOther
	}
	from, to := q.between("createdAt")
	order := [...]string{"", " DESC"}[(1-direction)/2]
	get, err := db.PrepareContext(ctx, fmt.Sprintf(`SELECT %[1]s, CAST(%[3]s AS INTEGER), %[4]s FROM "%[2]s" WHERE %[5]s = ? AND %[3]s BETWEEN ? AND ? ORDER BY %[3]s%[6]s, %[4]s%[6]s`,
		doc, table, messageAt, messageID, messageIn, order))
	if err != nil {
		return nil, err
	}
	defer func() { _ = get.Close() }()
	var all []found
	for _, chat := range texts(chats) {
		rows, err := get.QueryContext(ctx, chat, from, to)
		if err != nil {
			return nil, err
		}
		if all, err = q.first(rows, all); err != nil {
			return nil, err
		}
		if len(all) <= q.limit {
			continue
		}
		slices.SortFunc(all, func(a, b found) int {
			return direction * cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.id, b.id))
		})
		all = all[:q.limit]
		if last := all[q.limit-1].at; direction < 0 {
			from = max(from, last)
		} else {
			to = min(to, last)
		}
	}
	slices.SortFunc(all, func(a, b found) int {
		return direction * cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.id, b.id))
	})
	raws := make([]bson.Raw, len(all))
	for i, f := range all {
		raws[i] = f.raw
	}
	return raws, nil
}
