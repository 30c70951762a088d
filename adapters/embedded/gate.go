//go:build !noembed

package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
)

// maxGateConns bounds the connections; a driver keeps at most 100.
const maxGateConns = 1000

// reads are the commands that run side by side. All others change something
// and run one at a time.
var reads = map[string]bool{
	"find": true, "getMore": true, "killCursors": true, "aggregate": true, "count": true,
	"distinct": true, "explain": true, "hello": true, "isMaster": true, "ismaster": true,
	"ping": true, "buildInfo": true, "buildinfo": true, "endSessions": true,
	"listIndexes": true, "listCollections": true, "listDatabases": true, "connectionStatus": true,
	"serverStatus": true, "getParameter": true, "collStats": true, "dbStats": true,
}

// indexedFor are the commands that need the indexes of their collection, ends
// those after which there may be another one of its name.
var (
	indexedFor = map[string]bool{"find": true, "insert": true, "update": true, "delete": true, "findAndModify": true}
	ends       = map[string]bool{"drop": true, "dropDatabase": true, "renameCollection": true}
)

// gate stands between the clients and FerretDB, one upstream connection for
// each client connection.
//
// FerretDB 1 updates by reading a document, changing it in memory and writing
// it back whole, so of two updates at once one is lost, and an update with a
// condition can succeed twice. Letting one write through at a time makes
// updates of a document atomic, as MongoDB's are, and keeps SQLite, which has
// one writer, from ever answering that it is locked. The gate also ends the
// connections at once on shutdown, which FerretDB gives three seconds.
type gate struct {
	ln       net.Listener
	upstream string
	indexes  *indexes
	logger   *slog.Logger
	write    chan struct{} // holds one token: the right to write

	mu     sync.Mutex
	closed bool
	conns  map[net.Conn]struct{}
	wg     sync.WaitGroup
}

// openGate listens on addr and passes on to upstream.
func openGate(ctx context.Context, addr, upstream string, x *indexes, logger *slog.Logger) (*gate, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	g := &gate{ln: ln, upstream: upstream, indexes: x, logger: logger, write: make(chan struct{}, 1), conns: map[net.Conn]struct{}{}}
	g.write <- struct{}{}
	g.wg.Go(g.accept)
	return g, nil
}

func (g *gate) accept() {
	for {
		c, err := g.ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			g.logger.Warn("embedded database: accept failed", "error", err)
			continue
		}
		if !g.track(c) {
			g.logger.Warn("embedded database: connection refused", "reason", "too_many_connections", "limit", maxGateConns)
			_ = c.Close()
			continue
		}
		g.wg.Go(func() {
			defer g.untrack(c)
			if err := g.serve(c); err != nil && !ended(err) {
				g.logger.Warn("embedded database: connection failed", "error", err)
			}
		})
	}
}

func (g *gate) track(c net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || len(g.conns) >= 2*maxGateConns { // each has two ends
		return false
	}
	g.conns[c] = struct{}{}
	return true
}

func (g *gate) untrack(c net.Conn) {
	_ = c.Close()
	g.mu.Lock()
	delete(g.conns, c)
	g.mu.Unlock()
}

// serve passes one request after the other, and its answer back.
func (g *gate) serve(client net.Conn) error {
	up, err := net.Dial("tcp", g.upstream)
	if err != nil {
		return err
	}
	if !g.track(up) {
		_ = up.Close()
		return nil
	}
	defer g.untrack(up)
	var buf []byte
	for {
		if buf, err = readWire(client, buf); err != nil {
			return err
		}
		r := readRequest(buf)
		if buf, err = g.answer(up, buf, r); err != nil {
			return err
		}
		if r.silent {
			continue
		}
		if _, err = client.Write(buf); err != nil {
			return err
		}
	}
}

// answer returns the reply to one request.
func (g *gate) answer(up net.Conn, buf []byte, r request) ([]byte, error) {
	if r.silent {
		// FerretDB answers where MongoDB, asked not to, stays silent.
		buf[wireHeaderBytes] &^= flagMoreToCome
	}
	if answer := g.found(r); answer != nil {
		return answer, nil
	}
	if reads[r.command] {
		return exchange(up, buf)
	}
	<-g.write
	defer func() { g.write <- struct{}{} }()
	if ends[r.command] {
		if err := g.indexes.forget(r.database()); err != nil {
			g.logger.Warn("embedded database: not closed", "error", err)
		}
	}
	return exchange(up, buf)
}

// found answers what the indexes can answer, else nil.
func (g *gate) found(r request) []byte {
	if !indexedFor[r.command] {
		return nil
	}
	// Ends with the query, which is bounded by what it finds.
	ctx := context.Background()
	database, collection := r.database(), r.collection()
	db, table, ok, err := g.indexes.table(ctx, database, collection, false)
	if err == nil && !ok {
		<-g.write // they are made while nobody writes
		db, table, ok, err = g.indexes.table(ctx, database, collection, true)
		g.write <- struct{}{}
	}
	if err != nil {
		g.logger.Warn("embedded database: no indexes", "error", err)
		return nil
	}
	q, readable := readQuery(r.body)
	if !ok || r.command != "find" || r.silent || !readable {
		return nil
	}
	docs, err := q.find(ctx, db, table)
	if err == nil {
		return reply(r, docs)
	}
	if !errors.Is(err, errOther) {
		g.logger.Warn("embedded database: not found by index", "collection", collection, "error", err)
	}
	return nil
}

// exchange sends one request and reads its answer.
func exchange(up net.Conn, buf []byte) ([]byte, error) {
	if _, err := up.Write(buf); err != nil {
		return nil, err
	}
	return readWire(up, buf)
}

// close ends every connection and waits until nothing runs any more.
func (g *gate) close() {
	g.mu.Lock()
	g.closed = true
	_ = g.ln.Close()
	for c := range g.conns {
		_ = c.Close()
	}
	g.mu.Unlock()
	g.wg.Wait()
}

// ended says whether the connection was simply closed.
func ended(err error) bool {
	var op *net.OpError
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.As(err, &op)
}
