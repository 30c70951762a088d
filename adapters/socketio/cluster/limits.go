package cluster

import "errors"

// What a message from Redis may cost at most. Redis itself cuts a subscriber
// off at 32 MiB of output, so nothing legitimate is larger; client events are
// far below the other two.
const (
	maxMessageBytes = 32 << 20
	maxDepth        = 128
	maxValues       = 1 << 20
)

// The reasons given to Metrics.ClusterDropped.
const (
	reasonQueueFull   = "queue_full"
	reasonUnencodable = "unencodable"
	reasonClosed      = "closed"
	reasonRefused     = "publish_refused"
	reasonUndecodable = "undecodable"
	reasonTooLarge    = "too_large"
	reasonTooDeep     = "too_deep"
	reasonTooMany     = "too_many_requests"
)

var (
	errMalformed = errors.New("malformed message")
	errTooLarge  = errors.New("message too large")
	errTooDeep   = errors.New("message nested too deeply")
	errTooMany   = errors.New("too many requests are waiting for answers")
	errQueueFull = errors.New("the queue for Redis is full")
)

// reasonOf names the metric for what went wrong while reading a message.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, errTooLarge):
		return reasonTooLarge
	case errors.Is(err, errTooDeep):
		return reasonTooDeep
	}
	return reasonUndecodable
}
