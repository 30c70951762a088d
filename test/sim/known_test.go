package sim

import "testing"

// known are histories that broke a guarantee once, as they were made short.
var known = []struct{ what, script string }{}

// TestKnown lets them happen again, three times each, because a script is a
// history only by and large, and finds every guarantee kept.
func TestKnown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for _, k := range known {
			p, err := readScript(k.script)
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if faults := happens(t, p); broken(faults) {
					t.Errorf("%s\n\t%s\n%s", k.what, p, list(faults))
					break
				}
			}
		}
	})
}
