package keystore_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore"
)

// VC2, T-135: after a request nothing presented stays in memory, neither of good credentials nor of bad ones. The test
// itself keeps them backwards.
func TestVC2_T135_NoSecretStaysInMemory(t *testing.T) {
	store := newStub()
	fast := openKeys(t, store, keystore.Config{AcceptForeign: true, Ring: ringOf(t, "a")})
	slow := openKeys(t, store, keystore.Config{AcceptForeign: true, SlowHash: true})
	backwards := map[string]string{}
	done := make(chan error)
	go func() { // on a stack of its own, which goes with it
		done <- func() error {
			for desc, keys := range map[string]*keystore.Keys{"fast": fast, "slow": slow} {
				issued, err := keys.Issue(t.Context(), spec)
				if err != nil {
					return err
				}
				own := issued.Credential.Reveal()
				foreign := reversed("canary-" + desc + "-" + own[len(own)-49:])
				if _, err := keys.Import(t.Context(), spec, keystore.NewSecret(foreign)); err != nil {
					return err
				}
				unknown := strings.ToUpper(foreign)
				wrong := own[:len(own)-49] + strings.Repeat("W", 30) + own[len(own)-19:len(own)-6]
				wrong = reform(t, wrong) //nolint:testifylint // synchronous: the function runs before the test goes on
				for range 2 {
					for text, good := range map[string]bool{own: true, foreign: true, unknown: false, wrong: false} {
						p, err := keys.Verify(t.Context(), text)
						if (err == nil) != good {
							return fmt.Errorf("%s: good is %t: %w", desc, good, err)
						}
						a := access("claims:read")
						if good && admit(t, keys, p, &a) != nil {
							return fmt.Errorf("%s: not admitted", desc)
						}
					}
				}
				backwards[desc+", own"] = reversed(own[len(own)-49:][:30])
				backwards[desc+", foreign"] = reversed(foreign[:30])
				backwards[desc+", unknown"] = reversed(unknown[:30])
				backwards[desc+", wrong"] = reversed(wrong[len(wrong)-25:])
			}
			return nil
		}()
	}()
	require.NoError(t, <-done)
	kept := strings.Repeat("what is in memory is found ", 2)
	backwards["control"] = reversed(kept)

	for range 3 {
		runtime.GC()
	}
	path := filepath.Join(t.TempDir(), "heap")
	file, err := os.Create(path)
	require.NoError(t, err)
	debug.WriteHeapDump(file.Fd())
	require.NoError(t, file.Close())
	var stacks bytes.Buffer
	require.NoError(t, pprof.Lookup("goroutine").WriteTo(&stacks, 2))
	dump, err := os.ReadFile(path)
	require.NoError(t, err)
	dump = append(dump, stacks.Bytes()...)
	for desc, text := range backwards {
		require.Equal(t, desc == "control", bytes.Contains(dump, []byte(reversed(text))), desc)
	}
	runtime.KeepAlive(kept)
	runtime.KeepAlive(fast)
	runtime.KeepAlive(slow)
}

func reversed(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}
