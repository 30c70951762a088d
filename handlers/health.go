package handlers

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
)

// readyTimeout bounds each readiness check: a load balancer asks every second
// or two and must not pile requests up on a dependency that hangs.
const readyTimeout = 2 * time.Second

// Healthz says that the process is alive. It asks nobody: restarting this pod
// would not bring a database back.
func (h *Handlers) Healthz(c *gin.Context) {
	c.PureJSON(http.StatusOK, gin.H{"status": "ok"})
}

// Readyz says whether this pod should be sent traffic, and if not, why. How many
// wait at the door is said, and is no reason: what they wait for is one, or the
// other pods would get them all at once.
func (h *Handlers) Readyz(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), readyTimeout)
	defer cancel()
	type result struct {
		name string
		err  error
	}
	results := make(chan result, len(h.Checks))
	for name, check := range h.Checks {
		go func() { results <- result{name, check(ctx)} }()
	}
	status, code, checks := "ready", http.StatusOK, gin.H{}
	for range h.Checks {
		r := <-results
		checks[r.name] = "ok"
		if r.err != nil {
			// The cause may name hosts; it goes to the log, not to a stranger.
			h.Logger.Debug("not ready", "check", r.name, "error", r.err)
			checks[r.name] = "failing"
			status, code = "not ready", http.StatusServiceUnavailable
		}
	}
	answer := gin.H{"status": status, "checks": checks}
	if h.Sockets != nil {
		inside, waiting := h.Sockets()
		answer["sockets"] = gin.H{"connected": inside, "waiting": waiting}
	}
	c.PureJSON(code, answer)
}
