package server

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/gin-gonic/gin"

	"parley/adapters/embedded"
	"parley/adapters/hub"
	"parley/adapters/js"
	"parley/adapters/listen"
	"parley/adapters/media"
	"parley/adapters/mongo"
	"parley/adapters/redis"
	"parley/handlers"
	"parley/middleware"
	"parley/models"
	"parley/rooms"
	"parley/web"
)

// The bounds that nobody has asked to set yet.
const (
	maxParticipants = 1000
	maxNameBytes    = 200
	// A retry waits for the first try, and after claimLease does its work for
	// it. That is safe while the first is only slow: both store the same
	// messages under the same ids, and pods do not send a message twice.
	claimPatience = 10 * time.Second
	claimLease    = 4 * time.Second
	// A pod that is alive lets a socket go well within this, be it ever so busy.
	// Clients of pods that died wait so long, and those whose session is over
	// while another device is online.
	recoveryPatience = time.Second
	// A page's old socket and its new one may race; a pod sees the old one go
	// within milliseconds, a busy one within this.
	reloadPatience = 500 * time.Millisecond
	// How many sockets are let in side by side. What they ask of Redis and the
	// database goes together, so that more at once are fewer round trips; but what
	// comes back for all of them at once must not hold up those who are connected.
	letInAtOnce = 256
	// How often, in the time a dead connection may go unnoticed, the census looks.
	censusPart = 10

	minKeep         = 2 * time.Minute
	storeTimeout    = 15 * time.Second
	presenceTimeout = 5 * time.Second
)

