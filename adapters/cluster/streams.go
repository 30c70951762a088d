package cluster

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"parley/adapters/js"
)

// Defaults of @socket.io/redis-streams-adapter.
const (
	defaultStream    = "socket.io"
	defaultStreamLen = 10_000
)

// StreamsOptions are the options of NewStreams. Only Client is needed.
type StreamsOptions struct {
	Client         redis.UniversalClient
	Stream         string // "socket.io"; one for all namespaces
	MaxLen         int64  // 10,000 entries, about
	Prefix         string // "socket.io", of the channels
	Namespace      string // "/"
	UID            string // 16 random hex digits
	RequestTimeout time.Duration
	QueueBytes     int
	QueueLen       int
	Logger         *slog.Logger
	Metrics        Metrics
	Now            func() time.Time
}

// streams speaks the protocol of @socket.io/redis-streams-adapter: what must
// not be lost goes through a stream, questions and answers through pub/sub.
type streams struct {
	peers
	stream    string
	maxLen    string
	all, mine string // channels
	reader    *streamReader
	caughtUp  func()     // returns once the stream was read up to now
	turn      sync.Mutex // held during calls to local, which come from two connections
}

// NewStreams returns a bus that Node pods with @socket.io/redis-streams-adapter
// 0.3 take for one of theirs. A broken connection continues where it was, as
// long as the stream holds what came meanwhile.
func NewStreams(o StreamsOptions) Bus {
	if o.UID == "" {
		o.UID = longID()
	}
	if o.Stream == "" {
		o.Stream = defaultStream
	}
	if o.MaxLen <= 0 {
		o.MaxLen = defaultStreamLen
	}
	s := settings{
		client: o.Client, prefix: o.Prefix, nsp: o.Namespace, uid: o.UID, requestTimeout: o.RequestTimeout,
		queueBytes: o.QueueBytes, queueLen: o.QueueLen, log: o.Logger, metrics: o.Metrics, now: o.Now,
	}.withDefaults()
	b := &streams{stream: o.Stream, maxLen: strconv.FormatInt(o.MaxLen, 10), all: s.prefix + "#" + s.nsp + "#"}
	b.mine = b.all + s.uid + "#"
	b.link = newLink(s, "numsub", b.all)
	b.marks = peerMarks(s.uid, s.nsp)
	b.publisher.nodes.routed = true
	b.publisher.roll = roll{prefix: b.all, own: b.uid}
	b.onceHeard = func(answer func()) { answer() } // rooms have no channels
	b.send, b.inLine, b.answer, b.ready = b.sendAll, b.append, b.sendOne, b.Ready
	b.subscriber.channels = []string{b.all, b.mine}
	b.subscriber.message = b.receive
	b.subscriber.resumed = b.resumed
	b.reader = newStreamReader(s, o.Stream, b.entry, b.resumed)
	b.needs.Add(1)
	b.reader.connected = b.connected(&b.reader.epoch)
	b.also = append(b.also, b.reader.run)
	b.caughtUp = func() {
		if err := b.reader.catchUp(context.Background()); err != nil {
			b.log.Debug("not known whether the stream was read up to now", "error", err)
		}
	}
	b.lastWords = func(ctx context.Context) {
		b.subscriber.leave(ctx, b.mine) // nobody calls our name any more
		if err := b.reader.catchUp(ctx); err != nil {
			b.log.Debug("not known whether all questions were answered", "error", err)
		}
	}
	subscribed := b.subscriber.fence
	b.publisher.catchUp = func(ctx context.Context) error {
		return errors.Join(subscribed(ctx), b.reader.catchUp(ctx))
	}
	return b
}

func (b *streams) Start(ctx context.Context, local Local) error {
	b.local = local
	return b.start(ctx, local)
}

// CatchUp returns once the stream was read up to now: broadcasts come by it.
func (b *streams) CatchUp(ctx context.Context) error { return b.reader.catchUp(ctx) }

func (b *streams) Close(ctx context.Context) error { return b.close(ctx) }

// Ready returns nil while this pod hears the others, on both ways.
func (b *streams) Ready() error {
	if !b.reader.ready.Load() {
		return unavailable(errNotSubscribed)
	}
	return b.link.Ready()
}

// ephemeral says what Node does not put into the stream.
func ephemeral(kind int, data js.Object) bool {
	switch kind {
	case msgServerSideEmit, msgFetch:
		return true
	case msgBroadcast:
		_, asks := data.Get("requestId")
		return asks
	}
	return false
}

