//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package disk

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

func inspect(path string) (fs.FileInfo, error) { return os.Lstat(path) }

func open(path string) (*os.File, error) { return openFile(path, os.O_RDONLY|syscall.O_NONBLOCK) }

func create(path string) (*os.File, error) { return openFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL) }

func openLock(path string) (*os.File, error) {
	const flags = os.O_RDWR | syscall.O_NONBLOCK
	f, err := openFile(path, flags|os.O_CREATE|os.O_EXCL)
	if errors.Is(err, fs.ErrExist) {
		f, err = openFile(path, flags)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, errHeld // deleted in between
		}
	}
	return f, err
}

func openFile(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, flags|syscall.O_NOFOLLOW, 0o600) //nolint:gosec // the operator's path, as Open says
	if err != nil || flags&os.O_CREATE == 0 {
		return f, err
	}
	// A umask may keep a new file from its own owner.
	if err := f.Chmod(0o600); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func holdLock(f *os.File) error {
	for {
		switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return errHeld
		default:
			return os.NewSyscallError("flock", err)
		}
	}
}

// freeLock does what closing does, and also if this process is just starting another one, which has the file open until
// its exec.
func freeLock(f *os.File) { _ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }

func links(info fs.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(stat.Nlink) //nolint:unconvert // other systems have other types
	}
	return 1
}

func owner(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -1
}

func checkMode(path string, info fs.FileInfo) error {
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return refuse("%s has mode %04o, so that others can open it: chmod 600 %[1]s", path, mode)
	}
	return nil
}

func checkDir(dir string, d fs.FileInfo, path string, info fs.FileInfo) error {
	if d.Mode().Perm()&0o002 == 0 {
		return nil
	}
	if d.Mode()&fs.ModeSticky == 0 {
		return refuse("anybody may replace files in %s (mode %04o): chmod o-w %[1]s", dir, d.Mode().Perm())
	}
	// Such as /tmp, where a stranger may have been first.
	if info != nil && owner(info) != os.Geteuid() && owner(info) != 0 {
		return refuse("%s belongs to user %d, in a directory where anybody may create files: move it to one of your own", path, owner(info))
	}
	return nil
}

// adopt gives f the owner of the file it replaces: root may write to a service's file, and must not take it away.
func adopt(f *os.File, old fs.FileInfo) error {
	info, err := f.Stat()
	if err != nil || owner(info) == owner(old) {
		return err
	}
	return f.Chown(owner(old), -1)
}

func rename(from, to string) error { return os.Rename(from, to) }

func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // as above
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // read only
	// Some file systems know no such thing.
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}
