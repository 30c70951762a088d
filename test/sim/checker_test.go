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
		"offline twice": {
			pages: []*page{{got: []receipt{got(0, 1, 1), got(1, 1, 1001), got(2, 1, 2001)}, told: []announcement{{"eve", false, at(1)}, {"eve", true, at(2)}, {"eve", false, at(3)}, {"eve", false, at(4)}}}},
			want:  []string{"offline twice"},
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
