//go:build !noembed

package embedded

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// maxFound is how many bytes of documents are one answer.
const maxFound = 16 << 20

// found is one document and, where there is an order, its place in it.
type found struct {
	raw bson.Raw
	at  int64
	id  string
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
