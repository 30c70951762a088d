package sim

import (
	"slices"
	"testing"
	"time"

	"parley/models"
)

// The checker finds what is wrong with histories that are known to be broken.
func TestChecker(t *testing.T) {
	t0 := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(ms int) time.Time { return t0.Add(time.Duration(ms) * time.Millisecond) }
	message := func(n int) sent {
		return sent{models.Message{ID: models.MessageID(rune('a' + n)), ChatID: "c", SenderID: "ann", CreatedAt: at(1000 * n)}, at(1000*n + 5), n, "pod1"}
	}
	got := func(n, conn, ms int) receipt { return receipt{models.MessageID(rune('a' + n)), conn, at(ms)} }
	out := membership{chat: "c", user: "bob", asked: at(1500), did: at(1510)}
	for name, c := range map[string]struct {
		pages   []*page
		members []membership
		want    []string
	}{
		"nothing wrong":   {pages: []*page{{got: []receipt{got(0, 1, 1), got(1, 1, 1001), got(2, 1, 2001)}}}},
		"lost":            {pages: []*page{{got: []receipt{got(0, 1, 1), got(2, 1, 2001)}}}, want: []string{"lost"}},
		"twice":           {pages: []*page{{got: []receipt{got(0, 1, 1), got(1, 1, 1001), got(2, 1, 2001), got(1, 2, 3000)}}}, want: []string{"twice"}},
		"out of order":    {pages: []*page{{got: []receipt{got(1, 1, 1001), got(0, 1, 1002), got(2, 1, 2001)}}}, want: []string{"order"}},
		"over two pages":  {pages: []*page{{got: []receipt{got(0, 1, 1), got(1, 1, 1001)}}, {got: []receipt{got(2, 1, 2001)}}}},
		"again":           {pages: []*page{{got: []receipt{got(0, 1, 1), got(1, 1, 1001)}}, {got: []receipt{got(1, 1, 2000), got(2, 1, 2001)}}}, want: []string{"again"}},
		"nobody can know": {pages: []*page{{ended: map[int]time.Time{1: at(1100)}, modern: true, got: []receipt{got(0, 1, 1), got(1, 1, 1001), got(1, 2, 1500), got(2, 2, 2001)}}}, want: []string{unknowable}},
		"not due":         {pages: []*page{{got: []receipt{got(0, 1, 1), got(1, 1, 1001)}}}, members: []membership{out}},
		"leaked":          {pages: []*page{{got: []receipt{got(0, 1, 1), got(1, 1, 1001), got(2, 1, 2001)}}}, members: []membership{out}, want: []string{"leaked"}},
		"added again": {
			pages:   []*page{{got: []receipt{got(0, 1, 1), got(1, 1, 1001), got(2, 1, 2001)}}},
			members: []membership{out, {chat: "c", user: "bob", added: true, asked: at(1600), did: at(1610)}},
		},
		"told after": {
			pages:   []*page{{got: []receipt{got(0, 1, 1), got(1, 1, 1601), got(2, 1, 2001)}}},
			members: []membership{{chat: "c", user: "bob", asked: at(900), did: at(950)}, {chat: "c", user: "bob", added: true, asked: at(1600), did: at(1610)}},
			want:    []string{"leaked"},
		},
		"refused": {pages: []*page{{refused: "44", got: []receipt{got(0, 1, 1), got(1, 1, 1001), got(2, 1, 2001)}}}, want: []string{"failed"}},
	} {
		w := &world{sent: []sent{message(0), message(1), message(2)}, members: c.members}
		for i, p := range c.pages {
			p.user, p.name = "bob", string(rune('A'+i))
			w.all = append(w.all, p)
		}
		var have []string
		for _, f := range w.check() {
			have = append(have, f.what)
		}
		if !slices.Equal(have, c.want) {
			t.Errorf("%s: %v, want %v", name, have, c.want)
		}
	}
}

// … and what is wrong with whom pages were told of.
func TestCheckerOfAnnouncements(t *testing.T) {
	t0 := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(s int) time.Time {
		if s == 0 {
			return time.Time{}
		}
		return t0.Add(time.Duration(s) * time.Second)
	}
	off := func(s int) announcement { return announcement{"eve", false, at(s)} }
	on := func(s int) announcement { return announcement{"eve", true, at(s)} }
	always := []stay{{at(1), at(0)}}
	away := []stay{{at(1), at(100)}, {at(160), at(0)}} // eve
	for name, c := range map[string]struct {
		bob, eve []stay
		told     []announcement
		want     []string
	}{
		"nothing happens":               {bob: always, eve: always},
		"away and back":                 {bob: always, eve: away, told: []announcement{off(103), on(160)}},
		"told late, and corrected":      {bob: always, eve: away, told: []announcement{off(103), on(160), off(170), on(171)}, want: []string{"offline twice"}},
		"offline twice":                 {bob: always, eve: away, told: []announcement{off(103), off(110), on(160)}, want: []string{"offline twice"}},
		"with an online between":        {bob: always, eve: away, told: []announcement{off(103), on(104), off(110), on(160)}, want: []string{"offline twice"}},
		"never offline":                 {bob: always, eve: away, told: []announcement{on(160)}, want: []string{"never offline"}},
		"offline too late":              {bob: always, eve: away, told: []announcement{off(150), on(160)}, want: []string{"never offline"}},
		"never back":                    {bob: always, eve: []stay{{at(1), at(100)}}, want: []string{"never offline"}},
		"back soon":                     {bob: always, eve: []stay{{at(1), at(100)}, {at(104), at(0)}}},
		"another page in between":       {bob: always, eve: []stay{{at(1), at(100)}, {at(90), at(165)}, {at(160), at(0)}}},
		"never online":                  {bob: always, eve: away, told: []announcement{off(103)}, want: []string{"never online"}},
		"there all the time":            {bob: always, eve: always, told: []announcement{off(50)}, want: []string{"wrongly offline"}},
		"there, and back after moments": {bob: always, eve: always, told: []announcement{off(50), on(51)}},
		"nobody watches":                {bob: []stay{{at(1), at(99)}, {at(101), at(120)}, {at(170), at(0)}}, eve: away, told: []announcement{off(103)}},
	} {
		w := &world{all: []*page{{user: "bob", name: "B", stays: c.bob, told: c.told}}}
		for _, s := range c.eve {
			w.all = append(w.all, &page{user: "eve", name: "E", stays: []stay{s}})
		}
		var have []string
		for _, f := range w.announced(at(300)) {
			have = append(have, f.what)
		}
		if !slices.Equal(have, c.want) {
			t.Errorf("%s: %v, want %v", name, have, c.want)
		}
	}
}
