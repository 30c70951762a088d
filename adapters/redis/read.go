package redis

import (
	"context"

	driver "github.com/redis/go-redis/v9"

	"parley/models"
)

// Count says how many sockets the user has.
func (p *Presence) Count(ctx context.Context, user models.UserID) (int, error) {
	var n int64
	err := p.sound(ctx, "count", func() (err error) {
		n, err = p.client.SCard(ctx, userKey(user)).Result()
		return err
	}, typed{userKey(user), aSet})
	return int(n), err
}

// Pods counts the pods that keep presence as this one does, those that died a
// moment ago among them.
func (p *Presence) Pods(ctx context.Context) (int, error) {
	var n int64
	err := p.sound(ctx, "pods", func() (err error) {
		n, err = p.client.ZCard(ctx, podsKey).Result()
		return err
	}, typed{podsKey, aZSet})
	return int(n), err
}

// Sockets returns the user's sockets on all pods, in no order.
func (p *Presence) Sockets(ctx context.Context, user models.UserID) ([]models.SocketID, error) {
	members, err := p.members(ctx, "sockets", user)
	if err != nil {
		return nil, err
	}
	sockets := make([]models.SocketID, len(members))
	for i, m := range members {
		sockets[i] = models.SocketID(m)
	}
	return sockets, nil
}

// Online tells which of the users have a socket, batch by batch.
func (p *Presence) Online(ctx context.Context, users []models.UserID) (map[models.UserID]bool, error) {
	online := make(map[models.UserID]bool, len(users))
	for start := 0; start < len(users); start += batchSize {
		batch := users[start:min(start+batchSize, len(users))]
		commands := make([]*driver.IntCmd, len(batch))
		keys := make([]typed, len(batch))
		for i, user := range batch {
			keys[i] = typed{userKey(user), aSet}
		}
		err := p.sound(ctx, "online", func() error {
			_, err := p.client.Pipelined(ctx, func(pipe driver.Pipeliner) error {
				for i, user := range batch {
					commands[i] = pipe.SCard(ctx, userKey(user))
				}
				return nil
			})
			return err
		}, keys...)
		if err != nil {
			return nil, err
		}
		for i, user := range batch {
			online[user] = commands[i].Val() > 0
		}
	}
	return online, nil
}
