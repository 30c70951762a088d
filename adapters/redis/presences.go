package redis

import (
	"context"

	driver "github.com/redis/go-redis/v9"

	"parley/models"
)

// Presences says of each of the users how many sockets they have and, of one who
// has none, when they were last seen, as far as it is noted here. It asks once
// for all.
func (p *Presence) Presences(ctx context.Context, users []models.UserID) ([]models.Presence, error) {
	counts := make([]*driver.IntCmd, len(users))
	notes := make([]*driver.SliceCmd, len(users))
	keys := make([]typed, 0, 2*len(users))
	for _, u := range users {
		keys = append(keys, typed{userKey(u), aSet}, typed{absenceKey(u), aHash})
	}
	err := p.sound(ctx, "presences", func() error {
		_, err := p.client.Pipelined(ctx, func(pipe driver.Pipeliner) error {
			for i, u := range users {
				counts[i] = pipe.SCard(ctx, userKey(u))
				notes[i] = pipe.HMGet(ctx, absenceKey(u), "since", "back")
			}
			return nil
		})
		return err
	}, keys...)
	if err != nil {
		return nil, err
	}
	all := make([]models.Presence, len(users))
	for i, u := range users {
		all[i] = models.Presence{UserID: u, Sockets: int(counts[i].Val())}
		values := notes[i].Val()
		if all[i].Sockets > 0 || len(values) != 2 || values[0] == nil {
			continue
		}
		note := map[string]string{"seen": "[]"}
		for j, field := range []string{"since", "back"} {
			if text, ok := values[j].(string); ok {
				note[field] = text
			}
		}
		if absence, noted := p.absenceOf(note); noted {
			all[i].LastSeen = absence.Since
		}
	}
	return all, nil
}
