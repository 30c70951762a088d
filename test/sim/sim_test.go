package sim

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

var (
	seeds   = flag.Int("seeds", 2, "how many histories of each combination")
	first   = flag.Uint64("first", 1, "the first seed")
	of      = flag.String("kinds", "", "what happens, separated by commas; empty for each kind alone")
	verbose = flag.Bool("logs", false, "show what the pods log")
)

// holds are the kinds of which Parley is known to survive each alone, and pairs.
var holds = [][]kind{
	nil, {resets}, {vanishings}, {reloads}, {aways}, {rolling}, {cutOff}, {pausedRed}, {killedRed}, {awayMongo},
}

// TestHistories lets histories happen and finds every guarantee kept in each. What
// runs side by side takes its turns as it likes, so that a seed is a history only
// by and large: one of those that hold has to break twice. With -kinds it is any,
// and once is enough.
func TestHistories(t *testing.T) {
	some, n := holds, *seeds
	if *of != "" {
		some = [][]kind{parse(t, *of)}
	}
	// All in one bubble: libraries keep timers for later, and one that was made
	// in one bubble must not be used in another.
	synctest.Test(t, func(t *testing.T) {
		for _, kinds := range some {
			for seed := *first; seed < *first+uint64(n); seed++ {
				p := newPlan(seed, kinds)
				faults, err := p.run(logs())
				if err != nil {
					t.Fatal(err)
				}
				if broken(faults) && *of == "" {
					t.Logf("broken once: %v, %s%s", kinds, p, list(faults))
					if faults, err = p.run(logs()); err != nil {
						t.Fatal(err)
					}
				}
				if broken(faults) {
					t.Errorf("%v, %s%s", kinds, p, list(faults))
				}
			}
		}
	})
}

// broken says whether any of it is Parley's.
func broken(faults []fault) bool {
	return slices.ContainsFunc(faults, func(f fault) bool { return f.what != unknowable })
}

func parse(t *testing.T, names string) (some []kind) {
	for name := range strings.SplitSeq(names, ",") {
		k := kind(strings.TrimSpace(name))
		if !slices.Contains(kinds, k) {
			t.Fatalf("nothing is called %q; there are %q", k, kinds)
		}
		some = append(some, k)
	}
	return some
}
func logs() *slog.Logger {
	if !*verbose {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func list(faults []fault) string {
	var b strings.Builder
	count := map[string]int{}
	for _, f := range faults {
		if count[f.what]++; count[f.what] <= 4 {
			fmt.Fprintf(&b, "\t%v\n", f)
		}
	}
	fmt.Fprintf(&b, "\t%v\n", count)
	return b.String()
}
