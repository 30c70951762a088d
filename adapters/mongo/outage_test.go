package mongo_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.uber.org/goleak"

	"parley/adapters/mongo"
	"parley/models"
)

// line is a wire to the server that can be cut, that can lose answers, and that
// knows what was asked over it.
type line struct {
	ln      net.Listener
	to      string
	mute    atomic.Bool   // requests arrive, answers do not
	held    chan struct{} // answers to inserts and queries wait for it; nil for none
	asked   sync.Map      // command → *atomic.Int32
	lose    atomic.Int32  // the number of the insert whose answer is lost
	mu      sync.Mutex
	cut     bool
	conns   []net.Conn
	running sync.WaitGroup
}

func newLine(t *testing.T, to string) *line {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	l := &line{ln: ln, to: to}
	l.running.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			l.running.Go(func() { l.carry(c) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		l.set(true)
		l.running.Wait()
	})
	return l
}

func (l *line) set(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = cut
	l.release()
	if cut {
		for _, c := range l.conns {
			_ = c.Close()
		}
		l.conns = nil
	}
}

// hold lets answers to inserts and queries wait for release, which needs l.mu.
func (l *line) hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = make(chan struct{})
}

func (l *line) release() {
	if l.held != nil {
		close(l.held)
		l.held = nil
	}
}

// wait is for an answer that is held.
func (l *line) wait() {
	l.mu.Lock()
	held := l.held
	l.mu.Unlock()
	if held != nil {
		<-held
	}
}

func (l *line) carry(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", l.to)
	if err != nil {
		return
	}
	defer server.Close()
	l.mu.Lock()
	if l.cut {
		l.mu.Unlock()
		return
	}
	l.conns = append(l.conns, client, server)
	l.mu.Unlock()
	var wg sync.WaitGroup
	var last request
	wg.Go(func() {
		l.forward(server, client, &last)
		_ = server.Close()
	})
	wg.Go(func() {
		defer client.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if err != nil || (n > 0 && (l.mute.Load() || last.lost.Load())) {
				return // the answer is lost and the connection with it
			}
			if last.held.Load() {
				l.wait()
			}
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
	})
	wg.Wait()
}

// request is the last one on a connection, and what is to become of its answer.
type request struct{ lost, held atomic.Bool }

// forward passes requests on and counts them.
func (l *line) forward(server io.Writer, client io.Reader, last *request) {
	const header, opMsg = 16, 2013
	for {
		head := make([]byte, header)
		if _, err := io.ReadFull(client, head); err != nil {
			return
		}
		body := make([]byte, binary.LittleEndian.Uint32(head)-header)
		if _, err := io.ReadFull(client, body); err != nil {
			return
		}
		if binary.LittleEndian.Uint32(head[12:]) == opMsg { // flags, a section's kind, the command
			command := bson.Raw(body[5 : 5+binary.LittleEndian.Uint32(body[5:])]).Index(0).Key()
			n, _ := l.asked.LoadOrStore(command, new(atomic.Int32))
			nth := n.(*atomic.Int32).Add(1)
			last.lost.Store(command == "insert" && nth == l.lose.Load())
			last.held.Store(command == "insert" || command == "find")
		}
		if _, err := server.Write(append(head, body...)); err != nil {
			return
		}
	}
}

// count is how often the command was asked for.
func (l *line) count(command string) int {
	n, ok := l.asked.Load(command)
	if !ok {
		return 0
	}
	return int(n.(*atomic.Int32).Load())
}

func openOver(t *testing.T, timeout time.Duration) (*fixture, *line) {
	t.Helper()
	var l *line
	f := open(t, func(o *mongo.Options) {
		u := freshURI(t)
		l = newLine(t, u.Host)
		o.OpTimeout = timeout
		o.URI = o.URI[:len("mongodb://")] + l.ln.Addr().String() + "/" + o.URI[len("mongodb://")+len(u.Host)+1:]
	})
	// More than once, perhaps: the first connection has to fit into timeout.
	eventually(t, "connected", func() bool { return f.Ping(t.Context()) == nil })
	return f, l
}

