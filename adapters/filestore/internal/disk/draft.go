package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Draft is a file's next content, already on disk under another name.
type Draft struct {
	path, temp string
	info       fs.FileInfo
	done       bool
}

// Prepare writes a draft of path and waits until it is on disk. Old is the stat of the present content, nil if there is
// none; the draft takes its owner over, and an mtime that is later.
//
// Callers hold the lock: the name of a draft is fixed, so that what a killed process left behind goes with the next one.
func Prepare(path string, old fs.FileInfo, write func(io.Writer) error) (draft *Draft, err error) {
	d := &Draft{path: path, temp: path + ".tmp"}
	if err := os.Remove(d.temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := create(d.temp)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Discard())
		}
	}()
	err = d.fill(f, old, write)
	if closed := f.Close(); err == nil {
		err = closed
	}
	return d, err
}

func (d *Draft) fill(f *os.File, old fs.FileInfo, write func(io.Writer) error) (err error) {
	if old != nil {
		if err := adopt(f, old); err != nil {
			return fmt.Errorf("keeping the owner of %s: %w", d.path, err)
		}
	}
	if err := write(f); err != nil {
		return err
	}
	if old != nil {
		if err := stamp(f, old.ModTime()); err != nil {
			return err
		}
	}
	if err := f.Sync(); err != nil {
		return err
	}
	d.info, err = f.Stat()
	return err
}

// stamp moves the mtime of f past that of the content before. A file system's clock may stand still for seconds or run
// backwards, sizes repeat, and the inode of the content before the last is free for use again: then stat would tell
// nothing. From the smallest step on, those that the file system rounds away are skipped.
func stamp(f *os.File, before time.Time) error {
	for _, step := range []time.Duration{
		0, 1, 100, time.Microsecond, time.Millisecond, 10 * time.Millisecond, time.Second, 2 * time.Second,
	} {
		if step != 0 {
			if err := os.Chtimes(f.Name(), time.Time{}, before.Add(step)); err != nil {
				return err
			}
		}
		info, err := f.Stat()
		if err != nil || info.ModTime().After(before) {
			return err
		}
	}
	return fmt.Errorf("%s does not get an mtime later than %v: this file system cannot tell its versions apart", f.Name(), before)
}

// Commit puts the draft in the file's place, for everyone at once, and returns its stat. It is durable after [SyncDir].
func (d *Draft) Commit() (fs.FileInfo, error) {
	if err := rename(d.temp, d.path); err != nil {
		return nil, err
	}
	d.done = true
	// The same, unless the file system has touched it up on close; or somebody else has put another file here.
	if info, err := Inspect(d.path); err == nil && os.SameFile(info, d.info) {
		return info, nil
	}
	return d.info, nil
}

// Discard removes a draft that has not been committed.
func (d *Draft) Discard() error {
	if d.done {
		return nil
	}
	d.done = true
	return os.Remove(d.temp)
}

// SyncDir waits until the names in the directory of path are on disk.
func SyncDir(path string) error { return syncDir(filepath.Dir(path)) }
