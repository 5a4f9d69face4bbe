package hash

import (
	"encoding/base64"
	"strings"
)

// maxStored bounds what is parsed of a stored hash; the longest of ours has 130
// bytes.
const maxStored = 512

// phc is a PHC string with at most one parameter: $scheme[$param=value]$salt$digest.
type phc struct {
	scheme, param, value, salt, digest string
}

func parsePHC(stored string) (phc, error) {
	if len(stored) > maxStored {
		return phc{}, ErrCorrupt
	}
	f := strings.Split(stored, "$")
	if len(f) < 4 || len(f) > 5 || f[0] != "" {
		return phc{}, ErrCorrupt
	}
	p := phc{scheme: f[1], salt: f[len(f)-2], digest: f[len(f)-1]}
	if len(f) == 5 {
		p.param, p.value, _ = strings.Cut(f[2], "=")
		if p.param == "" {
			return phc{}, ErrCorrupt
		}
	}
	return p, nil
}

// decode reads between low and high bytes of salt or digest, as encode writes them.
func decode(text string, low, high int) ([]byte, error) {
	b, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(b) < low || len(b) > high || encode(b) != text {
		return nil, ErrCorrupt
	}
	return b, nil
}

func encode(b []byte) string { return base64.RawStdEncoding.EncodeToString(b) }
