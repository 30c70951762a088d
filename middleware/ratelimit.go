package middleware

import (
	"container/list"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/time/rate"

	"parley/models"
)

// maxLimited bounds the users a RateLimiter remembers: some 20 MB at the most.
const maxLimited = 100_000

// RateLimiter holds each user to so many requests a second. It counts on this
// pod alone; a user with several pods gets that much on each.
type RateLimiter struct {
	perSecond rate.Limit
	burst     int
	most      int
	now       func() time.Time

	mu    sync.Mutex
	users map[models.UserID]*list.Element
	order *list.List // of *bucket, least recently used last
}

type bucket struct {
	user    models.UserID
	limiter *rate.Limiter
}

// NewRateLimiter makes a limiter of burst requests at once and perSecond on
// average.
func NewRateLimiter(perSecond, burst int, now func() time.Time) *RateLimiter {
	return &RateLimiter{
		perSecond: rate.Limit(perSecond), burst: burst, most: maxLimited, now: now,
		users: make(map[models.UserID]*list.Element), order: list.New(),
	}
}

// RateLimit refuses what is beyond the user's rate. It stands behind RequireUser.
func RateLimit(l *RateLimiter, fail Fail) gin.HandlerFunc {
	return func(c *gin.Context) {
		if wait, ok := l.Allow(UserOf(c).UserID); !ok {
			fail(c, &models.Error{Code: models.CodeRateLimited, Message: "too many requests; slow down", RetryAfter: wait})
			c.Abort()
			return
		}
		c.Next()
	}
}

// Allow takes one request of the user's, or says how long to wait for the next.
func (l *RateLimiter) Allow(user models.UserID) (wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.expire(now)
	limiter := l.bucket(user)
	if limiter.AllowN(now, 1) {
		return 0, true
	}
	missing := 1 - limiter.TokensAt(now)
	return max(time.Millisecond, time.Duration(missing/float64(l.perSecond)*float64(time.Second))), false
}

func (l *RateLimiter) bucket(user models.UserID) *rate.Limiter {
	if e, ok := l.users[user]; ok {
		l.order.MoveToFront(e)
		return e.Value.(*bucket).limiter
	}
	if l.order.Len() >= l.most {
		l.drop(l.order.Back())
	}
	b := &bucket{user: user, limiter: rate.NewLimiter(l.perSecond, l.burst)}
	l.users[user] = l.order.PushFront(b)
	return b.limiter
}

// expire forgets users whose bucket is full again, who are as good as new. Two
// a request is more than can be added, so that no sweep is ever needed.
func (l *RateLimiter) expire(now time.Time) {
	for range 2 {
		e := l.order.Back()
		if e == nil || e.Value.(*bucket).limiter.TokensAt(now) < float64(l.burst) {
			return
		}
		l.drop(e)
	}
}

func (l *RateLimiter) drop(e *list.Element) {
	l.order.Remove(e)
	delete(l.users, e.Value.(*bucket).user)
}
