package main

import (
	"fmt"
	"math"
)

// The world of count.mjs: users with a socket each, in two chats of 5 and one
// of 50.
const (
	countedUsers = 400
	countedSmall = 2 * countedUsers / smallSize
	countedLarge = countedUsers / largeSize
)

// prediction is a figure of many pods, by the model and by counting.
type prediction struct {
	what, adapter      string
	predicted, counted float64
	blur               float64 // how exactly it can be counted at all
}

// tolerated is how far a prediction may be off, as a part of what was counted.
const tolerated = 0.05

func (p prediction) holds() bool {
	return math.Abs(p.predicted-p.counted) <= tolerated*p.counted+p.blur
}

// Pods ask Redis by the clock, too, and what of that falls into the time of
// counting differs: by so many commands for each event, and for an idle socket.
const (
	blur     = 5
	idleBlur = 1
)

// predictions are what the unit costs of two pods say of eight, beside what was
// counted there. Only of counts: CPU times are as good as the machine was quiet.
func (c *costs) predictions(t table) (all []prediction, err error) {
	for _, a := range adapters {
		b := c.bus[a]
		read := &reader{table: t, column: a}
		blurred := func(what string, predicted, counted, blur float64) {
			all = append(all, prediction{what, a, predicted, counted, blur})
		}
		note := func(what string, predicted, counted float64) { blurred(what, predicted, counted, 0) }
		for _, size := range []float64{smallSize, largeSize} {
			what := fmt.Sprintf("a message to %v", size)
			want, have := b.message(a, many, size), read.event(many, what)
			note(what+": publications", want.published, have.published)
			note(what+": pushed to pods", want.received, have.received)
			blurred(what+": Redis commands", want.commands, have.commands, blur)
			note(what+": MongoDB trips", want.trips, have.trips)
		}
		// The machine lets in as many a second on many pods as on few: of that each
		// pod has less, and shares less.
		want, have := b.connects(a, many, b.arrivals*few/many), read.event(many, "a connect")
		note("a connect: pushed to pods", want.received, have.received)
		blurred("a connect: Redis commands", want.commands, have.commands, blur)
		note("a connect: MongoDB trips", want.trips, have.trips)
		blurred("an idle socket: Redis commands", b.socketTTL, read.row(many, "idle, 400 connected: Redis commands a PRESENCE_TTL and socket"), idleBlur)
		rooms := subscriptions(a, many, countedUsers, countedSmall, smallSize) - subscriptions(a, many, 0, 0, smallSize)
		rooms += subscriptions(a, many, 0, countedLarge, largeSize)
		note("subscriptions", rooms, read.row(many, "subscriptions: in all"))
		if read.err != nil {
			return nil, read.err
		}
	}
	return all, nil
}

var checkedHead = append([]string{fmt.Sprintf("%d pods: predicted / counted", many)}, adapters...)

func (c *costs) checked(t table) [][]string {
	all, err := c.predictions(t)
	if err != nil {
		return nil
	}
	var rows [][]string
	at := map[string]int{}
	for _, p := range all {
		if _, known := at[p.what]; !known {
			at[p.what] = len(rows)
			rows = append(rows, []string{p.what})
		}
		i := at[p.what]
		rows[i] = append(rows[i], figure(p.predicted)+" / "+figure(p.counted))
	}
	return rows
}
