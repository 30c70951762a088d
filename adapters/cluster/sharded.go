package cluster

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode/utf16"

	"github.com/redis/go-redis/v9"

	"parley/adapters/js"
)

// RoomWatcher is what a bus may want to know besides: which rooms this pod has.
// The sharded bus subscribes to each room's own channel and hears nothing for a
// room it was not told of. None of the calls blocks but RoomsHeard, which
// returns once this pod hears of all rooms opened before.
type RoomWatcher interface {
	RoomOpened(room string)
	RoomClosed(room string)
	RoomsHeard(ctx context.Context) error
}

// ShardedOptions are the options of NewSharded. Only Client is needed.
type ShardedOptions struct {
	// Client is one Redis 7 or newer, a sentinel failover, or a cluster.
	Client         redis.UniversalClient
	Prefix         string // "socket.io"
	Namespace      string // "/"
	UID            string // 16 random hex digits
	RequestTimeout time.Duration
	QueueBytes     int
	QueueLen       int
	// Static keeps every message on the one channel of the namespace:
	// subscriptionMode "static" instead of "dynamic". All pods must agree.
	Static  bool
	Logger  *slog.Logger
	Metrics Metrics
	Now     func() time.Time
}

// sharded speaks the protocol of @socket.io/redis-adapter's createShardedAdapter.
type sharded struct {
	peers
	static    bool
	all, mine string // channels
	shards    *shards
	turn      sync.Mutex // several connections listen where Redis is a cluster

	// ctx ends with the bus.
	ctx context.Context
	end context.CancelFunc

	answerMu  sync.Mutex
	leaving   bool           // nothing waits for a room any more
	answering sync.WaitGroup // the replies that do; added to only while not leaving
}

// NewSharded returns a bus that Node pods with createShardedAdapter take for
// one of theirs. Unless Static, it is a RoomWatcher and must be told of rooms.
func NewSharded(o ShardedOptions) Bus {
	if o.UID == "" {
		o.UID = longID()
	}
	s := settings{
		client: o.Client, prefix: o.Prefix, nsp: o.Namespace, uid: o.UID, requestTimeout: o.RequestTimeout,
		queueBytes: o.QueueBytes, queueLen: o.QueueLen, log: o.Logger, metrics: o.Metrics, now: o.Now,
	}.withDefaults()
	b := &sharded{static: o.Static, all: s.prefix + "#" + s.nsp + "#"}
	b.mine = b.all + s.uid + "#"
	b.link = newLink(s, "shardnumsub", b.all)
	b.marks = peerMarks(s.uid, s.nsp)
	b.publisher.nodes.routed = true
	b.send, b.inLine, b.answer, b.ready = b.sendAll, b.sendAll, b.sendOne, b.Ready
	b.shards = newShards(b)
	b.onceHeard = b.afterRooms
	b.ctx, b.end = context.WithCancel(context.Background())
	b.lastWords = b.finishAnswers
	return b
}

// afterRooms answers a question once the rooms that were opened before it are
// heard: who asks whether joins were carried out goes on to publish to them.
func (b *sharded) afterRooms(answer func()) {
	b.answerMu.Lock()
	defer b.answerMu.Unlock()
	if b.leaving || b.shards.heard() {
		answer()
		return
	}
	b.answering.Go(func() {
		ctx, cancel := context.WithTimeout(b.ctx, b.requestTimeout)
		defer cancel()
		if b.shards.await(ctx) == nil {
			answer()
		}
	})
}

// finishAnswers returns once no reply waits any more.
func (b *sharded) finishAnswers(context.Context) {
	b.answerMu.Lock()
	b.leaving = true
	b.answerMu.Unlock()
	b.answering.Wait()
}

func (b *sharded) Start(ctx context.Context, local Local) error {
	b.local = local
	if err := b.start(ctx, local); err != nil {
		return err
	}
	if err := b.RoomsHeard(ctx); err != nil {
		b.stop()
		return err
	}
	return nil
}

// Ready returns nil while this pod hears the others, on every server.
func (b *sharded) Ready() error {
	if !b.shards.ready() {
		return unavailable(errNotSubscribed)
	}
	return b.link.Ready()
}

// CatchUp returns once what any server has sent us has been dealt with.
func (b *sharded) CatchUp(ctx context.Context) error { return b.shards.catchUp(ctx) }

func (b *sharded) Close(ctx context.Context) error {
	stop := context.AfterFunc(ctx, b.end)
	defer stop()
	err := b.close(ctx)
	b.end()
	b.finishAnswers(ctx)
	return err
}

func (b *sharded) RoomOpened(room string) { b.watch(room, true) }

func (b *sharded) RoomClosed(room string) { b.watch(room, false) }

// RoomsHeard returns once this pod hears of all rooms opened before.
func (b *sharded) RoomsHeard(ctx context.Context) error {
	if err := b.shards.await(ctx); err != nil {
		return unavailable(err)
	}
	return nil
}

func (b *sharded) watch(room string, open bool) {
	if b.static || looksPrivate(room) {
		return
	}
	b.shards.want(b.all+room+"#", open)
}

// looksPrivate is how Node tells a socket's own room, which has no channel.
func looksPrivate(room string) bool { return len(utf16.Encode([]rune(room))) == 20 }

func (b *sharded) sendAll(r *request, kind int, data js.Object, rooms []string) error {
	channel := b.all
	if len(rooms) == 1 && !b.static && !looksPrivate(rooms[0]) {
		channel += rooms[0] + "#"
	}
	return b.publish(r, channel, kind, data)
}

func (b *sharded) sendOne(to string, kind int, data js.Object) error {
	return b.publish(nil, b.all+to+"#", kind, data)
}

func (b *sharded) publish(r *request, channel string, kind int, data js.Object) error {
	encode := js.AppendJSON
	if mayHoldBytes(kind) && js.HasBinary(data) {
		encode = js.AppendNotepack
	}
	payload, err := b.spell(encode, b.message(kind, data))
	if err != nil {
		return err
	}
	b.queue.push(&outgoing{
		channel: channel, payload: payload, args: []any{"spublish", channel, payload}, request: r,
		own: true,
	})
	return nil
}

func (b *sharded) receive(channel, payload string) {
	b.metrics.ClusterReceived(1)
	if b.marks.on(payload) {
		b.publisher.heard(channel, payload)
		return
	}
	if b.concernsNobody(channel, payload) {
		return
	}
	b.turn.Lock()
	defer b.turn.Unlock()
	m, err := decodePayload(payload)
	if err == nil {
		var e envelope
		var ok bool
		if e, ok, err = b.open(m); ok {
			err = b.handle(e)
		}
	}
	if err != nil {
		b.drops.count(reasonOf(err), err)
	}
}

// concernsNobody says whether it is a broadcast to rooms of which this pod has
// none: to several, or to one that its last socket has just left.
func (b *sharded) concernsNobody(channel, payload string) bool {
	switch {
	case b.index == nil:
		return false
	case channel != b.all && channel != b.mine:
		room := strings.TrimSuffix(strings.TrimPrefix(channel, b.all), "#")
		return !b.index.HasRoom(room)
	case strings.HasPrefix(payload, jsonBroadcast):
		return unanswered(payload) && b.misses(asJSON, payload, "data", "opts", "rooms")
	case strings.HasPrefix(payload, msgpackBroadcast):
		return unanswered(payload) && b.misses(asMsgpack, payload, "data", "opts", "rooms")
	}
	return false
}

func (b *sharded) resumed(since time.Time) {
	b.turn.Lock()
	defer b.turn.Unlock()
	b.local.Resumed(since)
}
