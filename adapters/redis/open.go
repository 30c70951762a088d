package redis

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	driver "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"parley/models"
)

// How long a call may take before Redis counts as away. Nobody waits for it
// longer: what presence cannot do now is done when Redis is back.
const (
	patience    = 500 * time.Millisecond
	minPoolSize = 32
	// bufferSize is that of a connection each way; the driver's own would be 64 KiB
	// together, for commands of less than one.
	bufferSize = 8 << 10
)

// Options say which Redis to use.
type Options struct {
	// URL is REDIS_URL:
	//
	//	redis://[user:password@]host[:6379][/db]           rediss:// for TLS
	//	redis+cluster://[user:password@]h1:6379,h2:6379    or redis://h1,h2?cluster=true
	//	redis+sentinel://[user:password@]h1,h2/master[/db] or redis://h1,h2/db?master=name
	//
	// user and password are the data servers'; sentinels take the options
	// sentinel_username and sentinel_password.
	URL string
	// Patience bounds dialing, reading and writing; 500 ms unless set. A Redis
	// that is away must be noticed quickly: much waits for it.
	Patience time.Duration
	Logger   *slog.Logger
	Metrics  Metrics
}

// Open makes the client. It connects to nothing: a Redis that is away now may
// be there when it is needed. Whoever opens it closes it.
func Open(o Options) (driver.UniversalClient, error) {
	logger, metrics := orQuiet(o.Logger, o.Metrics)
	t, err := parseURL(o.URL)
	if err != nil {
		return nil, models.Internal(err)
	}
	if len(t.ignored) > 0 {
		logger.Warn("options of the Redis URL are not known and do nothing", "count", len(t.ignored))
	}
	if o.Patience <= 0 {
		o.Patience = patience
	}
	client := t.client(o.Patience)
	client.AddHook(dialHook{metrics})
	return client, nil
}

func (t target) client(patience time.Duration) driver.UniversalClient {
	pool := t.poolSize
	if pool == 0 {
		pool = minPoolSize
	}
	// Servers that announce maintenance are a hosted product's; asking costs
	// every other server a refused command on each connection.
	quiet := &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	switch t.topology { //nolint:exhaustive // what is neither stands alone
	case cluster:
		return driver.NewClusterClient(&driver.ClusterOptions{
			Addrs: t.addrs, Username: t.username, Password: t.password, TLSConfig: t.tls,
			MaxRetries: -1, DialerRetries: 1, DialerRetryTimeout: 10 * time.Millisecond,
			DialTimeout: patience, ReadTimeout: patience, WriteTimeout: patience, PoolTimeout: patience,
			ContextTimeoutEnabled: true, PoolSize: pool, ReadBufferSize: bufferSize, WriteBufferSize: bufferSize, MaintNotificationsConfig: quiet,
		})
	case sentinel:
		return driver.NewFailoverClient(&driver.FailoverOptions{
			MasterName: t.master, SentinelAddrs: t.addrs,
			SentinelUsername: t.sentinelUser, SentinelPassword: t.sentinelPass,
			Username: t.username, Password: t.password, DB: t.db, TLSConfig: t.tls,
			MaxRetries: -1, DialerRetries: 1, DialerRetryTimeout: 10 * time.Millisecond,
			DialTimeout: patience, ReadTimeout: patience, WriteTimeout: patience, PoolTimeout: patience,
			ContextTimeoutEnabled: true, PoolSize: pool, ReadBufferSize: bufferSize, WriteBufferSize: bufferSize,
		})
	}
	return driver.NewClient(&driver.Options{
		Addr: t.addrs[0], Username: t.username, Password: t.password, DB: t.db, TLSConfig: t.tls,
		MaxRetries: -1, DialerRetries: 1, DialerRetryTimeout: 10 * time.Millisecond,
		DialTimeout: patience, ReadTimeout: patience, WriteTimeout: patience, PoolTimeout: patience,
		ContextTimeoutEnabled: true, PoolSize: pool, ReadBufferSize: bufferSize, WriteBufferSize: bufferSize, MaintNotificationsConfig: quiet,
	})
}

// Ping says whether Redis answers.
func Ping(ctx context.Context, client driver.UniversalClient) error {
	if err := client.Ping(ctx).Err(); err != nil {
		return models.Unavailable("Redis", err)
	}
	return nil
}

// RouteDriverLog sends what the driver would print to stderr to the logger
// instead. It changes the driver for the whole process: call it once, from main.
func RouteDriverLog(logger *slog.Logger) { driver.SetLogger(driverLog{logger}) }

type driverLog struct{ logger *slog.Logger }

func (l driverLog) Printf(ctx context.Context, format string, v ...any) {
	// Every failure also comes back as an error where it matters.
	l.logger.DebugContext(ctx, "redis driver", "message", fmt.Sprintf(format, v...))
}

// dialHook counts connections that could not be made.
type dialHook struct{ metrics Metrics }

func (h dialHook) DialHook(next driver.DialHook) driver.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if err := ctx.Err(); err != nil {
			return nil, err // with TLS, the driver would not look
		}
		conn, err := next(ctx, network, addr)
		if err != nil {
			h.metrics.RedisError("dial")
		}
		return conn, err
	}
}

func (dialHook) ProcessHook(next driver.ProcessHook) driver.ProcessHook { return next }

func (dialHook) ProcessPipelineHook(next driver.ProcessPipelineHook) driver.ProcessPipelineHook {
	return next
}