// New builds a pod from the bottom up. What it has opened is closed again if a
// later step fails. Databases that are away do not fail it: Run waits for them.
func New(ctx context.Context, cfg Config, logger *slog.Logger) (*Server, error) {
	s := &Server{cfg: cfg, log: logger, metrics: middleware.NewMetrics()}
	if err := s.build(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *Server) build(ctx context.Context) error {
	cfg, logger := s.cfg, s.log
	if err := s.embed(ctx); err != nil {
		return err
	}
	if err := s.verify(); err != nil {
		return err
	}

	database, err := mongo.Open(ctx, mongo.Options{URI: s.cfg.MongoURI, Logger: logger, Now: time.Now, Metrics: s.metrics,
		Gather: s.embeddedMongo, OpTimeout: s.mongoPatience()})
	if err != nil {
		return err
	}
	s.onClose("the database", database.Close)
	s.store = database

	redis.RouteDriverLog(logger)
	client, err := redis.Open(redis.Options{URL: s.cfg.RedisURL, Patience: s.redisPatience(), Logger: logger, Metrics: s.metrics})
	if err != nil {
		return err
	}
	s.onClose("Redis", func(context.Context) error { return client.Close() })
	s.pingRedis = func(ctx context.Context) error { return redis.Ping(ctx, client) }
	departed := func(ctx context.Context, d models.Departure, left int) { s.rooms.Departed(ctx, d, left) }
	restored := func(ctx context.Context, user models.UserID, socket models.SocketID, others int) {
		s.rooms.Restored(ctx, user, socket, others)
	}
	presence, err := redis.NewPresence(redis.PresenceOptions{
		Client: client, PodID: cfg.PodID, TTL: cfg.PresenceTTL, Grace: cfg.PresenceGrace, Logger: logger, Metrics: s.metrics, Now: time.Now,
		Callbacks: redis.Callbacks{
			OnReaped: departed, OnLate: departed, OnRestored: restored,
			OnForgotten: func(ctx context.Context, at time.Time) error { return s.rooms.Forgotten(ctx, at) },
			OnUntold:    func(ctx context.Context, untold []models.Untold) error { return s.rooms.Untold(ctx, untold) },
		},
	})
	if err != nil {
		return err
	}
	s.onClose("presence", presence.Close)
	s.settlePresence = presence.Settle
	s.background = append(s.background, task{"presence", presence.Run})

	bus, err := s.bus(client)
	if err != nil {
		return err
	}
	census := redis.NewCensus(redis.CensusOptions{
		Client: client, Every: (cfg.PingInterval + cfg.PingTimeout) / censusPart, Logger: logger, Now: time.Now,
		Needed: func(ctx context.Context) (bool, error) { return othersThanParley(ctx, bus, presence) },
	})
	s.background = append(s.background, task{"the census", census.Run})
	if cfg.StrangerTTL > 0 {
		strangers := redis.NewStrangers(redis.StrangersOptions{
			Client: client, PodID: cfg.PodID, TTL: cfg.StrangerTTL, Logger: logger, Metrics: s.metrics, Now: time.Now,
			Own: presence.Has,
			Answered: func(ctx context.Context, ids []models.SocketID) ([]models.SocketID, error) {
				return answered(ctx, bus, ids)
			},
			OnGone: func(ctx context.Context, gone models.Stranger, left int) { s.rooms.StrangerGone(ctx, gone, left) },
		})
		s.background = append(s.background, task{"the search for strangers", strangers.Run})
	}
	bundles, err := web.Bundles(cfg.SocketIOPath)
	if err != nil {
		return err
	}
	marks := rooms.NewMarks(cfg.PodID, time.Now, cfg.PingInterval+cfg.PingTimeout, cfg.PresenceTTL+cfg.RecoveryWindow)
	s.sockets, err = hub.New(hub.Options{
		Path: cfg.SocketIOPath, Waited: listen.Waited,
		PingInterval: cfg.PingInterval, PingTimeout: cfg.PingTimeout, ConnectTimeout: cfg.ConnectTimeout,
		HandshakeTimeout: s.tryTimeout(), LetInAtOnce: letInAtOnce, MaxPayload: cfg.MaxPayloadBytes, CORSOrigins: cfg.CORSOrigins, AllowEIO3: cfg.AllowEIO3,
		Msgpack: cfg.Parser == ParserMsgpack, Recovery: cfg.RecoveryWindow > 0,
		Bus: bus, Marks: marks, Encode: handlers.EncodeEvent,
		MessageID: handlers.MessageIDs(func() { s.metrics.Dropped("odd_message_id") }), MadeAt: handlers.MadeAt,
		Assets: bundles, Logger: logger, Metrics: s.metrics, Now: time.Now,
	})
	if err != nil {
		return err
	}
	s.onClose("the sockets", s.sockets.Close)

	spool, keeper, err := s.media()
	if err != nil {
		return err
	}
	s.rooms = rooms.New(rooms.Options{
		Chats: database, Moves: database, Messages: database, Requests: database, Absences: database, IDs: database,
		Presence: presence, Census: census, Sessions: presence, Saved: database, Board: presence, Marks: marks, Hub: s.sockets, Media: keeper, Metrics: s.metrics, Logger: logger, Now: time.Now,
		Limits: rooms.Limits{
			TextBytes: cfg.MaxTextBytes, Files: cfg.MaxFiles, Participants: maxParticipants, NameBytes: maxNameBytes, PresenceRoom: cfg.PresenceRoom,
			Replay: cfg.ReplayLimit, ReplayGrace: cfg.ReplayGrace,
			Recovery: cfg.RecoveryWindow, RecoveryPatience: recoveryPatience, ReloadPatience: reloadPatience,
			ClaimPatience: claimPatience, ClaimLease: claimLease,
			Unheard: cfg.PingInterval + cfg.PingTimeout, StoreTimeout: storeTimeout, PresenceTimeout: presenceTimeout,
		},
	})
	s.background = append(s.background, task{"what is told besides messages", s.rooms.Run})
	s.sockets.OnResumed(s.rooms.CatchUp)

	h := handlers.New(handlers.Options{
		Rooms: s.rooms, Spool: spool, Verifier: s.tokens, User: middleware.UserOf, Logger: logger,
		JSON: js.AppendJSON, Refused: s.metrics.RequestRefused, Checks: s.checks(),
		Sockets: func() (inside, waiting int) {
			waiting = s.sockets.Waiting()
			return max(0, s.sockets.Sockets()-waiting), waiting
		},
		Limits: handlers.Limits{
			TextBytes: cfg.MaxTextBytes, FileBytes: cfg.MaxFileBytes, Files: cfg.MaxFiles, Uploads: cfg.MaxUploads,
			RequestTimeout: cfg.RequestTimeout, UploadTimeout: cfg.UploadTimeout, KeepTimeout: s.keepTimeout(),
		},
	})
	s.cutBodies = h.CutBodies
	s.handler, err = s.routes(h)
	return err
}

// embed starts the databases that are not somebody else's, and points the
// configuration at them: from there on there is one code path.
func (s *Server) embed(ctx context.Context) error {
	if s.cfg.EmbeddedMongo() {
		e, err := embedded.Mongo(ctx, filepath.Join(s.cfg.DataDir, "mongo"), s.log)
		if err != nil {
			return err
		}
		s.onClose("the embedded database", e.Close)
		s.cfg.MongoURI, s.embeddedMongo = e.URI(), true
	}
	if s.cfg.EmbeddedRedis() {
		e, err := embedded.Redis(ctx, s.log)
		if err != nil {
			return err
		}
		s.onClose("the embedded Redis", e.Close)
		s.cfg.RedisURL, s.embeddedRedis = e.URL(), true
	}
	return nil
}

// embeddedPatience is for a Redis in this very process: it cannot be away, only
// slow, as everything is on a machine that is busy.
const embeddedPatience = 5 * time.Second

// So is a database: an answer that comes late beats asking again.
const embeddedOpTimeout = 20 * time.Second

func (s *Server) mongoPatience() time.Duration {
	if s.embeddedMongo {
		return embeddedOpTimeout
	}
	return mongo.DefaultOpTimeout
}

// tryTimeout is for letting a socket in once.
func (s *Server) tryTimeout() time.Duration { return 2 * s.mongoPatience() }

func (s *Server) redisPatience() time.Duration {
	if s.embeddedRedis {
		return max(embeddedPatience, s.cfg.RedisTimeout)
	}
	return s.cfg.RedisTimeout
}

// keepTimeout is how long a file store may take for a file: at least as long as
// it is given where nothing is said.
func (s *Server) keepTimeout() time.Duration { return max(minKeep, s.cfg.UploadTimeout) }

func (s *Server) media() (*media.Spool, rooms.Media, error) {
	spool, err := media.NewSpool(filepath.Join(s.cfg.DataDir, "spool"), media.SpoolOptions{Logger: s.log, Metrics: s.metrics})
	if err != nil {
		return nil, nil, err
	}
	if !s.cfg.LocalFiles() {
		keeper, err := media.NewCloudinary(media.CloudinaryOptions{URL: s.cfg.CloudinaryURL, UploadTimeout: s.keepTimeout(), Logger: s.log, Metrics: s.metrics})
		return spool, keeper, err
	}
	keeper, err := media.NewLocal(media.LocalOptions{Dir: filepath.Join(s.cfg.DataDir, "files"), BaseURL: s.cfg.PublicURL, Logger: s.log, Metrics: s.metrics})
	if err != nil {
		return nil, nil, err
	}
	s.onClose("the file directory", func(context.Context) error { return keeper.Close() })
	s.files = keeper.Handler()
	return spool, keeper, nil
}

// limited holds a socket's events to their rate.
func (s *Server) limited(h *handlers.Handlers, event func(context.Context, handlers.Socket, []any) any) func(context.Context, *hub.Socket, []any) any {
	return func(ctx context.Context, socket *hub.Socket, args []any) any {
		if !socket.Allow("events", float64(s.cfg.EventsPerSec), 2*s.cfg.EventsPerSec) {
			return h.TooFast()
		}
		return event(ctx, socket, args)
	}
}

// refuseWhileDraining turns new work away from a pod that is shutting down.
func (s *Server) refuseWhileDraining(h *handlers.Handlers) gin.HandlerFunc {
	return func(c *gin.Context) {
		if s.draining.Load() {
			c.Header("Connection", "close")
			h.Fail(c, &models.Error{Code: models.CodeShuttingDown, Message: "this server is shutting down; try again", RetryAfter: time.Second})
			return
		}
		c.Next()
	}
}
