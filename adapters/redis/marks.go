package redis

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	driver "github.com/redis/go-redis/v9"

	"parley/models"
)

// marksKey is a hash: pod → its mark.
const marksKey = "parley:marks"

// isOver is what the mark of a pod ends in that has ended.
const isOver = " over"

// Trade leaves this pod's mark and returns everybody's, in one round trip. What
// cannot be read is no mark.
func (p *Presence) Trade(ctx context.Context, mark models.Mark) (map[string]models.Mark, error) {
	var all *driver.MapStringStringCmd
	err := p.sound(ctx, "trade_marks", func() error {
		return p.trips.ride(ctx, marksKey, func(pipe driver.Pipeliner) {
			pipe.HSet(ctx, marksKey, p.pod, spellMark(mark))
			all = pipe.HGetAll(ctx, marksKey)
		})
	}, typed{marksKey, aHash})
	if err != nil {
		return nil, err
	}
	marks := make(map[string]models.Mark, len(all.Val()))
	for pod, text := range all.Val() {
		if m, ok := readMark(text); ok && podPattern.MatchString(pod) {
			marks[pod] = m
			continue
		}
		p.metrics.Dropped(oddMark)
	}
	return marks, nil
}

// Withdraw takes the marks of pods that are none any more.
func (p *Presence) Withdraw(ctx context.Context, pods ...string) error {
	return p.sound(ctx, "withdraw_marks", func() error {
		return p.trips.ride(ctx, marksKey, func(pipe driver.Pipeliner) { pipe.HDel(ctx, marksKey, pods...) })
	}, typed{marksKey, aHash})
}

// spellMark writes what was sent and heard in Unix ms.
func spellMark(m models.Mark) string {
	heard := int64(0)
	if !m.Heard.IsZero() {
		heard = m.Heard.UnixMilli()
	}
	text := fmt.Sprintf("%d %d", m.Sent.UnixMilli(), heard)
	if m.Over {
		text += isOver
	}
	return text
}

// readMark does not ask whether times are plausible: they are of another's clock,
// and one that is wrong only holds the others up, or is ahead of them.
func readMark(text string) (m models.Mark, ok bool) {
	text, m.Over = strings.CutSuffix(text, isOver)
	first, second, _ := strings.Cut(text, " ")
	sent, err := strconv.ParseInt(first, 10, 64)
	if err != nil || sent <= 0 {
		return models.Mark{}, false
	}
	heard, err := strconv.ParseInt(second, 10, 64)
	if err != nil || heard < 0 {
		return models.Mark{}, false
	}
	m.Sent = time.UnixMilli(sent).UTC()
	if heard > 0 {
		m.Heard = time.UnixMilli(heard).UTC()
	}
	return m, true
}
