//go:build !noembed

package embedded

import (
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
)

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
