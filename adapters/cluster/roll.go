package cluster

import (
	"regexp"
	"strings"

	"github.com/redis/go-redis/v9"
)

// roll finds the other pods by the channels they take answers on: prefix, their
// uid and a #.
type roll struct{ prefix, own string }

var peerUID = regexp.MustCompile(`^[0-9a-f]{16}$`)

var globs = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)

// pattern is for PUBSUB CHANNELS.
func (r roll) pattern() string { return globs.Replace(r.prefix) + "*#" }

// of reads the answer to it.
func (r roll) of(cmd *redis.Cmd) (map[string]struct{}, error) {
	channels, err := cmd.StringSlice()
	if err != nil {
		return nil, err
	}
	uids := map[string]struct{}{}
	for _, c := range channels {
		uid, ok := strings.CutPrefix(c, r.prefix)
		if !ok {
			continue
		}
		uid, ok = strings.CutSuffix(uid, "#")
		if ok && uid != r.own && peerUID.MatchString(uid) {
			uids[uid] = struct{}{}
		}
	}
	return uids, nil
}
