package middleware_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/claviger-go/claviger/"

// Imports run one way, and what middleware links is what every consumer links.
func TestImports(t *testing.T) {
	t.Parallel()
	third := []string{
		"github.com/hashicorp/golang-lru/v2", "github.com/alexedwards/argon2id",
		"golang.org/x/crypto", "golang.org/x/sys", "golang.org/x/sync",
	}
	for _, tt := range []struct {
		desc    string
		pattern string
		ours    []string // rooms of this module it may enter
		third   []string // modules of others it may link
	}{
		{"scopes stand alone", "scopes", []string{"scopes"}, nil},
		{"keystore knows scopes, and its tokens golang-jwt", "keystore/...", []string{"scopes", "keystore"}, append(slices.Clone(third), "github.com/golang-jwt/jwt/v5")},
		{"adapters know keystore", "adapters/...", []string{"scopes", "keystore", "adapters"}, third},
		{"middleware knows no adapter", "middleware", []string{"scopes", "keystore", "middleware"}, third},
		{"authtest uses memstore", "middleware/authtest", []string{"scopes", "keystore", "middleware", "adapters/memstore"}, third},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", module+tt.pattern)
			cmd.Env = append(cmd.Environ(), "GOWORK=off") // of this module alone
			out, err := cmd.Output()
			require.NoError(t, err)
			linked := strings.Fields(string(out))
			require.Contains(t, strings.Join(linked, "\n"), module+strings.TrimSuffix(tt.pattern, "/..."))
			for _, path := range linked {
				room, ours := strings.CutPrefix(path, module)
				if ours {
					require.True(t, within(room, tt.ours), "%s must not import %s", tt.pattern, room)
				} else {
					require.True(t, within(path, tt.third), "%s must not link %s", tt.pattern, path)
				}
			}
		})
	}
}

// within reports whether path is one of the roots or lies below it.
func within(path string, roots []string) bool {
	for _, root := range roots {
		if path == root || strings.HasPrefix(path, root+"/") {
			return true
		}
	}
	return false
}

// What the root go.mod requires weighs on every consumer, so it is this and no
// more; tests' own needs included.
func TestModuleGraph(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "graph")
	cmd.Env = append(cmd.Environ(), "GOWORK=off")
	out, err := cmd.Output()
	require.NoError(t, err)
	direct := []string{}
	for line := range strings.Lines(string(out)) {
		from, to, _ := strings.Cut(strings.TrimSpace(line), " ")
		path, _, _ := strings.Cut(to, "@")
		if from+"/" == module && path != "go" {
			direct = append(direct, path)
		}
	}
	require.ElementsMatch(t, []string{
		"github.com/hashicorp/golang-lru/v2", "github.com/alexedwards/argon2id", "golang.org/x/crypto",
		"golang.org/x/sys", "golang.org/x/sync", "github.com/golang-jwt/jwt/v5", "github.com/stretchr/testify", "go.yaml.in/yaml/v3",
	}, direct)
}
