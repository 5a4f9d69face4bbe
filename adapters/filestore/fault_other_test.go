//go:build !linux

package filestore_test

import "testing"

func systemJobs() map[string]job { return nil }

func TestT124_Faults(t *testing.T) {
	t.Parallel()
	t.Skip("full disks, read-only directories and foreign owners are tried on Linux")
}
