package sim

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var (
	seeds   = flag.Int("seeds", 2, "how many histories of each combination")
	first   = flag.Uint64("first", 1, "the first seed")
	of      = flag.String("kinds", "", "what happens, separated by commas; empty for each kind alone")
	length  = flag.Duration("length", 20*time.Second, "how long each is; what breaks is as much")
	adapter = flag.String("adapter", "", "how the pods speak to each other: classic, streams or sharded")
	script  = flag.String("script", "", "the one history that is to happen, as one that broke was shown")
	shorten = flag.Int("shrink", 150, "how many histories may happen to make one that broke short; 0: it stays as it is")
	verbose = flag.Bool("logs", false, "show what the pods log")
)

// holds are the kinds of which Parley is known to survive each alone, and pairs.
var holds = [][]kind{
	nil, {resets}, {vanishings}, {reloads}, {aways}, {rolling}, {cutOff}, {pausedRed}, {killedRed}, {awayMongo}, {stuckMongo}, {killedPod}, {slow}, {membersIO},
}

// One processor: less of what happens is left to chance, and it costs less; who
// has more runs several side by side. Memory is there to be used.
func TestMain(m *testing.M) {
	flag.Parse()
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(1000)
	debug.SetMemoryLimit(1 << 30)
	os.Exit(m.Run())
}

// bubble is where all histories happen, one after the other: libraries keep timers
// for later, and one that was made in one bubble must not be used in another.
func bubble(t *testing.T, fn func(t *testing.T)) {
	synctest.Test(t, fn)
}

// TestHistories lets histories happen and finds every guarantee kept in each. What
// runs side by side takes its turns as it likes, so that a seed is a history only
// by and large: one of those that hold has to break twice. With -kinds it is any,
// and once is enough. The first that broke is made short.
func TestHistories(t *testing.T) {
	if *adapter != "" && !slices.Contains(adapters, *adapter) {
		t.Fatalf("no adapter is called %q; there are %q", *adapter, adapters)
	}
	some, n := holds, *seeds
	if *of != "" {
		some = [][]kind{parse(t, *of)}
	}
	bubble(t, func(t *testing.T) {
		if *script != "" {
			p, err := readScript(*script)
			if err != nil {
				t.Fatal(err)
			}
			if faults := happens(t, p); broken(faults) {
				t.Errorf("%s\n%s", p, list(faults))
			}
			return
		}
		for _, kinds := range some {
			short := false
			for seed := *first; seed < *first+uint64(n); seed++ {
				p := newPlan(seed, kinds)
				p.adapter = *adapter
				faults := happens(t, p)
				if broken(faults) && *of == "" {
					t.Logf("broken once: %v, %s\n%s", kinds, p, list(faults))
					faults = happens(t, p)
				}
				if broken(faults) {
					t.Errorf("%v\n\t%s\n%s", kinds, p, list(faults))
					if !short {
						short = true
						tellShort(t, p, faults)
					}
				}
			}
		}
	})
}

func happens(t *testing.T, p plan) []fault {
	t.Helper()
	faults, err := p.run(logs())
	if err != nil {
		t.Fatal(err)
	}
	return faults
}

// tellShort says what is left of a history that broke a guarantee.
func tellShort(t *testing.T, p plan, faults []fault) {
	t.Helper()
	if *shorten == 0 {
		return
	}
	quiet := slog.New(slog.DiscardHandler)
	short, what, ok := shrink(p, faults, *shorten, func(p plan) ([]fault, error) { return p.run(quiet) })
	if !ok {
		t.Logf("%s: not broken again in two of three tries", what)
		return
	}
	t.Logf("%s, in short; for -script, or for known_test.go:\n\t{%q, `\n\t%s`},", what, what, short)
}

// broken says whether any of it is Parley's.
func broken(faults []fault) bool {
	return slices.ContainsFunc(faults, func(f fault) bool { return f.what != unknowable && f.what != passed })
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