func TestAwayIsUnavailableAndQuick(t *testing.T) {
	f, l := openOver(t, 300*time.Millisecond)
	chat := f.NewChatID()
	m := f.text(chat, 0)
	ctx := t.Context()
	calls := map[string]func() error{
		"ping":           func() error { return f.Ping(ctx) },
		"indexes":        func() error { return f.EnsureIndexes(ctx) },
		"chat":           func() error { _, _, err := f.Chat(ctx, chat); return err },
		"chat ids of":    func() error { _, err := f.ChatIDsOf(ctx, hexUser); return err },
		"chat ids of 2":  func() error { _, err := f.ChatIDsOf(ctx, hexUser, nameUser); return err },
		"chats by id":    func() error { _, err := f.ChatsByID(ctx, []models.ChatID{chat}); return err },
		"create chat":    func() error { return f.CreateChat(ctx, models.Chat{ID: chat}) },
		"add":            func() error { _, _, err := f.AddParticipant(ctx, chat, hexUser, at(0)); return err },
		"remove":         func() error { _, _, err := f.RemoveParticipant(ctx, chat, hexUser, at(0)); return err },
		"insert":         func() error { return f.Insert(ctx, []models.Message{m}) },
		"insert missing": func() error { return f.InsertMissing(ctx, []models.Message{m}) },
		"message":        func() error { _, _, err := f.Message(ctx, m.ID); return err },
		"latest":         func() error { _, err := f.Latest(ctx, []models.ChatID{chat, f.NewChatID()}); return err },
		"since":          func() error { _, err := f.Since(ctx, []models.ChatID{chat}, at(0), 5); return err },
		"history":        func() error { _, _, err := f.History(ctx, chat, models.Page{Limit: 5, Before: m.ID}); return err },
		"request":        func() error { _, _, err := f.Request(ctx, "k"); return err },
		"claim":          func() error { _, err := f.Claim(ctx, models.Request{Key: "k"}); return err },
		"take over":      func() error { _, err := f.TakeOver(ctx, at(0), models.Request{Key: "k", ClaimedAt: at(1)}); return err },
		"finish":         func() error { return f.Finish(ctx, "k") },
		"forget":         func() error { return f.Forget(ctx, "k") },
		"save absence":   func() error { return f.SaveAbsence(ctx, hexUser, models.Absence{Since: at(0)}) },
		"absence":        func() error { _, _, err := f.Absence(ctx, hexUser); return err },
		"last seen":      func() error { _, err := f.LastSeen(ctx, []models.UserID{hexUser}); return err },
		"installed":      func() error { _, err := f.Installed(ctx); return err },
	}
	l.set(true)
	for name, call := range calls {
		begin := time.Now()
		err := call()
		if models.CodeOf(err) != models.CodeUnavailable {
			t.Errorf("%s: %v", name, err)
		}
		if d := time.Since(begin); d > 3*time.Second {
			t.Errorf("%s took %v", name, d)
		}
	}
	l.set(false)
	eventually(t, "back", func() bool { return f.Ping(ctx) == nil })
	// More than once, perhaps: 300 ms are little on a busy machine.
	eventually(t, "inserts", func() bool { return f.Insert(ctx, []models.Message{f.text(chat, 1)}) == nil })
	f.metrics.mu.Lock()
	defer f.metrics.mu.Unlock()
	if f.metrics.errors["insert"] == 0 || f.metrics.timed["insert"] == 0 {
		t.Errorf("%v %v", f.metrics.errors, f.metrics.timed)
	}
}

func TestAnInsertWithoutAnAnswerIsUndone(t *testing.T) {
	f, l := openOver(t, 500*time.Millisecond)
	chat := f.NewChatID()
	// Not by way of f: the database is made with its first document.
	_, err := f.raw.Collection("messages").InsertOne(t.Context(), bson.D{{Key: "_id", Value: "first"}})
	must(t, err)
	l.mute.Store(true)
	lost := []models.Message{f.text(chat, 1), f.text(chat, 2)}
	if err := f.Insert(t.Context(), lost); models.CodeOf(err) != models.CodeUnavailable {
		t.Fatal(err)
	}
	ghost := models.Chat{ID: f.NewChatID(), CreatedAt: at(0), UpdatedAt: at(0)}
	if err := f.CreateChat(t.Context(), ghost); models.CodeOf(err) != models.CodeUnavailable {
		t.Fatal(err)
	}
	eventually(t, "the insert arrived", func() bool { return f.count(t, "messages") == 3 })
	l.mute.Store(false)
	eventually(t, "the insert is undone", func() bool { return f.count(t, "messages") == 1 })
	eventually(t, "the chat is undone", func() bool { return f.count(t, "chats") == 0 })
}

