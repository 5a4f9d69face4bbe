// Command imin stands behind imin's documented Events API (docs.imin.co, "Authentication"): keys of 32 hex digits that
// customers have had for years, a test key for everybody, one key for one service and for servers only, and rotation.
//
//	main.go    starts it, and shows what to try
//	server.go  the keys, the guards, the routes
//	import.go  takes over the keys that exist, and puts imin's terms on them
//	testkey.go the public key, and who it is
//	data.go    what the APIs answer
//	renew.go   rotating a key, and replacing one that is compromised
//	notice.go  what customers are told
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/claviger-go/claviger/examples/internal/serve"
	"github.com/claviger-go/claviger/examples/internal/store"
	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/keystore/bulk"
	"github.com/claviger-go/claviger/middleware"
	"github.com/claviger-go/claviger/scopes"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "address to listen on")
	place := flag.String("store", "memory:", store.Usage)
	file := flag.String("import", "", "`FILE.csv` or FILE.jsonl of keys to take over, see keystore/bulk; meta.services: for how many services")
	proxy := flag.String("proxy", "", "`NETWORK` of the balancer that ends TLS, such as 10.0.0.0/8")
	flag.Parse()
	ctx := context.Background()

	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	c := config{log: logger, notify: func(owner, text string) { // in your own program: a mail
		logger.Info("notice", "to", owner, "text", text)
	}}
	if *proxy != "" {
		c.proxies = []middleware.Proxy{{Network: *proxy}}
	}
	records := must(store.Open(ctx, *place))
	s := must(newServer(records, c))
	if *file != "" {
		check(s.importFile(ctx, *file))
	}

	listener := must(net.Listen("tcp", *addr))
	show(ctx, s, "http://"+listener.Addr().String())
	server := &http.Server{Handler: s.routes, ReadHeaderTimeout: 5 * time.Second}
	served := serve.UntilSignal(server, listener)
	check(errors.Join(served, s.keys.Close(), records.Close()))
}

// show makes a key as customers have them, and one for those who run this, and says what can be done with them.
func show(ctx context.Context, s *server, url string) {
	var random [16]byte
	rand.Read(random[:])
	key := hex.EncodeToString(random[:])
	check(s.importKeys(ctx, strings.NewReader("key,owner,name,scopes\n"+key+",acme,Shop,events:read facilities:read\n"), bulk.CSV))
	id := must(s.keys.Verify(ctx, key)).KeyID()
	issued := must(s.keys.Issue(ctx, keystore.Spec{
		Owner: "imin", Name: "Account manager", Scopes: []scopes.Scope{"keys:manage", "accounts:manage"}, Limits: terms(1),
	}))
	manager := issued.Credential.Reveal()

	fmt.Printf("listening on %s\nAPI_KEY=%s\nKEY_ID=%s\nTEST_KEY=%s\nMANAGER_KEY=%s\n\n", url, key, id, testKey, manager)
	const get, post = "curl -i -H 'X-API-KEY: %s' %s%s  # %s\n", "curl -i -X POST -H 'X-API-KEY: %s' %s/keys/%s/%s  # %s\n"
	events, facilities := "/events-api/v2/event-series", "/facilities-api/v2/facility-uses"
	fmt.Printf(get, key, url, events, "200")
	fmt.Printf(get, testKey, url, events, "200: Lorem Fitsum")
	fmt.Printf(get, testKey, url, facilities, "403: the test key is for the Events API")
	fmt.Printf("curl -i -H 'Origin: https://shop.example' -H 'X-API-KEY: %s' %s%s  # 403: for servers only\n", key, url, events)
	fmt.Printf("curl -i %s%s  # 401: no key\n", url, events)
	fmt.Printf(post, manager, url, id, "rotate", "200: shows a new key, once")
	fmt.Printf(get, key, url, events, "200: the old one works until its Sunset")
	fmt.Printf(post, manager, url, id, "replace", "200: it was compromised; another new key")
	fmt.Printf(get, key, url, events, "401: the old ones are dead")
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
