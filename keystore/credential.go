package keystore

import (
	"fmt"

	"github.com/claviger-go/claviger/keystore/internal/credential"
)

// ExampleCredential is what a credential looks like, check digits and all. It is
// nobody's: no store has its record.
//
//	<brand>_<env>_<id>_<secret><check>
//
// brand is 1 to 16 of [a-z0-9]; env is live or test; id is 12 base62 characters
// (18 with [Config.TagSecret]); secret is 43 (256 bits); check is the CRC-32
// (IEEE) of all before it as 6 base62 digits, most significant first, in the
// alphabet 0-9A-Za-z.
const ExampleCredential = "sk_live_EXAMPLE00000_000000000000000000EXAMPLE0000000000000000001Xw3Bk"

// WellFormed reports whether text has the form of a credential, its check digits
// included. It says nothing about whether a store knows it.
func WellFormed(text string) bool {
	_, ok := credential.Parse(text)
	return ok
}

// ScannerRule is a regular expression (RE2, and PCRE alike) that finds the
// credentials of one brand in any text where they stand as a word, for secret
// scanners. [WellFormed] sorts out what only looks alike.
func ScannerRule(brand string) string {
	return fmt.Sprintf(`\b%s_(?:live|test)_[0-9A-Za-z]{%d}(?:[0-9A-Za-z]{%d})?_[0-9A-Za-z]{49}\b`,
		brand, credential.IDBytes, credential.TagBytes)
}
