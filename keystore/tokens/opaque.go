package tokens

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/claviger-go/claviger/keystore"
)

// opaque is a token that says nothing to those who hold it:
//
//	<brand>_<env>_<session>_<n>_<expires>_<secret>_<tag><mac>
//
// session is 64 hex digits, n the number of the generation, expires Unix seconds,
// secret the name of the ring secret. tag belongs to the record; mac, of all before it,
// keeps what nobody issued from the store. Both are 40 hex digits.
type opaque struct {
	brand   string
	env     keystore.Env
	session string
	n       uint32
	expires int64
	secret  string
	tag     string
}

func (o opaque) format(m mac) string {
	text := fmt.Sprintf("%s_%s_%s_%d_%d_%s_%s", o.brand, o.env, strings.TrimPrefix(o.session, sessionPrefix), o.n, o.expires, o.secret, o.tag)
	return text + m(text)
}

var errForm = errors.New("another form of token")

// parseOpaque reads the form of an opaque token; its MAC is still to be checked, and
// then says that we wrote it just so.
func parseOpaque(text string) (o opaque, err error) {
	if len(text) < macDigits {
		return opaque{}, errForm
	}
	fields := strings.Split(text[:len(text)-macDigits], "_")
	if len(fields) != 7 || len(fields[2]) != sessionDigits || len(fields[6]) != macDigits {
		return opaque{}, errForm
	}
	n, err1 := strconv.ParseUint(fields[3], 10, 32)
	expires, err2 := strconv.ParseInt(fields[4], 10, 64)
	if err1 != nil || err2 != nil {
		return opaque{}, errForm
	}
	return opaque{fields[0], keystore.Env(fields[1]), sessionPrefix + fields[2], uint32(n), expires, fields[5], fields[6]}, nil
}