func (b *streams) sendAll(r *request, kind int, data js.Object, _ []string) error {
	if ephemeral(kind, data) {
		return b.publish(r, b.all, kind, data)
	}
	return b.append(r, kind, data, nil)
}

// append puts a message into the stream. Of a question there, too, all pods
// answer by pub/sub: Node's did until 0.3 put them there themselves, and still
// read them.
func (b *streams) append(r *request, kind int, data js.Object, _ []string) error {
	if r != nil {
		r.roll() // who reads the stream need not be subscribed, and the other way round
	}
	encode, binary := js.AppendJSON, mayHoldBytes(kind) && js.HasBinary(data)
	if binary {
		encode = js.AppendMsgpack
	}
	payload, err := b.spell(encode, data)
	if err != nil {
		return err
	}
	if binary {
		payload = base64.StdEncoding.EncodeToString([]byte(payload))
	}
	b.queue.push(&outgoing{
		channel: b.stream, payload: payload, request: r, own: true,
		args: []any{
			"xadd", b.stream, "MAXLEN", "~", b.maxLen, "*",
			"uid", b.uid, "nsp", b.nsp, "type", strconv.Itoa(kind), "data", payload,
		},
	})
	return nil
}

func (b *streams) sendOne(to string, kind int, data js.Object) error {
	return b.publish(nil, b.all+to+"#", kind, data)
}

func (b *streams) publish(r *request, channel string, kind int, data js.Object) error {
	payload, err := b.spell(js.AppendMsgpack, b.message(kind, data))
	if err != nil {
		return err
	}
	b.queue.push(&outgoing{
		channel: channel, payload: payload, args: []any{"publish", channel, payload}, request: r, own: true,
	})
	return nil
}

// receive handles what came by pub/sub.
func (b *streams) receive(channel, payload string) {
	b.metrics.ClusterReceived(1)
	if b.marks.on(payload) {
		b.publisher.heard(channel, payload)
		return
	}
	if err := b.onPublished(payload); err != nil {
		b.drops.count(reasonOf(err), err)
	}
}

func (b *streams) onPublished(payload string) error {
	v, err := js.ParseMsgpack(payload)
	if err != nil {
		return err
	}
	m, ok := v.(js.Object)
	if !ok {
		return fmt.Errorf("%w: message is a %T", js.ErrMalformed, v)
	}
	e, ok, err := b.open(m)
	if err != nil || !ok {
		return err
	}
	if e.kind < firstAnswer || e.kind == msgServerSideEmit {
		// It must not overtake what its sender put into the stream before.
		b.caughtUp()
	}
	b.turn.Lock()
	defer b.turn.Unlock()
	return b.handle(e)
}

// entry handles what came by the stream.
func (b *streams) entry(f fields) {
	b.metrics.ClusterReceived(1)
	if f.text("uid") == b.uid {
		b.publisher.heard(b.stream, f.text("data"))
		return
	}
	if err := b.onEntry(f); err != nil {
		b.drops.count(reasonOf(err), err)
	}
}

func (b *streams) onEntry(f fields) error {
	if f.text("nsp") != b.nsp {
		return nil
	}
	kind, err := strconv.Atoi(f.text("type"))
	if err != nil {
		return fmt.Errorf("%w: message type %s", js.ErrMalformed, brief(f.text("type")))
	}
	text := f.text("data")
	if kind == msgBroadcast && unanswered(text) && b.misses(asJSON, text, "opts", "rooms") {
		return nil
	}
	data, err := decodeEntry(text)
	if err != nil {
		return err
	}
	e, ok, err := b.open(js.Object{{Key: "uid", Value: f.text("uid")}, {Key: "nsp", Value: b.nsp}, {Key: "type", Value: float64(kind)}, {Key: "data", Value: data}})
	if err != nil || !ok {
		return err
	}
	b.turn.Lock()
	defer b.turn.Unlock()
	return b.handle(e)
}

// decodeEntry reads JSON, or MessagePack in base64.
func decodeEntry(s string) (any, error) {
	switch {
	case s == "":
		return nil, nil // heartbeats of other versions have none
	case s[0] == '{':
		return js.ParseJSON(s)
	case len(s) > js.MaxBytes/3*4:
		return nil, js.ErrTooLarge
	}
	raw, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", js.ErrMalformed, err)
	}
	return js.ParseMsgpack(string(raw))
}

func (b *streams) resumed(since time.Time) {
	b.turn.Lock()
	defer b.turn.Unlock()
	b.local.Resumed(since)
}
