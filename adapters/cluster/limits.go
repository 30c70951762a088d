package cluster

import (
	"errors"

	"parley/adapters/js"
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
	errTooMany   = errors.New("too many requests are waiting for answers")
	errQueueFull = errors.New("the queue for Redis is full")
)

// reasonOf names the metric for what went wrong while reading a message.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, js.ErrTooLarge):
		return reasonTooLarge
	case errors.Is(err, js.ErrTooDeep):
		return reasonTooDeep
	}
	return reasonUndecodable
}
