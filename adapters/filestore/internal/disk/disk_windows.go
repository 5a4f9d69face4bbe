package disk

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"
	"unsafe"
)

const (
	shareAll = syscall.FILE_SHARE_READ | syscall.FILE_SHARE_WRITE | syscall.FILE_SHARE_DELETE

	errSharing = syscall.Errno(32) // ERROR_SHARING_VIOLATION

	moveReplaceExisting = 0x1 // MOVEFILE_REPLACE_EXISTING
	moveWriteThrough    = 0x8 // MOVEFILE_WRITE_THROUGH
)

// inspect goes by a handle: os.Lstat would learn the file's index later, by a name that may stand for another file then.
func inspect(path string) (fs.FileInfo, error) {
	const attributes = syscall.FILE_FLAG_OPEN_REPARSE_POINT | syscall.FILE_FLAG_BACKUP_SEMANTICS
	f, err := openHandle(path, 0, shareAll, syscall.OPEN_EXISTING, attributes)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	return f.Stat()
}

func open(path string) (*os.File, error) {
	return openHandle(path, syscall.GENERIC_READ, shareAll, syscall.OPEN_EXISTING, syscall.FILE_FLAG_OPEN_REPARSE_POINT)
}

func create(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the operator's path, as Open says
}

// openLock opens for writing and lets nobody else do so, which is the lock.
func openLock(path string) (*os.File, error) {
	f, err := openHandle(path, syscall.GENERIC_READ|syscall.GENERIC_WRITE, syscall.FILE_SHARE_READ, syscall.OPEN_ALWAYS,
		syscall.FILE_FLAG_OPEN_REPARSE_POINT)
	if errors.Is(err, errSharing) {
		return nil, errHeld
	}
	return f, err
}

func holdLock(*os.File) error { return nil }

func freeLock(*os.File) {}

func openHandle(path string, access, share, disposition, attributes uint32) (*os.File, error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	h, err := syscall.CreateFile(name, access, share, nil, disposition, syscall.FILE_ATTRIBUTE_NORMAL|attributes, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(h), path), nil
}

// links is not asked: os.FileInfo does not know it here, and only a user with write access can add a name.
func links(fs.FileInfo) uint64 { return 1 }

// Who may open a file is written in its ACL, which is inherited from the directory and not judged here.
func owner(fs.FileInfo) int                                   { return 0 }
func checkMode(string, fs.FileInfo) error                     { return nil }
func checkDir(string, fs.FileInfo, string, fs.FileInfo) error { return nil }
func adopt(*os.File, fs.FileInfo) error                       { return nil }

// rename writes through: the nearest equivalent of an fsync of the directory. A virus scanner or an indexer may hold the
// file open for a moment, so what it causes is tried again for two seconds.
func rename(from, to string) error {
	source, err := syscall.UTF16PtrFromString(from)
	if err != nil {
		return &fs.PathError{Op: "rename", Path: from, Err: err}
	}
	target, err := syscall.UTF16PtrFromString(to)
	if err != nil {
		return &fs.PathError{Op: "rename", Path: to, Err: err}
	}
	move := syscall.NewLazyDLL("kernel32.dll").NewProc("MoveFileExW")
	for began := time.Now(); ; <-time.After(5 * time.Millisecond) {
		ok, _, err := move.Call(uintptr(unsafe.Pointer(source)), uintptr(unsafe.Pointer(target)), //nolint:gosec // two strings, in
			moveReplaceExisting|moveWriteThrough)
		switch {
		case ok != 0:
			return nil
		case !errors.Is(err, errSharing) && !errors.Is(err, syscall.ERROR_ACCESS_DENIED), time.Since(began) > 2*time.Second:
			return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
		}
	}
}

func syncDir(string) error { return nil }
