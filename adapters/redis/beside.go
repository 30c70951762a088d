package redis

import (
	"context"
	"slices"

	driver "github.com/redis/go-redis/v9"

	"parley/models"
)

// maxBeside bounds how many sockets of one user are told apart. Who has more has
// some of ours among them.
const maxBeside = 100

// Ours says how many of the user's sockets are in a Parley pod's books, a dead
// pod's until it is cleaned up after. Of the others it is not known who serves
// them, or whether anybody does.
func (p *Presence) Ours(ctx context.Context, user models.UserID) (int, error) {
	members, err := p.members(ctx, "ours", user)
	if err != nil {
		return 0, err
	}
	return p.oursOf(ctx, user, members)
}

// oursOf says how many of these sockets, which were in the user's set just now,
// are ours. One that is in nobody's books because it has left since then was.
func (p *Presence) oursOf(ctx context.Context, user models.UserID, members []string) (int, error) {
	if len(members) > maxBeside {
		return len(members), nil
	}
	strangers := slices.DeleteFunc(slices.Clone(members), func(id string) bool { return p.sockets.knows(models.SocketID(id)) })
	if len(strangers) == 0 {
		return len(members), nil
	}
	var ours map[string]bool
	err := p.ask("ours", func() (err error) {
		ours, err = p.trips.booked(ctx, strangers)
		return err
	})
	if err != nil {
		return 0, err
	}
	strangers = slices.DeleteFunc(strangers, func(id string) bool { return ours[id] })
	if len(strangers) == 0 {
		return len(members), nil
	}
	still, err := p.members(ctx, "ours", user)
	if err != nil {
		return 0, err
	}
	strangers = slices.DeleteFunc(strangers, func(id string) bool { return !slices.Contains(still, id) })
	return len(members) - len(strangers), nil
}

func (p *Presence) members(ctx context.Context, op string, user models.UserID) ([]string, error) {
	var members *driver.StringSliceCmd
	err := p.sound(ctx, op, func() error {
		return p.trips.ride(ctx, userKey(user), func(pipe driver.Pipeliner) { members = pipe.SMembers(ctx, userKey(user)) })
	}, typed{userKey(user), aSet})
	if err != nil {
		return nil, err
	}
	return members.Val(), nil
}

// booked is for who asks seldom and about many.
func booked(ctx context.Context, client driver.UniversalClient, sockets []string) (map[string]bool, error) {
	return newTrips(client).booked(ctx, sockets)
}

// booked says which of the sockets are in a Parley pod's books. A socket is
// noted there before it is in its set, and until after it is out of it.
func (t *trips) booked(ctx context.Context, sockets []string) (map[string]bool, error) {
	pods, err := t.podsOf(ctx, sockets)
	if err != nil {
		return nil, err
	}
	ours := make(map[string]bool, len(pods))
	for socket := range pods {
		ours[socket] = true
	}
	return ours, nil
}

// PodsOf counts the user's sockets by the pods in whose books they are.
func (p *Presence) PodsOf(ctx context.Context, user models.UserID) (map[string]int, error) {
	members, err := p.members(ctx, "pods_of", user)
	if err != nil {
		return nil, err
	}
	var pods map[string]string
	err = p.ask("pods_of", func() (err error) {
		pods, err = p.trips.podsOf(ctx, members[:min(len(members), maxBeside)])
		return err
	})
	counts := map[string]int{}
	for _, pod := range pods {
		counts[pod]++
	}
	return counts, err
}

// podsOf says in which pod's books each of the sockets is that is in any.
func (t *trips) podsOf(ctx context.Context, sockets []string) (map[string]string, error) {
	ours := map[string]string{}
	if len(sockets) == 0 {
		return ours, nil
	}
	var list *driver.StringSliceCmd
	err := t.ride(ctx, podsKey, func(pipe driver.Pipeliner) { list = pipe.ZRange(ctx, podsKey, 0, -1) })
	if err != nil && !isWrongType(err) { // its pods will put it right
		return nil, models.Unavailable("Redis", err)
	}
	pods := list.Val()
	if len(pods) == 0 {
		return ours, nil
	}
	books := make([]*driver.SliceCmd, len(pods))
	err = t.ride(ctx, podsKey, func(pipe driver.Pipeliner) {
		for i, pod := range pods {
			books[i] = pipe.HMGet(ctx, socketsKey(pod), sockets...)
		}
	})
	if err != nil && !isWrongType(err) {
		return nil, models.Unavailable("Redis", err)
	}
	for n, book := range books {
		users, err := book.Result()
		if err != nil && !isWrongType(err) {
			return nil, models.Unavailable("Redis", err)
		}
		for i, user := range users {
			if user != nil {
				ours[sockets[i]] = pods[n]
			}
		}
	}
	return ours, nil
}
