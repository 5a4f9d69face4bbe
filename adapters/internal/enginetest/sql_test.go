package enginetest_test

import (
	"regexp"
	"strings"
)

// blobs writes the texts of a statement as SQLite's blobs.
func blobs(statement string) string {
	return regexp.MustCompile(`'[^']*'`).ReplaceAllString(statement, "CAST($0 AS BLOB)")
}

func statementsAfter(text, annotation string) (statements []string) {
	_, text, _ = strings.Cut(text, annotation)
	for statement := range strings.SplitSeq(text, ";\n") {
		if statement = strings.TrimSpace(statement); statement != "" {
			statements = append(statements, statement)
		}
	}
	return statements
}
