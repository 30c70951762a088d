package sim

import "testing"

// known are histories that broke a guarantee once, as they were made short.
var known = []struct{ what, script string }{
	{"order: what another pod had queued came behind what the page was sent on its way in", `
	seed=1 users=5 pods=2 length=13s every=706ms
	redis paused(640) at 973.024151ms for 879ms
	redis paused(783) at 7.926733317s for 2.973s
	reloads(449) at 9.998235107s`},
	{"lost: what went to two chats at one time was told of a departure in another order", `
	seed=104 users=6 pods=2 length=5.1s every=470ms
	pod cut off(56) at 1s for 3s
	slow(57) at 4s for 12s`},
	{"lost: written to a connection that was gone when its pod sent it off", `
	seed=1 users=6 pods=1 length=5s every=1.4s
	vanishings(29) at 1s
	pod restarted(13) at 1.2s for 1.8s`},
	{"twice: a room that was left and entered again told of a departure what it was sent since", `
	seed=1 users=3 pods=1 length=8s every=1.41s
	members(41) at 1s
	pod restarted(40) at 5s for 1s`},
	{"lost: a departure that could not be noted a moment before Redis was back", `
	seed=17 users=5 pods=2 length=12.562s every=1.21s
	reloads(29) at 1s
	pod cut off(56) at 7s for 4s
	reloads(56) at 10s`},
	{"lost: the database was away when it was to be looked up what a killed pod's page missed", `
	seed=10 users=3 pods=2 length=20s every=1.86s
	pod killed(26) at 16s for 3s
	mongo away(45) at 18s for 4s`},
	{"lost, to the checker: taken out of the chat while it was looked up what a killed pod's page missed", `
	seed=10 users=5 pods=2 length=20s every=1.86s
	pod killed(26) at 15.6s for 3.1s
	members(45) at 17.5s`},
	{"lost, to the checker: under way as the connection was reset, to a pod beside one that was killed before", `
	seed=1 users=6 pods=2 length=13s every=353ms
	pod killed(640) at 973ms for 1.329s
	resets(183) at 2.655s
	resets(41) at 4.685s
	pod killed(783) at 7.926s for 3.423s
	resets(449) at 9.998s`},
	{"lost: Redis was away when it was to be found out whose pod was killed", `
	seed=10 users=3 pods=2 length=20s every=120ms
	pod killed(26) at 16s for 3s
	pod cut off(45) at 18s for 4s`},
	{"lost: others cleaned up after a killed pod while Redis was away for who came", `
	seed=20 users=3 pods=3 length=20s every=1.52s
	pod killed(28) at 14.1s for 1.6s
	pod cut off(12) at 16s for 3.4s`},
	{"order and twice: what a killed pod's page missed came behind what it heard as it was taken out and let in again", `
	seed=1 users=6 pods=2 length=20s every=1.412s
	pod killed(132) at 8.987s for 1.234s
	pod killed(444) at 13.238s for 4.263s
	members(508) at 14.616s`},
	{"offline twice: let in, and turned out again because it was not sure who is in which room, long after it was heard last", `
	seed=13 users=5 pods=2 length=7s every=110ms
	pod cut off(0) at 1s for 4s
	reloads(16) at 1s`},
	{"lost: an insert that nobody answered was done all the same, and nobody asked again", `
	seed=1 users=5 pods=1 length=9s every=353ms
	mongo stuck(40) at 4.685s for 2.049s`},
	{"lost: an insert that nobody answered was told at a later try with its old stamp, to who was away then never", `
	seed=1 users=3 pods=1 length=13s every=1.41s
	mongo stuck(41) at 1s for 2s
	aways(3) at 4s for 7s`},
	{"lost: nobody asked again, and pages came and went", `
	seed=3 users=3 pods=1 length=7s every=1.56s
	aways(20) at 1s for 2s
	mongo stuck(30) at 2s for 3s`},
	{"twice: a pod was told to go while Redis was away, and Redis came back with nothing", `
	seed=1 users=3 pods=1 length=6s every=1.41s
	redis killed(3) at 1s for 3s
	pod restarted(12) at 2s for 1s`},
	{"twice: a pod was told to go the moment Redis came back with nothing", `
	seed=3 users=3 pods=1 length=8.814s every=1.57s
	redis killed(23) at 1s for 3s
	pod restarted(30) at 4s for 3s`},
	{"twice: a pod was killed right after who had been told to go by another came to it", `
	seed=3 users=3 pods=1 length=7s every=1.57s
	pod restarted(20) at 1s for 1s
	pod killed(30) at 2s for 3s`},
}

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
