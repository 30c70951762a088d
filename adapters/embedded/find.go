//go:build !noembed

package embedded

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// maxFound is how many bytes of documents are one answer.
const maxFound = 16 << 20

// query is a find that can be answered from the indexes, if its filter is.
type query struct {
	database, collection     string
	filter, sort, projection bson.Raw
	limit                    int
}

// readQuery takes a find apart; false for one with more to it than is known here.
func readQuery(command bson.Raw) (q query, ok bool) {
	elements, err := command.Elements()
	if err != nil {
		return q, false
	}
	for _, e := range elements {
		v := e.Value()
		switch e.Key() {
		case "find":
			q.collection, ok = v.StringValueOK()
		case "$db":
			q.database, ok = v.StringValueOK()
		case "filter":
			q.filter, ok = v.DocumentOK()
		case "sort":
			q.sort, ok = v.DocumentOK()
		case "projection":
			q.projection, ok = v.DocumentOK()
		case "limit":
			var n int64
			n, ok = v.AsInt64OK()
			q.limit = int(n)
		case "batchSize":
			n, isInt := v.AsInt64OK()
			ok = isInt && n > 0
		case "singleBatch", "lsid", "readConcern", "$readPreference", "maxTimeMS", "$clusterTime":
			ok = true
		default:
			ok = false
		}
		if !ok {
			return q, false
		}
	}
	return q, q.limit >= 0
}

// found is one document and, where there is an order, its place in it.
type found struct {
	raw bson.Raw
	at  int64
	id  string
}

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

// plain says that the documents have no order and are all wanted.
func (q query) plain() bool { return len(q.sort) <= 5 && q.limit == 0 }

// wanted are the values that a field has one of.
func wanted(v bson.RawValue) ([]bson.RawValue, error) {
	values := []bson.RawValue{v}
	if d, ok := v.DocumentOK(); ok {
		var err error
		if values, err = list(d.Lookup("$in")); err != nil {
			return nil, errOther
		}
	}
	for _, v := range values {
		if v.Type != bson.TypeObjectID && v.Type != bson.TypeString {
			return nil, errOther
		}
	}
	return values, nil
}

// texts are what values are found by, each once.
func texts(values []bson.RawValue) []string {
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = text(v)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// text is how an ObjectId or a string is stored, without its quotes.
func text(v bson.RawValue) string {
	if id, ok := v.ObjectIDOK(); ok {
		return id.Hex()
	}
	s, _ := v.StringValueOK()
	return s
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

func idsOf(ctx context.Context, db *sql.DB, statement string, names []any) (raws []bson.Raw, err error) {
	rows, err := db.QueryContext(ctx, statement, names...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var stored, kind string
		if err := rows.Scan(&stored, &kind); err != nil {
			return nil, err
		}
		id, err := (&element{Type: kind}).value(json.RawMessage(stored))
		if err != nil {
			return nil, err
		}
		raw, err := bson.Marshal(bson.D{{Key: "_id", Value: id}})
		if err != nil {
			return nil, err
		}
		raws = append(raws, raw)
	}
	return raws, rows.Err()
}

// take reads the documents that match.
func (q query) take(rows *sql.Rows, into []bson.Raw) (raws []bson.Raw, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var stored sql.RawBytes
		if err := rows.Scan(&stored); err != nil {
			return nil, err
		}
		raw, err := q.matching(stored)
		if err != nil {
			return nil, err
		}
		if raw != nil {
			into = append(into, raw)
		}
	}
	return into, rows.Err()
}

// matching is the stored document, nil where it is not wanted after all.
func (q query) matching(stored []byte) (bson.Raw, error) {
	d, err := decode(stored)
	if err != nil {
		return nil, err
	}
	raw, err := bson.Marshal(d)
	if err != nil {
		return nil, err
	}
	ok, err := matches(raw, q.filter)
	if err != nil || !ok {
		return nil, err
	}
	return raw, nil
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

// first reads the first documents that match, up to the limit.
func (q query) first(rows *sql.Rows, all []found) (_ []found, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for n := 0; n < q.limit && rows.Next(); {
		var f found
		var stored sql.RawBytes
		if err := rows.Scan(&stored, &f.at, &f.id); err != nil {
			return nil, err
		}
		if f.raw, err = q.matching(stored); err != nil {
			return nil, err
		}
		if f.raw != nil {
			all = append(all, f)
			n++
		}
	}
	return all, rows.Err()
}

// direction is 1 for oldest and -1 for newest first.
func (q query) direction() (int, error) {
	keys, err := q.sort.Elements()
	if err != nil || len(keys) != 2 || keys[0].Key() != "createdAt" || keys[1].Key() != "_id" {
		return 0, errOther
	}
	a, _ := keys[0].Value().AsInt64OK()
	b, _ := keys[1].Value().AsInt64OK()
	if a != b || a != 1 && a != -1 {
		return 0, errOther
	}
	return int(a), nil
}

// between is which times of a field can match.
func (q query) between(field string) (from, to int64) {
	const aeon = 1 << 62
	from, to = -aeon, aeon
	d, ok := q.filter.Lookup(field).DocumentOK()
	if !ok {
		return from, to
	}
	for _, op := range []string{"$gte", "$gt"} {
		if at, ok := d.Lookup(op).DateTimeOK(); ok {
			from = max(from, at)
		}
	}
	for _, op := range []string{"$lte", "$lt"} {
		if at, ok := d.Lookup(op).DateTimeOK(); ok {
			to = min(to, at)
		}
	}
	return from, to
}

// projected leaves the fields that are named, and _id.
func (q query) projected(raws []bson.Raw) ([]bson.Raw, error) {
	size := 0
	named, err := q.projection.Elements()
	if len(q.projection) > 0 && err != nil {
		return nil, err
	}
	for i, raw := range raws {
		if len(named) > 0 {
			left := bson.D{{Key: "_id", Value: raw.Lookup("_id")}}
			for _, f := range named {
				if n, ok := f.Value().AsInt64OK(); !ok || n != 1 || strings.Contains(f.Key(), ".") {
					return nil, errOther
				}
				if v := raw.Lookup(f.Key()); f.Key() != "_id" && v.Type != 0 {
					left = append(left, bson.E{Key: f.Key(), Value: v})
				}
			}
			if raws[i], err = bson.Marshal(left); err != nil {
				return nil, err
			}
		}
		if size += len(raws[i]); size > maxFound {
			return nil, errOther // that takes several answers
		}
	}
	return raws, nil
}
