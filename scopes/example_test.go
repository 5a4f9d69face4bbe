package scopes_test

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/claviger-go/claviger/scopes"
)

// An app names its scopes once, grants by these names, and asks for scopes per route.
func Example() {
	catalog := scopes.MustCatalog(
		scopes.Definition{Name: "claims:read", Title: "Read Claims"},
		scopes.Definition{Name: "claims:write", Title: "Write Claims", Implies: []scopes.Scope{"claims:read"}},
		scopes.Definition{Name: "full-access", Title: "Full Access", Bundle: []scopes.Scope{"*"}},
	)

	granted, err := catalog.Grant("claims:write")
	if err != nil {
		panic(err)
	}
	route, err := catalog.AllOf("claims:read")
	if err != nil {
		panic(err)
	}
	fmt.Println(granted)
	fmt.Println(route.MetBy(granted))

	_, err = catalog.Grant("claims:writ")
	fmt.Println(err)
	// Output:
	// claims:read claims:write
	// true
	// scopes: unknown scope: "claims:writ"; nearest: claims:write claims:read full-access
}

func ExampleParse() {
	_, err := scopes.Parse("claims:re*")
	fmt.Println(err)
	_, err = scopes.Parse("*")
	fmt.Println(err, errors.Is(err, scopes.ErrMalformed))
	// Output:
	// scopes: malformed: "claims:re*": '*' is allowed as the whole last segment only
	// scopes: malformed: "*": to grant every scope use FullAccess true
}

func ExampleSet_Covers() {
	granted := scopes.MustSet("claims:*", "users:read")
	for _, required := range []scopes.Scope{"claims:read", "claims:read:own", "claims", "users:readall", "claims:*"} {
		fmt.Println(required, granted.Covers(required))
	}
	// Output:
	// claims:read true
	// claims:read:own true
	// claims false
	// users:readall false
	// claims:* false
}

// A key that issues another must not issue one that can do more.
func ExampleSet_Includes() {
	issuer := scopes.MustSet("claims:*")
	fmt.Println(issuer.Includes(scopes.MustSet("claims:read")))
	fmt.Println(issuer.Includes(scopes.MustSet("claims:read", "users:read")))
	fmt.Println(issuer.Includes(scopes.FullAccess()))
	// Output:
	// true
	// false
	// false
}

func ExampleSet_MarshalJSON() {
	text, err := json.Marshal(struct {
		Key    scopes.Set `json:"key"`
		Admin  scopes.Set `json:"admin"`
		Nobody scopes.Set `json:"nobody,omitzero"`
	}{
		Key:   scopes.MustSet("claims:write", "claims:read"),
		Admin: scopes.FullAccess(),
	})
	fmt.Println(string(text), err)
	// Output:
	// {"key":["claims:read","claims:write"],"admin":["*"]} <nil>
}

func ExampleRequirement_Missing() {
	route, err := scopes.AllOf("claims:read", "claims:write")
	if err != nil {
		panic(err)
	}
	granted := scopes.MustSet("claims:read")
	fmt.Println(route.MetBy(granted), route.Missing(granted))
	fmt.Printf("Bearer error=\"insufficient_scope\", scope=\"%s\"\n", route)
	// Output:
	// false [claims:write]
	// Bearer error="insufficient_scope", scope="claims:read claims:write"
}
