//go:build !noembed

package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/FerretDB/FerretDB/ferretdb"
)

// Database is the database the server's URI names.
const Database = "parley"

// collections are made before anybody is let in; see prepare.
var collections = []string{"chats", "messages", "parley_requests", "parley_absences", "parley_moves", "parley_sessions", "parley_state"}

// Mongo starts a MongoDB-protocol server on a free loopback port with its data
// under dir, which it makes where it is missing and keeps for itself.
func Mongo(ctx context.Context, dir string, logger *slog.Logger) (*Server, error) {
	return MongoAt(ctx, dir, "127.0.0.1:0", logger)
}

// MongoAt is Mongo on a given loopback address.
func MongoAt(ctx context.Context, dir, addr string, logger *slog.Logger) (*Server, error) {
	s, err := startMongo(ctx, dir, addr, logger)
	if err != nil {
		return nil, fmt.Errorf("embedded database: %w", err)
	}
	return s, nil
}

func startMongo(ctx context.Context, dir, addr string, logger *slog.Logger) (*Server, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if strings.ContainsAny(dir, "?#%") {
		// FerretDB hands the path to SQLite inside a URI and escapes nothing.
		return nil, fmt.Errorf("the data directory %q may not contain any of ? # %%", dir)
	}
	if err = os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	unlock, err := lock(dir)
	if err != nil {
		return nil, err
	}
	stop, upstream, err := startPrepared(ctx, dir, logger)
	if err != nil {
		return nil, errors.Join(err, unlock())
	}
	x := newIndexes(dir)
	if err = x.makeAll(ctx); err != nil {
		return nil, errors.Join(err, x.close(), stop(ctx), unlock())
	}
	g, err := openGate(ctx, addr, upstream, x, logger)
	if err != nil {
		return nil, errors.Join(err, x.close(), stop(ctx), unlock())
	}
	logger.Debug("embedded database listens", "addr", g.ln.Addr().String(), "dir", dir)
	return &Server{
		uri: (&url.URL{Scheme: "mongodb", Host: g.ln.Addr().String(), Path: "/" + Database}).String(),
		stop: func(ctx context.Context) error {
			g.close()
			return errors.Join(x.close(), stop(ctx), unlock())
		},
	}, nil
}

// startPrepared starts FerretDB and sees to it that the collections are whole.
//
// FerretDB makes a collection in four steps (file, table, entry, unique index)
// without a transaction. Killed between them it leaves a database that it
// cannot open, or one where an _id can be stored twice. So they are all made
// before the first client, and a marker says that this went well; without it
// the files, which nobody can have written to, are put aside.
func startPrepared(ctx context.Context, dir string, logger *slog.Logger) (stop func(context.Context) error, addr string, err error) {
	marker := filepath.Join(dir, "prepared")
	_, statErr := os.Stat(marker)
	if statErr == nil {
		return startFerret(dir, logger)
	}
	if !errors.Is(statErr, os.ErrNotExist) {
		return nil, "", statErr
	}
	if err = putAside(dir, logger); err != nil {
		return nil, "", err
	}
	if stop, addr, err = startFerret(dir, logger); err != nil {
		return nil, "", err
	}
	if err = prepare(ctx, addr); err == nil {
		err = writeMarker(marker)
	}
	if err != nil {
		return nil, "", errors.Join(err, stop(ctx))
	}
	return stop, addr, nil
}

// startFerret runs FerretDB alone, on a port of its own.
func startFerret(dir string, logger *slog.Logger) (stop func(context.Context) error, addr string, err error) {
	f, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{TCP: "127.0.0.1:0"},
		Logger:    slog.New(quiet{logger.Handler()}),
		Handler:   "sqlite",
		SQLiteURL: sqliteURL(dir),
	})
	if err != nil {
		return nil, "", err
	}
	// The context of Run only ever means "stop", so it hangs on nothing else.
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	u, err := url.Parse(f.MongoDBURI())
	stop = func(wait context.Context) error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-wait.Done():
			return wait.Err()
		}
	}
	if err != nil {
		return nil, "", errors.Join(err, stop(context.Background()))
	}
	return stop, u.Host, nil
}

// sqliteURL says where the data lies and how it is written: every commit is in
// the write-ahead log and flushed to disk before it is acknowledged, so it
// outlives a kill as well as a loss of power.
func sqliteURL(dir string) string {
	pragmas := url.Values{"_pragma": {"busy_timeout(10000)", "journal_mode(wal)", "synchronous(full)"}, "_txlock": {"immediate"}}
	return "file:" + filepath.ToSlash(dir) + "/?" + pragmas.Encode()
}

// writeMarker makes the marker in one step.
func writeMarker(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// putAside renames what an unfinished first start left behind.
func putAside(dir string, logger *slog.Logger) error {
	left, err := filepath.Glob(filepath.Join(dir, "*.sqlite*"))
	if err != nil {
		return err
	}
	for _, path := range left {
		if strings.HasSuffix(path, ".unfinished") {
			continue
		}
		logger.Warn("embedded database: an unfinished file of an earlier start is put aside", "file", path)
		if err := os.Rename(path, path+".unfinished"); err != nil {
			return err
		}
	}
	return nil
}
