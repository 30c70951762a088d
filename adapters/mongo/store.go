package mongo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"parley/models"
)

// The collections. The first two are shared with other applications.
const (
	collChats    = "chats"
	collMessages = "messages"
	collRequests = "parley_requests"
	collAbsences = "parley_absences"
	collMoves    = "parley_moves"
	collSessions = "parley_sessions"
	collState    = "parley_state"
)

const (
	// DefaultOpTimeout bounds every operation, finding a server included.
	DefaultOpTimeout = 5 * time.Second
	// defaultDatabase is where a URI without a path leads: what Mongoose does.
	defaultDatabase = "test"
	// parallelReads bounds the queries one call has under way at once.
	parallelReads = 8
	// readTrips and writeTrips are how many round trips of what is gathered are
	// under way at once: more, and each takes fewer with it; fewer, and a post to a
	// slow database waits for those before it.
	readTrips, writeTrips = 4, 4
	// maxScans is of how many chats one query asks for the newest messages: where
	// there are more, MongoDB reads all instead of merging what the index has in
	// order (internalQueryMaxScansToExplode).
	maxScans = 200
)

// Metrics is told how the database does.
type Metrics interface {
	MongoError(op string)
	MongoLatency(op string, d time.Duration)
	// Dropped counts what was odd and is left out, by reason.
	Dropped(reason string)
}

// Options is what a Store needs. Only URI is required.
type Options struct {
	URI       string
	Logger    *slog.Logger
	Now       func() time.Time
	Metrics   Metrics
	OpTimeout time.Duration // 0: DefaultOpTimeout
	// UndoQueue bounds the failed writes waiting to be undone; 0: 10000 documents.
	UndoQueue int
	// Gather is for a database that reads a collection whole for each query, other
	// than for one document by its _id, and writes one document at a time.
	Gather bool
}

// Store is one database.
type Store struct {
	client  *mongo.Client
	logger  *slog.Logger
	now     func() time.Time
	metrics Metrics
	timeout time.Duration

	chats    *mongo.Collection
	messages *mongo.Collection
	requests *mongo.Collection
	absences *mongo.Collection
	moves    *mongo.Collection
	sessions *mongo.Collection
	state    *mongo.Collection

	ids  *idSource
	undo *undoer
	wide int // maxWide

	inserts, claims *gather[[]bson.D, outcome]
	chatMany        *gather[bson.ObjectID, looked]
	// byIDs says that the database finds several documents by their _ids as it
	// finds one; not with Options.Gather.
	byIDs bool

	// What several want at once is asked once.
	chatIDsOfMany *gather[[]models.UserID, map[models.UserID][]models.ChatID]
	sinceMany     *gather[sinceAsked, []models.Message]
	absencesOf    *gather[models.UserID, noted]
	movesMany     *gather[movesAsked, []models.Move]
	absencesSaved *gather[absenceNote, error]
	sessionsOf    *gather[models.SessionID, savedSession]
	sessionsSaved *gather[sessionNote, struct{}]

	mu        sync.Mutex
	installed time.Time
}

// Open makes a Store and connects in the background: a database that is away
// shows in Ping, not here. Only a URI that cannot be used is an error.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Metrics == nil {
		o.Metrics = noMetrics{}
	}
	if o.OpTimeout <= 0 {
		o.OpTimeout = DefaultOpTimeout
	}
	if o.UndoQueue <= 0 {
		o.UndoQueue = 10_000
	}
	if err := ctx.Err(); err != nil {
		return nil, models.Unavailable("the database", err)
	}
	client, err := mongo.Connect(clientOptions(o))
	if err != nil {
		return nil, models.Internal(fmt.Errorf("mongodb uri: %w", err))
	}
	ids, err := newIDSource(time.Now)
	if err != nil {
		return nil, models.Internal(err)
	}
	db := client.Database(databaseName(o.URI))
	s := &Store{
		client: client, logger: o.Logger, now: o.Now, metrics: o.Metrics, timeout: o.OpTimeout,
		chats: db.Collection(collChats), messages: db.Collection(collMessages), requests: db.Collection(collRequests),
		absences: db.Collection(collAbsences), moves: db.Collection(collMoves), state: db.Collection(collState),
		sessions: db.Collection(collSessions),
		ids:      ids, wide: maxWide,
	}
	s.undo = newUndoer(s, o.UndoQueue)
	s.byIDs = !o.Gather
	s.gathers()
	return s, nil
}

// clientOptions takes the URI and bounds what it leaves open. Reads go to the
// primary whatever the URI says: a replay read from a secondary that lags would
// miss messages.
func clientOptions(o Options) *options.ClientOptions {
	c := options.Client().SetAppName("parley").ApplyURI(o.URI)
	if c.WriteConcern == nil {
		c.SetWriteConcern(writeconcern.Majority())
	}
	if c.ServerSelectionTimeout == nil || *c.ServerSelectionTimeout > o.OpTimeout {
		c.SetServerSelectionTimeout(o.OpTimeout)
	}
	if c.ConnectTimeout == nil || *c.ConnectTimeout > o.OpTimeout {
		c.SetConnectTimeout(o.OpTimeout)
	}
	return c.SetReadPreference(readpref.Primary())
}

// databaseName is the path of the URI.
func databaseName(uri string) string {
	_, rest, _ := strings.Cut(uri, "://")
	_, path, _ := strings.Cut(rest, "/")
	path, _, _ = strings.Cut(path, "?")
	name, err := url.PathUnescape(path)
	if err != nil || name == "" {
		return defaultDatabase
	}
	return name
}

// Ping says whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	return s.do(ctx, "ping", func(ctx context.Context) error {
		return s.client.Ping(ctx, readpref.Primary())
	})
}

// Close undoes what is left to undo, as far as ctx allows, and disconnects.
func (s *Store) Close(ctx context.Context) error {
	s.undo.close(ctx)
	if err := s.client.Disconnect(ctx); err != nil && !errors.Is(err, mongo.ErrClientDisconnected) {
		return classify(err)
	}
	return nil
}

// do runs one operation within its deadline, measures it and gives its error
// the one form that leaves this package.
func (s *Store) do(ctx context.Context, op string, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	start := time.Now()
	err := classify(f(ctx))
	s.metrics.MongoLatency(op, time.Since(start))
	if err == nil {
		return nil
	}
	s.metrics.MongoError(op)
	return err
}

type noMetrics struct{}

func (noMetrics) MongoError(string)                  {}
func (noMetrics) MongoLatency(string, time.Duration) {}
func (noMetrics) Dropped(string)                     {}
