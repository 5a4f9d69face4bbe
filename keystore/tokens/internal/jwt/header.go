package jwt

import (
	"strings"

	"github.com/claviger-go/claviger/keystore/tokens/internal/jwk"
	"github.com/claviger-go/claviger/keystore/tokens/internal/strictjson"
)

// Header is what a token says of itself (RFC 7515 §4.1).
type Header struct {
	Algorithm jwk.Algorithm
	Type      string // as it stands there; "" if it does not
	KeyID     string // the name of the key; "" if there is none
}

// headerNames are those that mean something here.
var headerNames = []string{"alg", "typ", "kid", "crit", "b64", "cty", "enc", "zip"} //nolint:gochecknoglobals // a constant, if Go had them of slices

func parseHeader(text string) (Header, error) {
	var h Header
	var algorithm, fault string
	err := strictjson.Object(text, func(name string, value strictjson.Value) {
		var err error
		switch name {
		case "alg":
			algorithm, err = value.Text()
		case "typ":
			h.Type, err = value.Text()
		case "kid":
			h.KeyID, err = value.Text()
		case "crit", "b64", "cty", "enc", "zip":
			fault = "the header has " + name
		default:
			if isCaseVariant(name, headerNames) {
				fault = "a name in the header in another case than its own"
			}
		}
		if err != nil {
			fault = "the header's " + name
		}
	})
	switch {
	case err != nil:
		return Header{}, malformed("the header is not strict JSON")
	case fault != "":
		return Header{}, malformed(fault)
	case algorithm == "":
		return Header{}, malformed("the header has no alg")
	}
	h.Algorithm = jwk.Algorithm(algorithm)
	return h, nil
}

// isType compares media types as RFC 7515 §4.1.9 has it: in any case, with or
// without "application/".
func isType(typ, want string) bool { return typ == want || mediaType(typ) == mediaType(want) }

func mediaType(typ string) string {
	typ = strings.ToLower(typ)
	if rest, found := strings.CutPrefix(typ, "application/"); found && rest != "" && !strings.Contains(rest, "/") {
		return rest
	}
	return typ
}
