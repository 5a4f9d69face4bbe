package jwt_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/keystore/tokens/internal/jwk"
	"github.com/claviger-go/claviger/keystore/tokens/internal/jwt"
)

// wycheproof is where the JWS vectors of C2SP/wycheproof stand, beside this
// repository.
const wycheproof = "../../../../../shared/vectors/json_web_signature_test.json"

// faults are the vectors that we are right to judge otherwise than the file does.
var faults = map[int]string{
	346: "called valid: the key is for PS256, the token says PS384",
	347: "called valid: the key is for ES521, which is no algorithm; the token says ES512",
	350: "as 346, with key_ops",
	351: "as 347, with key_ops",
	367: "called invalid: byte for byte the token of 357, which is called valid",
	370: "as 367",
	372: "called valid: a ? stands in the header",
	373: "called valid: a ? stands after the payload",
}

type vectors struct {
	NumberOfTests int
	TestGroups    []struct {
		Comment         string
		Public, Private json.RawMessage
		Tests           []struct {
			TCID         int `json:"tcId"`
			Comment, JWS string
			Result       string
		}
	}
}

// T-060: 401 vectors, on 393 of which we agree. No payload is a set of claims, so
// they test the signature and all that comes before it.
func TestT060_Wycheproof(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(wycheproof)
	if os.IsNotExist(err) {
		t.Skip("there is no ../shared/vectors beside this repository")
	}
	require.NoError(t, err)
	var file vectors
	require.NoError(t, json.Unmarshal(text, &file))

	agreed, valid := 0, 0
	var differ []string
	for _, group := range file.TestGroups {
		keys := vectorKeys(t, group.Public, group.Private)
		for _, test := range group.Tests {
			payload, err := jwt.Prove(test.JWS, keys)
			if err != nil {
				require.Empty(t, payload)
				require.True(t, slices.ContainsFunc(reasons[:4], func(reason error) bool { return errors.Is(err, reason) }), "%d: %v", test.TCID, err)
			} else {
				valid++
			}
			if (err == nil) == (test.Result == "valid") {
				agreed++
				continue
			}
			differ = append(differ, fmt.Sprint(test.TCID))
			require.Contains(t, faults, test.TCID, "%s %s: called %s, and we say %v", group.Comment, test.Comment, test.Result, err)
			t.Logf("%d %s (%s)", test.TCID, test.Comment, faults[test.TCID])
		}
	}
	require.Equal(t, 401, agreed+len(differ))
	require.Equal(t, []string{"346", "347", "350", "351", "367", "370", "372", "373"}, differ)
	require.Equal(t, 42, valid, "46 called valid, without six of the faults, and two more")
}

// vectorKeys reads the key of a group as one would be published; a secret as it
// would be configured.
func vectorKeys(t *testing.T, public, private json.RawMessage) *jwk.Set {
	t.Helper()
	if public == nil {
		var key struct{ Alg, Kid, K string }
		require.NoError(t, json.Unmarshal(private, &key))
		require.Equal(t, "HS256", key.Alg)
		k, err := base64.RawURLEncoding.DecodeString(key.K)
		require.NoError(t, err)
		signer, err := jwk.NewSecret(key.Kid, k)
		require.NoError(t, err)
		return must(jwk.NewSet(signer.Key))
	}
	keys, _, err := jwk.ParseSet(fmt.Appendf(nil, `{"keys":[%s]}`, public))
	require.NoError(t, err)
	return keys
}
