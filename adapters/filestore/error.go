package filestore

import (
	"errors"
	"fmt"

	"github.com/claviger-go/claviger/adapters/filestore/internal/disk"
)

var (
	// ErrDamaged: the file is not as it was written last. It is torn, truncated, altered, empty, gone, or an older
	// copy; what it lacks may be a revocation, so nothing is read from it.
	ErrDamaged = errors.New("filestore: damaged file")
	// ErrUnsafe: somebody else can read or replace the file, or it is no regular file of its own.
	ErrUnsafe = disk.ErrUnsafe
	// ErrFull: the file has reached its largest size. Records can still be changed and deleted.
	ErrFull = errors.New("filestore: file is full")
)

// fault is an error in words of its own that errors.Is finds under all of kinds.
type fault struct {
	text  string
	kinds []error
}

func (f *fault) Error() string { return f.text }

func (f *fault) Unwrap() []error { return f.kinds }

const restore = "Put the newest whole copy in its place, and revoke again what was revoked after that copy was made"

func damaged(path, reason string) error {
	return &fault{
		fmt.Sprintf("filestore: %s is damaged: %s. It is refused, since what it lost may be a revocation. %s", path, reason, restore),
		[]error{ErrDamaged},
	}
}

func older(path string, found, known uint64) error {
	return &fault{
		fmt.Sprintf("filestore: %s is an older copy: it is at generation %d, and generation %d was here. Keys revoked since then would work "+
			"again. Put the newer file back; or, to go on from the older one, stop all processes that use it, delete %[1]s.lock, and "+
			"revoke again what was revoked since", path, found, known),
		[]error{ErrDamaged},
	}
}

func vanished(path string, known uint64, err error) error {
	return &fault{
		fmt.Sprintf("filestore: %s is gone, and was here at generation %d. Put it back. To begin an empty store instead, in which no "+
			"key works, stop all processes that use it, delete %[1]s.lock and set Config.Create", path, known),
		[]error{ErrDamaged, err},
	}
}

func missing(path string, err error) error {
	return &fault{
		fmt.Sprintf("filestore: %s does not exist: correct the path, or set Config.Create to begin an empty store there", path),
		[]error{err},
	}
}
