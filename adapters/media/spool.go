package media

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"parley/models"
)

// staleAfter is the age at which a spooled file has no owner any more. It is
// not zero because pods of one machine may share the directory.
const staleAfter = time.Hour

const spoolPrefix, spoolSuffix = "upload-", ".part"

// Spool holds files on this pod's disk while they are being received.
type Spool struct {
	dir     string
	logger  *slog.Logger
	metrics Metrics
	create  func() (*os.File, error)
}

// SpoolOptions are what a Spool can be told; the zero value is good.
type SpoolOptions struct {
	Logger  *slog.Logger
	Metrics Metrics
	// Now is the clock the age of leftovers is held against.
	Now func() time.Time
}

// NewSpool opens the directory, makes it if need be, and removes what an
// earlier process left in it more than an hour ago.
func NewSpool(dir string, o SpoolOptions) (*Spool, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, models.Unavailable("the spool directory", err)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Spool{dir: dir}
	s.logger, s.metrics = orQuiet(o.Logger, o.Metrics)
	s.create = func() (*os.File, error) { return os.CreateTemp(dir, spoolPrefix+"*"+spoolSuffix) }
	if err := s.clean(o.Now().Add(-staleAfter)); err != nil {
		return nil, models.Unavailable("the spool directory", err)
	}
	return s, nil
}

func (s *Spool) clean(before time.Time) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasPrefix(name, spoolPrefix) || !strings.HasSuffix(name, spoolSuffix) {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() || info.ModTime().After(before) {
			continue
		}
		if err := os.Remove(filepath.Join(s.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		s.logger.Info("removed a leftover upload", "file", name, "bytes", info.Size())
	}
	return nil
}

// Receive writes one file to disk and says what it is. After an error nothing
// of it is left; otherwise the caller owns it until Discard.
func (s *Spool) Receive(ctx context.Context, r io.Reader, name, declaredMIME string, maxBytes int64) (models.Upload, error) {
	buffer := make([]byte, headBytes)
	n, err := io.ReadFull(r, buffer)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return models.Upload{}, broken(err)
	}
	if n == 0 {
		return models.Upload{}, models.Refuse(models.CodeUnsupportedMedia, "the file is empty")
	}
	found, ok := kindOf(buffer[:n], declaredMIME)
	if !ok {
		return models.Upload{}, models.Refuse(models.CodeUnsupportedMedia, "the file is not known to be an image, a video or audio, or is known to be something else")
	}

	file, err := s.create()
	if err != nil {
		return models.Upload{}, s.disk(err)
	}
	discard := sync.OnceFunc(func() {
		if err := os.Remove(file.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.logger.Error("an upload could not be removed", "error", err)
		}
	})
	size, err := s.write(ctx, file, buffer, n, r, maxBytes)
	if err == nil {
		if lookErr := found.look(file, size); lookErr != nil {
			err = s.disk(lookErr)
		}
	}
	if closeErr := file.Close(); err == nil && closeErr != nil {
		err = s.disk(closeErr)
	}
	if err != nil {
		discard()
		return models.Upload{}, err
	}
	return models.Upload{
		Name: name, MIME: found.mime, Type: found.family, Declared: found.declared, Either: found.either,
		Size: size, Path: file.Name(), Discard: discard,
	}, nil
}

// write is io.Copy with the two sides' errors kept apart: a reader that breaks
// off is the client's fault, a writer that does is ours. The buffer holds the
// first n bytes, and then those that come.
func (s *Spool) write(ctx context.Context, file *os.File, buffer []byte, n int, r io.Reader, maxBytes int64) (int64, error) {
	var size int64
	put := func(b []byte) error {
		size += int64(len(b))
		if size > maxBytes {
			return models.Refuse(models.CodeFileTooLarge, "the file is too large")
		}
		if _, err := file.Write(b); err != nil {
			return s.disk(err)
		}
		return nil
	}
	if err := put(buffer[:n]); err != nil {
		return size, err
	}
	for {
		if err := ctx.Err(); err != nil {
			return size, broken(err)
		}
		n, readErr := r.Read(buffer)
		if err := put(buffer[:n]); err != nil {
			return size, err
		}
		if errors.Is(readErr, io.EOF) && !errors.Is(readErr, io.ErrUnexpectedEOF) {
			return size, nil
		}
		if readErr != nil {
			return size, broken(readErr)
		}
	}
}

func (s *Spool) disk(err error) error {
	s.metrics.MediaError("spool")
	return models.Unavailable("the disk", err)
}

// broken translates the error of a reader that did not reach its end.
func broken(err error) error {
	var ours *models.Error
	if errors.As(err, &ours) {
		return ours
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return models.Refuse(models.CodeBodyTooLarge, "the request is too large")
	}
	return &models.Error{Code: models.CodeInvalidBody, Message: "the upload broke off", Err: err}
}
