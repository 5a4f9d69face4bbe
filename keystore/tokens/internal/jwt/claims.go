package jwt

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/claviger-go/claviger/keystore/tokens/internal/strictjson"
)

// Claims are what a token says. A zero field is a claim that is absent. Strings of
// claims that were read share the memory of the whole payload.
type Claims struct {
	Issuer    string    // iss
	Subject   string    // sub
	Audience  []string  // aud
	ClientID  string    // client_id (RFC 8693 §4.3)
	Scopes    []string  // scope (RFC 8693 §4.2); some issuers write an array
	Session   string    // sid
	Issued    time.Time // iat
	NotBefore time.Time // nbf
	Expires   time.Time // exp; every token has one
	ID        string    // jti
	Others    []Claim   // all other claims, in the order of the text
}

// Claim is a claim that has no field in [Claims].
type Claim struct {
	Name  string
	Value json.RawMessage
}

// claimNames are the names of the fields.
var claimNames = []string{"iss", "sub", "aud", "client_id", "scope", "sid", "iat", "nbf", "exp", "jti"} //nolint:gochecknoglobals // a constant, if Go had them of slices

func parseClaims(text string) (Claims, error) {
	var c Claims
	fault := ""
	err := strictjson.Object(text, func(name string, value strictjson.Value) {
		var err error
		switch name {
		case "iss":
			c.Issuer, err = value.Text()
		case "sub":
			c.Subject, err = value.Text()
		case "aud":
			c.Audience, err = parseAudience(value)
		case "client_id":
			c.ClientID, err = value.Text()
		case "scope":
			c.Scopes, err = parseScopes(value)
		case "sid":
			c.Session, err = value.Text()
		case "iat":
			c.Issued, err = parseTime(value)
		case "nbf":
			c.NotBefore, err = parseTime(value)
		case "exp":
			c.Expires, err = parseTime(value)
		case "jti":
			c.ID, err = value.Text()
		default:
			if isCaseVariant(name, claimNames) {
				fault = "a claim in another case than its own"
			}
			c.Others = append(c.Others, Claim{name, json.RawMessage(value)})
		}
		if err != nil {
			fault = "the claim " + name
		}
	})
	switch {
	case err != nil:
		return Claims{}, malformed("the claims are not strict JSON")
	case fault != "":
		return Claims{}, malformed(fault)
	case c.Expires.IsZero():
		return Claims{}, malformed("no claim exp")
	}
	return c, nil
}

// parseAudience reads one name or an array of some.
func parseAudience(value strictjson.Value) ([]string, error) {
	if value[0] != '[' {
		text, err := value.Text()
		return []string{text}, err
	}
	texts, err := value.Texts()
	if len(texts) == 0 {
		return nil, strictjson.ErrInvalid
	}
	return texts, err
}

// parseScopes reads a list with spaces between, or an array; an empty one is none.
func parseScopes(value strictjson.Value) ([]string, error) {
	if value == `""` {
		return nil, nil
	}
	if value[0] != '[' {
		list, err := value.Text()
		return slices.DeleteFunc(strings.Split(list, " "), func(scope string) bool { return scope == "" }), err
	}
	texts, err := value.Texts()
	for _, text := range texts {
		if strings.Contains(text, " ") {
			return nil, strictjson.ErrInvalid // one scope to us, two to whoever joins them
		}
	}
	return texts, err
}
