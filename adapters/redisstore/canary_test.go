package redisstore_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claviger-go/claviger/adapters/redisstore"
	"github.com/claviger-go/claviger/keystore"
)

// T-125: nothing that could be used to log in is in Redis, in its append-only file or in its snapshot.
func TestCanary(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	// Compressed, a secret would hide.
	at := server(t, "--dir", dir, "--appendonly", "yes", "--aof-use-rdb-preamble", "no", "--rdbcompression", "no")
	client := connect(t, at)
	keys, err := keystore.New(handle(t, client, redisstore.Config{}), keystore.Config{})
	require.NoError(t, err)
	const foreign = "6aa0fa07c2f54e1b9d3a8e7f60b1c2d3e4f5a6b7c8d9e0f1"
	var secrets [][]byte
	var issued keystore.Issued
	for range 5 {
		issued, err = keys.Issue(t.Context(), keystore.Spec{Owner: "acct_4711", Name: "canary"})
		require.NoError(t, err)
		text := []byte(issued.Credential.Reveal())
		secret := text[len(text)-49 : len(text)-6]
		secrets = append(secrets, text, secret, secret[:20], secret[23:])
		p, err := keys.Verify(t.Context(), string(text))
		require.NoError(t, err)
		_, _ = keys.Admit(t.Context(), p, &keystore.Access{Secure: true, Envs: []keystore.Env{keystore.EnvLive}})
	}
	_, err = keys.Import(t.Context(), keystore.Spec{Owner: "acct_4711"}, keystore.NewSecret(foreign))
	require.NoError(t, err)
	_, err = keys.Verify(t.Context(), foreign)
	require.Error(t, err, "AcceptForeign is off")
	secrets = append(secrets, []byte(foreign))
	require.NoError(t, keys.Revoke(t.Context(), issued.Record.ID, keystore.ReasonRequested))
	require.NoError(t, keys.Close())

	var places [][]byte
	for _, key := range stored(t, client, "claviger") {
		dump, err := client.Dump(t.Context(), key).Result()
		require.NoError(t, err)
		places = append(places, []byte(key), []byte(dump))
	}
	require.NoError(t, client.Save(t.Context()).Err())
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		places = append(places, content)
		return err
	}))

	found := 0
	for _, place := range places {
		if bytes.Contains(place, []byte(issued.Record.ID)) {
			found++
		}
		for _, secret := range secrets {
			require.False(t, bytes.Contains(place, secret))
		}
	}
	require.GreaterOrEqual(t, found, 5, "the record, an index, the file of commands and the snapshot: this looks where things are")
}
