package media

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"parley/models"
)

// Files are named by 128 random bits: who was not told a name cannot guess it.
var (
	namePattern   = regexp.MustCompile(`^[0-9a-f]{32}\.[a-z0-9]{1,8}$`)
	endingPattern = regexp.MustCompile(`^\.[a-z0-9]{1,8}$`)
)

const (
	filesPath      = "/files/"
	incomingPrefix = "incoming-"
)

// Local keeps files in a directory and serves them.
type Local struct {
	dir     string
	baseURL string
	root    *os.Root
	logger  *slog.Logger
	metrics Metrics
}

// LocalOptions say where a Local keeps its files.
type LocalOptions struct {
	// Dir is the directory of the files, DATA_DIR/files.
	Dir string
	// BaseURL is put before /files/<name>; empty makes URLs relative.
	BaseURL string
	Logger  *slog.Logger
	Metrics Metrics
}

// NewLocal opens the directory and makes it if need be.
func NewLocal(o LocalOptions) (*Local, error) {
	if err := os.MkdirAll(o.Dir, 0o750); err != nil {
		return nil, models.Unavailable("the file directory", err)
	}
	root, err := os.OpenRoot(o.Dir)
	if err != nil {
		return nil, models.Unavailable("the file directory", err)
	}
	l := &Local{dir: o.Dir, baseURL: strings.TrimRight(o.BaseURL, "/"), root: root}
	l.logger, l.metrics = orQuiet(o.Logger, o.Metrics)
	return l, nil
}

// Close lets go of the directory. Nothing may be kept or served afterwards.
func (l *Local) Close() error {
	if err := l.root.Close(); err != nil {
		return models.Internal(err)
	}
	return nil
}

// Keep moves the upload into the directory; when it returns, the file survives
// a power cut.
func (l *Local) Keep(ctx context.Context, upload models.Upload) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", models.Unavailable("the disk", err)
	}
	name := randomName() + endingOf(upload)
	if err := l.place(upload.Path, name); err != nil {
		l.metrics.MediaError("keep")
		return "", models.Unavailable("the disk", err)
	}
	return l.baseURL + filesPath + name, nil
}

func (l *Local) place(from, name string) error {
	if err := syncFile(from); err != nil {
		return err
	}
	err := os.Rename(from, filepath.Join(l.dir, name))
	if errors.Is(err, syscall.EXDEV) {
		err = l.copyIn(from, name)
	}
	if err != nil {
		return err
	}
	// The file's name lives in the directory, which has a life of its own.
	if err := syncFile(l.dir); err != nil {
		return errors.Join(err, l.root.Remove(name))
	}
	return nil
}

// copyIn is for a spool on another filesystem. The copy gets its name only once
// it is whole, so that half a file is never served.
func (l *Local) copyIn(from, name string) (err error) {
	temporary := incomingPrefix + name
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // read only: nothing can be lost
	out, err := l.root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.root.Remove(temporary))
		}
	}()
	_, err = io.Copy(out, in)
	if err == nil {
		err = out.Sync()
	}
	if closeErr := out.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return l.root.Rename(temporary, name)
}

// Remove deletes a kept file. A file that is not there is removed already, and
// a URL that is not one of ours is none of our business.
func (l *Local) Remove(_ context.Context, url string) error {
	prefix := l.baseURL + filesPath
	name, ok := strings.CutPrefix(url, prefix)
	if !ok || !namePattern.MatchString(name) {
		return models.Refuse(models.CodeNotFound, "no such file")
	}
	if err := l.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.metrics.MediaError("remove")
		return models.Unavailable("the disk", err)
	}
	return nil
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func randomName() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(b[:])
}
