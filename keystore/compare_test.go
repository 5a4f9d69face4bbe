package keystore_test

import (
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// harmless are the comparisons in internal/hash and internal/credential of texts that no client guesses at. One that
// is not here fails the test below: either it takes subtle.ConstantTimeCompare, or it goes here with its reason.
var harmless = map[string]string{
	"p.salt != id":        "the record's id, public",
	"key.name == p.value": "names of ring secrets, from the store and the configuration",
	"p.param == \"\"":     "the stored hash's own form",
	"stored == None":      "the same",
	"stored == \"\"":      "the same",
	"encode(b) != text":   "the stored hash and its own canonical form",
	"formatArgon2id(p, salt, digest) != stored": "the same",
	"brand == \"\"":           "the form of a text, decided without any secret",
	"rest[envBytes] != '_'":   "the same",
	"tail[0] != '_'":          "the same",
	"env != \"live\"":         "the same",
	"env != \"test\"":         "the same",
	"s[:len(brand)] == brand": "the same",
	"s[len(brand)] == '_'":    "the same",
	"decode(s[body:]) != uint64(crc32.ChecksumIEEE(Bytes(s[:body])))": "a checksum that anyone can make",
	"p.scheme == \"sha256\"":      "the stored hash's own form",
	"p.scheme == \"hmac-sha256\"": "the same",
	"p.param == \"k\"":            "the same",
	"p.param != \"i\"":            "the same",
	"f[0] != \"\"":                "the same",
}

// T-020: secrets and digests are compared in constant time. Functions are matched as text, so the packages that compare
// have to be imported under their own names.
func TestT020_ConstantTimeComparison(t *testing.T) {
	t.Parallel()
	constant := 0
	require.NoError(t, filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if path == "storetest" {
			return fs.SkipDir // it compares what tests stored
		}
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		text := func(node ast.Node) string {
			var b strings.Builder
			require.NoError(t, printer.Fprint(&b, files, node))
			return b.String()
		}
		for _, spec := range file.Imports {
			if slices.Contains([]string{`"bytes"`, `"cmp"`, `"crypto/subtle"`, `"reflect"`, `"slices"`, `"strings"`}, spec.Path.Value) {
				require.Nil(t, spec.Name, "%s: import %s under its own name", path, spec.Path.Value)
			}
		}
		guarded := strings.HasPrefix(path, filepath.Join("internal", "hash")) || strings.HasPrefix(path, filepath.Join("internal", "credential"))
		ast.Inspect(file, func(node ast.Node) bool {
			at := func() string { return files.Position(node.Pos()).String() + ": " + text(node) }
			switch node := node.(type) {
			case *ast.CallExpr:
				switch called := text(node.Fun); called {
				case "subtle.ConstantTimeCompare":
					constant++
				case "bytes.Equal", "bytes.Compare", "bytes.HasPrefix", "reflect.DeepEqual", "strings.EqualFold", "strings.Compare":
					t.Errorf("%s compares until the first difference", at())
				case "slices.Equal", "slices.Compare", "cmp.Compare":
					if guarded {
						t.Errorf("%s compares until the first difference", at())
					}
				}
			case *ast.BinaryExpr:
				if !guarded || node.Op != token.EQL && node.Op != token.NEQ || numeric(node.X) || numeric(node.Y) {
					break
				}
				if _, ok := harmless[text(node)]; !ok {
					t.Errorf("%s: is this comparison a secret's? See the list in this test", at())
				}
			case *ast.SwitchStmt:
				if guarded && node.Tag != nil {
					t.Errorf("%s: a switch compares as == does", at())
				}
			}
			return true
		})
		return nil
	}))
	require.Equal(t, 2, constant, "one for digests, one for tags")
}

// numeric reports whether e is nil, a number, err or a length: nothing that a comparison could tell byte by byte.
func numeric(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name == "nil" || strings.HasSuffix(e.Name, "Bytes") || e.Name == "n"
	case *ast.BasicLit:
		return e.Kind == token.INT
	case *ast.CallExpr:
		f, ok := e.Fun.(*ast.Ident)
		return ok && f.Name == "len"
	}
	return false
}
