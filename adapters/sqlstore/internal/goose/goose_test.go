package goose

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

var accepted = []struct {
	desc, text string
	up, down   []string
}{
	{"one of each", "-- +goose Up\nCREATE TABLE a (b INT);\n-- +goose Down\nDROP TABLE a;\n", []string{"CREATE TABLE a (b INT);"}, []string{"DROP TABLE a;"}},
	{"no way down", "-- +goose Up\nSELECT 1;", []string{"SELECT 1;"}, nil},
	{"nothing to do", "-- +goose Up\n", nil, nil},
	{"comments before", "-- one\n\n-- +goose Up\n-- two;\n\nSELECT 1;\n-- three\n", []string{"SELECT 1;"}, nil},
	{"comments within", "-- +goose Up\nSELECT -- one;\n\n-- two;\n  1;", []string{"SELECT -- one;\n\n-- two;\n  1;"}, nil},
	{"comment after the semicolon", "-- +goose Up\nSELECT 1; -- one\nSELECT 2;", []string{"SELECT 1; -- one", "SELECT 2;"}, nil},
	{"semicolon in the middle of a line", "-- +goose Up\nSELECT ';' AS a,\n1;", []string{"SELECT ';' AS a,\n1;"}, nil},
	{"two on a line are one", "-- +goose Up\nSELECT 1; SELECT 2;", []string{"SELECT 1; SELECT 2;"}, nil},
	{"whole statement", "-- +goose Up\n-- +goose StatementBegin\nBEGIN;\nEND;\n-- +goose StatementEnd\nSELECT 1;", []string{"BEGIN;\nEND;", "SELECT 1;"}, nil},
	{"other line ends", "-- +goose Up\r\nSELECT 1;\r\n-- +goose Down\r\nSELECT 2;\r\n", []string{"SELECT 1;"}, []string{"SELECT 2;"}},
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tc := range accepted {
		t.Run(tc.desc, func(t *testing.T) {
			t.Parallel()
			m, err := parse("00042_name.sql", tc.text)
			require.NoError(t, err)
			require.Equal(t, Migration{42, tc.up, tc.down}, m)
		})
	}
}

var refused = []struct{ desc, name, text string }{
	{"no annotation", "1_a.sql", "SELECT 1;"},
	{"empty", "1_a.sql", ""},
	{"statement before it", "1_a.sql", "SELECT 1;\n-- +goose Up\n"},
	{"no semicolon", "1_a.sql", "-- +goose Up\nSELECT 1\n"},
	{"no semicolon before the way down", "1_a.sql", "-- +goose Up\nSELECT 1\n-- +goose Down\nSELECT 2;"},
	{"semicolon in a comment only", "1_a.sql", "-- +goose Up\nSELECT 1 -- ;\n"},
	{"up twice", "1_a.sql", "-- +goose Up\n-- +goose Up\n"},
	{"down first", "1_a.sql", "-- +goose Down\nSELECT 1;"},
	{"begin without end", "1_a.sql", "-- +goose Up\n-- +goose StatementBegin\nSELECT 1;\n"},
	{"end without begin", "1_a.sql", "-- +goose Up\n-- +goose StatementEnd\n"},
	{"begin outside", "1_a.sql", "-- +goose StatementBegin\n-- +goose Up\n"},
	{"begin in a statement", "1_a.sql", "-- +goose Up\nSELECT\n-- +goose StatementBegin\n1;"},
	{"down within", "1_a.sql", "-- +goose Up\n-- +goose StatementBegin\n-- +goose Down\n"},
	{"unknown annotation", "1_a.sql", "-- +goose Up\n-- +goose ENVSUB ON\n"},
	{"indented annotation", "1_a.sql", " -- +goose Up\n"},
	{"annotation without a space", "1_a.sql", "--+goose Up\n"},
	{"no number", "a.sql", "-- +goose Up\n"},
	{"version 0", "0_a.sql", "-- +goose Up\n"},
	{"negative version", "-1_a.sql", "-- +goose Up\n"},
}

func TestParse_Refuses(t *testing.T) {
	t.Parallel()
	for _, tc := range refused {
		t.Run(tc.desc, func(t *testing.T) {
			t.Parallel()
			_, err := parse(tc.name, tc.text)
			require.Error(t, err)
		})
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	folder := fstest.MapFS{
		"10_b.sql": file("-- +goose Up\nSELECT 10;"), "9_a.sql": file("-- +goose Up\nSELECT 9;"), "readme.md": file("no"),
	}
	all, err := Load(folder)
	require.NoError(t, err)
	require.Equal(t, []Migration{{9, []string{"SELECT 9;"}, nil}, {10, []string{"SELECT 10;"}, nil}}, all)

	folder["010_c.sql"] = file("-- +goose Up\n")
	_, err = Load(folder)
	require.ErrorContains(t, err, "version 10 comes twice")
	folder["11_d.sql"] = file("")
	_, err = Load(folder)
	require.ErrorContains(t, err, "11_d.sql")
}

// No text makes the parser lose a statement: what is neither a comment nor an annotation comes back.
func FuzzParse(f *testing.F) {
	for _, tc := range accepted {
		f.Add(tc.text)
	}
	for _, tc := range refused {
		f.Add(tc.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := parse("1_a.sql", text)
		if err != nil {
			return
		}
		back := strings.Join(append(m.Up, m.Down...), "\n")
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			if line != "" && !strings.HasPrefix(line, "--") && !strings.Contains(back, line) {
				t.Fatalf("lost: %q", line)
			}
		}
	})
}
