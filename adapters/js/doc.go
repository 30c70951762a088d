// Package js is what JavaScript values look like in Go, and how Node's packages
// write and read them: JSON as JSON.stringify and JSON.parse have it, and
// MessagePack as notepack.io and @msgpack/msgpack do, to the byte.
//
// It owns the order of keys, the printing of numbers, dates, and strings that
// hold half a surrogate pair. It refuses to know what the values are for.
//
// A value is one of nil, Undefined, bool, float64, string, []byte, time.Time,
// []any and Object. Decoders return nothing else; encoders also take what Go
// programs have at hand: other numbers, maps, slices, structs.
package js

import "errors"

// What one text or message may cost at most. Redis cuts a subscriber off at 32
// MiB of output, and client events are far below the other two, so nothing
// legitimate is larger.
const (
	MaxBytes  = 32 << 20
	MaxDepth  = 128
	MaxValues = 1 << 20
)

// The ways in which something cannot be read or written.
var (
	ErrMalformed = errors.New("malformed message")
	ErrTooLarge  = errors.New("message too large")
	ErrTooDeep   = errors.New("message nested too deeply")
)
