package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// matches says whether a document matches a filter.
func matches(d, filter bson.Raw) (bool, error) {
	if len(filter) == 0 {
		return true, nil
	}
	elements, err := filter.Elements()
	if err != nil {
		return false, err
	}
	for _, e := range elements {
		ok, err := condition(d, e.Key(), e.Value())
		if !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

func condition(d bson.Raw, name string, want bson.RawValue) (bool, error) {
	switch {
	case name == "$and", name == "$or":
		return combined(d, name, want)
	case strings.HasPrefix(name, "$"):
		return false, fmt.Errorf("the filter %s is not supported", name)
	case strings.Contains(name, "."):
		return within(d, name, want)
	}
	if want.Type == bson.TypeNull {
		have := d.Lookup(name).Type
		return have == bson.TypeNull || have == 0, nil
	}
	have := alternatives(d.Lookup(name))
	operators, ok := want.DocumentOK()
	if !ok {
		return slices.ContainsFunc(have, func(v bson.RawValue) bool { return v.Equal(want) }), nil
	}
	elements, err := operators.Elements()
	if err != nil {
		return false, err
	}
	for _, op := range elements {
		hit := false
		for _, v := range have {
			ok, err := holds(v, op.Key(), op.Value())
			if err != nil {
				return false, err
			}
			hit = hit || ok
		}
		if !hit {
			return false, nil
		}
	}
	return true, nil
}

// within asks whether an array has so many values: "participants.100": {$exists: false}.
func within(d bson.Raw, name string, want bson.RawValue) (bool, error) {
	field, at, _ := strings.Cut(name, ".")
	operators, _ := want.DocumentOK()
	exists, ok := operators.Lookup("$exists").BooleanOK()
	several, err := operators.Elements()
	if _, isNumber := strconv.Atoi(at); isNumber != nil || err != nil || !ok || len(several) != 1 {
		return false, fmt.Errorf("the filter %s: %s is not supported", name, want)
	}
	return exists == (d.Lookup(field, at).Type != 0), nil
}

func combined(d bson.Raw, name string, filters bson.RawValue) (bool, error) {
	for _, v := range alternatives(filters) {
		f, ok := v.DocumentOK()
		if !ok {
			return false, fmt.Errorf("%s must be of filters", name)
		}
		ok, err := matches(d, f)
		if err != nil || ok == (name == "$or") {
			return ok, err
		}
	}
	return name == "$and", nil
}

func holds(v bson.RawValue, op string, want bson.RawValue) (bool, error) {
	sameKind := v.Type == want.Type
	switch op {
	case "$eq":
		return v.Equal(want), nil
	case "$in":
		return slices.ContainsFunc(alternatives(want), v.Equal), nil
	case "$gt":
		return sameKind && compare(v, want) > 0, nil
	case "$gte":
		return sameKind && compare(v, want) >= 0, nil
	case "$lt":
		return sameKind && compare(v, want) < 0, nil
	case "$lte":
		return sameKind && compare(v, want) <= 0, nil
	case "$type":
		if name, _ := want.StringValueOK(); name == "date" {
			return v.Type == bson.TypeDateTime, nil
		}
	}
	return false, fmt.Errorf("the filter %s: %s is not supported", op, want)
}
