//go:build !noembed

package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	_ "modernc.org/sqlite" // the driver FerretDB writes the files with
)

// FerretDB 1.24 gives SQLite nothing to search by: all but {_id: x} is filtered
// and sorted in memory, after every document of the collection was decoded, and
// even {_id: x} scans the table, because the index it makes is on another
// spelling of the expression it asks by. These are the indexes it lacks, in its
// own files. SQLite keeps them, in the transaction that changes the document.
//
// Of an array no expression can be an index, so who takes part in a chat is in a
// table of its own, by triggers.
const (
	doc       = `_ferretdb_sjson`
	docID     = doc + `->'$._id'` // the very text FerretDB asks by
	messageIn = `json_extract(` + doc + `,'$.chatId')`
	messageAt = `json_extract(` + doc + `,'$.createdAt')`
	messageID = `json_extract(` + doc + `,'$._id')`

	moveOf = `json_extract(` + doc + `,'$.user')`
	moveAt = `json_extract(` + doc + `,'$.at')`

	byID    = `CREATE INDEX IF NOT EXISTS "parley_id_%[1]s" ON "%[1]s" (` + docID + `)`
	byOrder = `CREATE INDEX IF NOT EXISTS "parley_order_%[1]s" ON "%[1]s" (` + messageIn + `, ` + messageAt + ` DESC, ` + messageID + ` DESC)`
)

// byMove is for moves, by whose they are and when.
const byMove = `CREATE INDEX IF NOT EXISTS "parley_moves_%[1]s" ON "%[1]s" (` + moveOf + `, ` + moveAt + `)`

// memberTable keeps who takes part in which chat. The id and its kind are read
// once a chat, not once for each of ten thousand members.
func memberTable(table string) []string {
	members := fmt.Sprintf(`"parley_members_%s"`, table)
	add := `INSERT OR IGNORE INTO ` + members + ` SELECT e.value, o.chat, o.kind FROM
		(SELECT new.` + docID + ` AS chat, json_extract(new.` + doc + `,'$."$s".p._id.t') AS kind WHERE json_type(new.` + doc + `,'$.participants') <> 'object') o,
		json_each(new.` + doc + `,'$.participants') e WHERE e.type = 'text'`
	remove := `DELETE FROM ` + members + ` WHERE chat = old.` + docID
	trigger := func(on, what string) string {
		return fmt.Sprintf(`CREATE TRIGGER "parley_%s_%s" AFTER %s ON "%s" BEGIN %s; END`, on, table, on, table, what)
	}
	return []string{
		`DROP TABLE IF EXISTS ` + members,
		`CREATE TABLE ` + members + ` (user TEXT, chat TEXT, kind TEXT, PRIMARY KEY (user, chat)) WITHOUT ROWID`,
		`CREATE INDEX "parley_chat_` + table + `" ON ` + members + ` (chat)`,
		trigger("INSERT", add),
		trigger("UPDATE", remove+`; `+add),
		trigger("DELETE", remove),
		fmt.Sprintf(`UPDATE "%s" SET %s = %s`, table, doc, doc), // those that are there
	}
}

// indexes are those of all databases in a directory.
type indexes struct {
	dir string

	mu  sync.Mutex
	dbs map[string]*indexed
}

// indexed is one database: its file, and the tables of those of its collections
// that have their indexes.
type indexed struct {
	db     *sql.DB
	tables map[string]string
}

func newIndexes(dir string) *indexes { return &indexes{dir: dir, dbs: map[string]*indexed{}} }

// makeAll makes those of Parley's collections, before anybody is let in.
func (x *indexes) makeAll(ctx context.Context) error {
	for _, name := range collections {
		if _, _, _, err := x.table(ctx, Database, name, true); err != nil {
			return err
		}
	}
	return nil
}

// table is where a collection is kept, once it has its indexes; ok is false
// while it has not. build says that nobody writes now, so they may be made.
func (x *indexes) table(ctx context.Context, database, collection string, build bool) (db *sql.DB, table string, ok bool, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	in := x.dbs[database]
	if in == nil {
		if !build || !x.exists(database) {
			return nil, "", false, nil
		}
		if in, err = x.open(database); err != nil {
			return nil, "", false, err
		}
		x.dbs[database] = in
	}
	table, ok = in.tables[collection]
	if ok || !build {
		return in.db, table, ok, nil
	}
	row := in.db.QueryRowContext(ctx, `SELECT table_name FROM _ferretdb_collections WHERE name = ?`, collection)
	if err = row.Scan(&table); errors.Is(err, sql.ErrNoRows) {
		return nil, "", false, nil
	}
	if err == nil {
		err = in.make(ctx, collection, table)
	}
	if err != nil {
		return nil, "", false, fmt.Errorf("indexes of %s.%s: %w", database, collection, err)
	}
	in.tables[collection] = table
	return in.db, table, true, nil
}

func (x *indexes) file(database string) string { return filepath.Join(x.dir, database+".sqlite") }

func (x *indexes) exists(database string) bool {
	_, err := os.Stat(x.file(database))
	return err == nil && filepath.Base(database) == database
}

func (x *indexes) open(database string) (*indexed, error) {
	// What is lost with the power is made again.
	pragmas := url.Values{"mode": {"rw"}, "_pragma": {"busy_timeout(10000)", "synchronous(normal)"}, "_txlock": {"immediate"}}
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(x.file(database))+"?"+pragmas.Encode())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", database, err)
	}
	db.SetMaxOpenConns(8)
	db.SetMaxIdleConns(8)
	return &indexed{db: db, tables: map[string]string{}}, nil
}

// make makes the indexes of a collection where they are missing.
func (in *indexed) make(ctx context.Context, collection, table string) error {
	statements := []string{fmt.Sprintf(byID, table)}
	switch collection {
	case "messages":
		statements = append(statements, fmt.Sprintf(byOrder, table))
	case "parley_moves":
		statements = append(statements, fmt.Sprintf(byMove, table))
	case "chats":
		var there int
		row := in.db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND name = ?`, "parley_DELETE_"+table)
		if err := row.Scan(&there); err != nil {
			return err
		}
		if there == 0 {
			statements = append(statements, memberTable(table)...)
		}
	}
	tx, err := in.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for _, s := range statements {
		if _, err = tx.ExecContext(ctx, s); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}

// forget lets go of a database of which a collection goes away.
func (x *indexes) forget(database string) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	in := x.dbs[database]
	delete(x.dbs, database)
	if in == nil {
		return nil
	}
	return in.db.Close()
}

func (x *indexes) close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	var errs []error
	for name, in := range x.dbs {
		errs = append(errs, in.db.Close())
		delete(x.dbs, name)
	}
	return errors.Join(errs...)
}
