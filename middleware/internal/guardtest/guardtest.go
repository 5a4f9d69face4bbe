// Package guardtest is the table of requests and answers that a guard owes its
// users on every framework: the same decisions, byte for byte, over real sockets.
// Package middleware runs it on net/http, its nested modules on theirs.
package guardtest

import (
	"net/http"
	"testing"

	"github.com/claviger-go/claviger/middleware"
	"github.com/claviger-go/claviger/scopes"
)

// Route is one handler and what its guard asks for. Without AllOf, AnyOf and
// Optional any valid credential will do.
type Route struct {
	Pattern      string // "GET /claims/{id}", as http.ServeMux spells it
	AllOf, AnyOf []scopes.Scope
	Optional     bool
	Handler      http.Handler
}

// Mount puts routes behind guards of auth, as a user of the framework would.
type Mount func(auth *middleware.Auth, routes []Route) http.Handler

// Run runs the table against what mount makes.
func Run(t *testing.T, mount Mount) {
	t.Helper()
	t.Run("Answers", mount.answers)
	t.Run("T016_RateLimit", mount.rateLimit)
	t.Run("T024_T025_Throttle", mount.throttle)
	t.Run("T024_ThrottleBesideVerifiers", mount.throttleBesideVerifiers)
	t.Run("T018_OneAnswerForAllBadCredentials", mount.oneAnswer)
	t.Run("TellHolders", mount.tellHolders)
	t.Run("T001_RepeatedHeader", mount.repeatedHeader)
	t.Run("T002_T003_T004_T005_T009_AuthorizationSyntax", mount.authorizationSyntax)
	t.Run("T007_Oversized", mount.oversized)
	t.Run("T008_ManyOfEverything", mount.manyOfEverything)
	t.Run("T010_Ambiguous", mount.ambiguous)
	t.Run("T011_QueryKey", mount.queryKey)
	t.Run("T012_T013_Elsewhere", mount.elsewhere)
	t.Run("T006_Smuggling", mount.smuggling)
	t.Run("T126_QueryKeyIsGone", mount.queryKeyIsGone)
	t.Run("CacheControl", mount.cacheControl)
	t.Run("T042_T043_T044_Scopes", mount.scopeChecks)
	t.Run("T046_Guarded", mount.everyRouteGuarded)
	t.Run("T047_PathTricks", mount.pathTricks)
	t.Run("T049_Methods", mount.methods)
	t.Run("T050_StoreFaults", mount.storeFaults)
	t.Run("T050_Hooks", mount.hooks)
	t.Run("T050_Verifiers", mount.verifiers)
	t.Run("T051_PlainHTTP", mount.plainHTTP)
	t.Run("T052_T057_ForwardedScheme", mount.forwardedScheme)
	t.Run("T054_T055_T056_ClientAddress", mount.clientAddress)
	t.Run("T055_UnixSocket", mount.unixSocket)
	t.Run("T058_Audience", mount.audience)
	t.Run("T059_Browsers", mount.browsers)
	t.Run("EnvAndMethod", mount.envAndMethod)
	t.Run("T048_KeyForSomeRoutes", mount.limitedRoutes)
	t.Run("T138_RotatedKey", mount.rotated)
	t.Run("T059_Misuse", mount.misuse)
	t.Run("T130_Decisions", mount.decisions)
	t.Run("Principal", mount.principals)
	t.Run("NestedGuards", mount.nested)
	t.Run("Fresh", mount.fresh)
}
