// Package disk reads and replaces a file of secrets' hashes so that neither a crash nor another process ever meets half
// of it, and so that one stat tells whether it has changed.
package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrUnsafe: somebody else could read or alter the file, or it is none. The text says what to do.
var ErrUnsafe = errors.New("filestore: unsafe file")

// ErrTooLarge: the file is larger than the reader allows.
var ErrTooLarge = errors.New("filestore: file too large")

// readAttempts bounds how often Read starts over because the file was written while it was read.
const readAttempts = 3

// Inspect stats the file at path itself, never what a symbolic link points to.
func Inspect(path string) (fs.FileInfo, error) { return inspect(path) }

// Same reports whether two stats are of the same file with the same content, and just as safe. Draft sees to it that they are not when
// the content differs, however coarse the file system's clock is.
func Same(a, b fs.FileInfo) bool {
	return a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size() && os.SameFile(a, b) &&
		a.Mode() == b.Mode() && owner(a) == owner(b) && links(a) == links(b)
}

// Check refuses what is no regular file of one name that its owner alone can open, with [ErrUnsafe].
func Check(path string, info fs.FileInfo) error {
	switch mode := info.Mode(); {
	case mode.IsRegular():
	case mode.IsDir():
		return refuse("%s is a directory: name a file in it", path)
	case mode&fs.ModeSymlink != 0:
		return refuse("%s is a symbolic link: name the file that it points to", path)
	default:
		return refuse("%s is no regular file (%v)", path, mode)
	}
	if n := links(info); n > 1 {
		return refuse("%s has %d names (hard links), and the others would keep an old state: remove them", path, n)
	}
	return checkMode(path, info)
}

// CheckDir refuses a directory in which anybody could replace the file. Info is that of the file, or nil.
func CheckDir(path string, info fs.FileInfo) error {
	dir := filepath.Dir(path)
	d, err := os.Stat(dir)
	if err != nil {
		return err
	}
	return checkDir(dir, d, path, info)
}

// Read returns the content of the file with its stat. It opens nothing that Check refuses, and never waits for a FIFO's
// other end.
func Read(path string, limit int64) ([]byte, fs.FileInfo, error) {
	for range readAttempts {
		info, err := Inspect(path)
		if err == nil {
			err = Check(path, info)
		}
		if err != nil {
			return nil, nil, err
		}
		data, info, whole, err := readOnce(path, limit)
		if err != nil || whole {
			return data, info, err
		}
	}
	return nil, nil, fmt.Errorf("%s is written to while it is read, %d times over, and not by a filestore", path, readAttempts)
}

// readOnce reads the file that is there now, whether or not another one takes its place meanwhile.
func readOnce(path string, limit int64) (data []byte, info fs.FileInfo, whole bool, err error) {
	f, err := open(path)
	if err != nil {
		return nil, nil, false, err
	}
	defer f.Close() //nolint:errcheck // read only
	info, err = f.Stat()
	if err == nil {
		err = Check(path, info) // the one inspected may be gone
	}
	if err != nil {
		return nil, nil, false, err
	}
	if info.Size() > limit {
		return nil, info, false, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, info.Size(), limit)
	}
	data = make([]byte, info.Size())
	n, err := io.ReadFull(f, data)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, nil, false, err
	}
	after, err := f.Stat()
	whole = err == nil && n == len(data) && after.Size() == info.Size() && after.ModTime().Equal(info.ModTime())
	return data, info, whole, err
}

func refuse(format string, args ...any) error {
	return &refusal{fmt.Sprintf(format, args...)}
}

// refusal is an ErrUnsafe that says it in its own words.
type refusal struct{ text string }

func (r *refusal) Error() string { return r.text }

func (r *refusal) Unwrap() error { return ErrUnsafe }
