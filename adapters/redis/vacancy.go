package redis

import (
	"context"
	"encoding/json"
	"time"

	driver "github.com/redis/go-redis/v9"

	"parley/models"
)

const vacantPrefix = "parley:vacant:"

// A hash for each user: socket → what it had, as JSON. It ends as a whole, some time
// after the last that left; by then the others are too old. Of more than a few those
// that left first are dropped: a user does not leave with so many.
const vacateScript = `local all,since=redis.call('HGETALL',KEYS[1]),{}
local sockets={}
for i=1,#all,2 do
  local ok,v=pcall(cjson.decode,all[i+1])
  sockets[#sockets+1]=all[i]
  since[all[i]]=ok and type(v)=='table' and tonumber(v.since) or 0
end
table.sort(sockets,function(a,b) return since[a]<since[b] end)
for i=1,#sockets-tonumber(ARGV[4])+1 do redis.call('HDEL',KEYS[1],sockets[i]) end
redis.call('HSET',KEYS[1],ARGV[1],ARGV[2])
redis.call('PEXPIRE',KEYS[1],ARGV[3])
return 1`

const maxVacant = 8

// vacancy is one in JSON; times are Unix µs.
type vacancy struct {
	Since    int64    `json:"since"`
	Heard    int64    `json:"heard"`
	Seen     []string `json:"seen,omitempty"`
	Protocol int      `json:"protocol,omitempty"`
	Agent    string   `json:"agent,omitempty"`
	Addr     string   `json:"addr,omitempty"`
	Session  string   `json:"session,omitempty"`
}

func vacantKey(user models.UserID) string { return vacantPrefix + string(user) }

// Vacate keeps for that long what a socket had that left.
func (p *Presence) Vacate(ctx context.Context, user models.UserID, v models.Vacancy, keep time.Duration) error {
	n := vacancy{
		Since: v.Since.UnixMicro(), Heard: v.HeardUpTo().UnixMicro(),
		Protocol: v.Device.Protocol, Agent: v.Device.Agent, Addr: v.Device.Addr, Session: string(v.Session),
	}
	for _, id := range v.Seen {
		n.Seen = append(n.Seen, string(id))
	}
	value, err := json.Marshal(n)
	if err != nil {
		return models.Internal(err)
	}
	return p.sound(ctx, "vacate", func() error {
		return p.trips.ride(ctx, vacantKey(user), func(pipe driver.Pipeliner) {
			pipe.Eval(ctx, vacateScript, []string{vacantKey(user)}, string(v.SocketID), value, max(1, keep.Milliseconds()), maxVacant)
		})
	}, typed{vacantKey(user), aHash})
}

// Vacancies returns those of the user that are no older than that, and whose client
// has not come back to its session by itself. What cannot be read is none.
func (p *Presence) Vacancies(ctx context.Context, user models.UserID, age time.Duration) (all []models.Vacancy, err error) {
	var found *driver.MapStringStringCmd
	err = p.sound(ctx, "vacancies", func() error {
		return p.trips.ride(ctx, vacantKey(user), func(pipe driver.Pipeliner) { found = pipe.HGetAll(ctx, vacantKey(user)) })
	}, typed{vacantKey(user), aHash})
	if err != nil {
		return nil, err
	}
	for socket, text := range found.Val() {
		if v, ok := p.vacancyOf(models.SocketID(socket), text); ok && p.now().Sub(v.Since) <= age {
			all = append(all, v)
		}
	}
	return p.unclaimed(ctx, all)
}

// unclaimed leaves out those whose client has come back to its session.
func (p *Presence) unclaimed(ctx context.Context, all []models.Vacancy) (left []models.Vacancy, err error) {
	kept := make([]*driver.IntCmd, len(all))
	asked := false
	for _, v := range all {
		asked = asked || v.Session != ""
	}
	if !asked {
		return all, nil
	}
	if err := p.ask("vacancies", func() error {
		_, err := p.client.Pipelined(ctx, func(pipe driver.Pipeliner) error {
			for i, v := range all {
				if v.Session != "" {
					kept[i] = pipe.Exists(ctx, sessionKey(v.Session))
				}
			}
			return nil
		})
		return err
	}); err != nil {
		return nil, err
	}
	for i, v := range all {
		if kept[i] == nil || kept[i].Val() > 0 {
			left = append(left, v)
		}
	}
	return left, nil
}

func (p *Presence) vacancyOf(socket models.SocketID, text string) (v models.Vacancy, ok bool) {
	var n vacancy
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		p.believed(models.Absence{}, true, false)
		return v, false
	}
	had := models.Had{Heard: time.UnixMicro(n.Heard).UTC()}
	for _, id := range n.Seen {
		had.Seen = append(had.Seen, models.MessageID(id))
	}
	absence, odd, ok := models.Absence{Had: had, Since: time.UnixMicro(n.Since).UTC()}.Checked(p.now())
	v.Absence, ok = p.believed(absence, odd, ok)
	v.SocketID, v.Session = socket, models.SessionID(n.Session)
	v.Device = models.Device{Protocol: n.Protocol, Agent: n.Agent, Addr: n.Addr}
	return v, ok
}

// Follow is for a client that takes the vacancy; taken is false where another had.
func (p *Presence) Follow(ctx context.Context, user models.UserID, left models.SocketID) (taken bool, err error) {
	var removed *driver.IntCmd
	err = p.sound(ctx, "follow", func() error {
		return p.trips.ride(ctx, vacantKey(user), func(pipe driver.Pipeliner) { removed = pipe.HDel(ctx, vacantKey(user), string(left)) })
	}, typed{vacantKey(user), aHash})
	if err != nil {
		return false, err
	}
	return removed.Val() > 0, nil
}