func TestALateInsertIsUndoneToo(t *testing.T) {
	// Twice the timeout is how long a late insert is waited for, so it has to be
	// long enough for what happens here until then.
	f, l := openOver(t, 3*time.Second)
	chat := f.NewChatID()
	m := f.text(chat, 1)
	l.mute.Store(true)
	if err := f.Insert(t.Context(), []models.Message{m}); err == nil {
		t.Fatal("no error")
	}
	l.mute.Store(false)
	eventually(t, "undone", func() bool { return f.count(t, "messages") == 0 })
	// What a server does that had the request in its queue all the time.
	_, err := f.raw.Collection("messages").InsertOne(t.Context(), bson.D{{Key: "_id", Value: oid(t, string(m.ID))}, {Key: "updatedAt", Value: bson.NewDateTimeFromTime(m.UpdatedAt)}})
	must(t, err)
	eventually(t, "undone again", func() bool { return f.count(t, "messages") == 0 })
}

func TestWhatAnotherPodTookOverIsNotUndone(t *testing.T) {
	f, l := openOver(t, 500*time.Millisecond)
	chat := f.NewChatID()
	m, gone := f.text(chat, 1), f.text(chat, 2)
	l.mute.Store(true)
	if err := f.Insert(t.Context(), []models.Message{m, gone}); err == nil {
		t.Fatal("no error")
	}
	pod, err := mongo.Open(t.Context(), mongo.Options{URI: f.uri.String(), OpTimeout: time.Minute})
	must(t, err)
	defer pod.Close(t.Context())
	must(t, pod.InsertMissing(t.Context(), []models.Message{m}))
	l.mute.Store(false)
	eventually(t, "the rest is undone", func() bool { return f.count(t, "messages") == 1 })
	must(t, f.Close(t.Context())) // undoes all that is left
	if _, found, err := pod.Message(t.Context(), m.ID); !found || err != nil {
		t.Error("an acknowledged message was deleted ", err)
	}
}

func TestTheQueueOfUndoingIsBounded(t *testing.T) {
	m := &metrics{}
	f, l := openOver(t, 500*time.Millisecond)
	u := f.uri
	s, err := mongo.Open(t.Context(), mongo.Options{
		URI: "mongodb://" + l.ln.Addr().String() + u.Path, OpTimeout: 500 * time.Millisecond, UndoQueue: 1, Metrics: m,
	})
	must(t, err)
	eventually(t, "connected", func() bool { return s.Ping(t.Context()) == nil })
	l.mute.Store(true)
	if err := s.Insert(t.Context(), []models.Message{f.text(f.NewChatID(), 0), f.text(f.NewChatID(), 0)}); err == nil {
		t.Fatal("no error")
	}
	m.mu.Lock()
	dropped := m.errors["undo_queue_full"]
	m.mu.Unlock()
	if dropped != 1 {
		t.Errorf("%v", m.errors)
	}
	l.mute.Store(false)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	must(t, s.Close(ctx))
}

func TestCloseEndsEverything(t *testing.T) {
	before := goleak.IgnoreCurrent()
	s, err := mongo.Open(t.Context(), mongo.Options{URI: freshURI(t).String()})
	must(t, err)
	must(t, s.Ping(t.Context()))
	for range 2 {
		must(t, s.Close(t.Context()))
	}
	eventually(t, "no goroutine is left", func() bool { return goleak.Find(before) == nil })
	if err := s.Ping(t.Context()); models.CodeOf(err) != models.CodeUnavailable {
		t.Error(err)
	}
}

func TestOpen(t *testing.T) {
	for _, uri := range []string{"", "http://x", "mongodb://", "mongodb://h/?w=-5"} {
		if _, err := mongo.Open(t.Context(), mongo.Options{URI: uri}); models.CodeOf(err) != models.CodeInternal {
			t.Errorf("%q: %v", uri, err)
		}
	}
	s, err := mongo.Open(t.Context(), mongo.Options{URI: "mongodb://127.0.0.1:1/x", OpTimeout: 100 * time.Millisecond})
	must(t, err) // away is no reason not to start
	if err := s.Ping(t.Context()); models.CodeOf(err) != models.CodeUnavailable {
		t.Error(err)
	}
	must(t, s.Close(t.Context()))
}
