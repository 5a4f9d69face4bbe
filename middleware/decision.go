package middleware

import (
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/scopes"
)

// Decision is what became of one request, and why: more than the client is told.
// It holds no secret, and no text of the client's choosing but the method
// and the id in a well-formed key.
type Decision struct {
	Time    time.Time // UTC
	Outcome keystore.Outcome
	Status  int // that the refusal is answered with; 0 if accepted

	KeyID   string        // if the credential named or proved one
	Kind    keystore.Kind // once proven, and alive
	Owner   string        // once proven
	Session string        // once proven, and alive

	Source  string             // header or "query"; empty without a credential
	Remote  netip.Addr         // the client, as far as it can be known
	Method  string             // cut to 32 bytes
	Pattern string             // of the matched route, where the router tells (ServeMux, gin)
	Asked   scopes.Requirement // by the route
	Missing []scopes.Scope

	Err error // behind Outcome "unavailable", as the store or the verifier words it
}

// LogValue implements [slog.LogValuer]: one group, with what is set, texts cut.
func (d Decision) LogValue() slog.Value {
	attrs := []slog.Attr{slog.Time("time", d.Time)}
	add := func(name, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(name, cut(value)))
		}
	}
	add("outcome", string(d.Outcome))
	add("method", d.Method)
	if d.Status != 0 {
		attrs = append(attrs, slog.Int("status", d.Status))
	}
	add("key_id", d.KeyID)
	add("kind", string(d.Kind))
	add("owner", d.Owner)
	add("session", d.Session)
	add("source", d.Source)
	if d.Remote.IsValid() {
		add("remote", d.Remote.String())
	}
	add("pattern", d.Pattern)
	add("asked", d.Asked.String())
	if len(d.Missing) > 0 {
		missing := make([]string, len(d.Missing))
		for i, scope := range d.Missing {
			missing[i] = cut(string(scope))
		}
		attrs = append(attrs, slog.Any("missing", missing))
	}
	if d.Err != nil {
		add("err", d.Err.Error())
	}
	return slog.GroupValue(attrs...)
}

// cut keeps what a verifier or a store made up from flooding a log.
func cut(text string) string {
	const limit = 512
	if len(text) > limit {
		return text[:limit] + "…"
	}
	return text
}

// tell reports the verdict to OnDecision; false if that panicked.
func (a *Auth) tell(r *http.Request, v *verdict, asked scopes.Requirement, status int) (told bool) {
	defer func() {
		if recover() != nil {
			told = false
		}
	}()
	d := Decision{
		Time: a.keys.Now().UTC(), Outcome: v.outcome, Status: status,
		Source: v.source, Remote: a.client(r), Method: r.Method, Pattern: r.Pattern, Asked: asked, Err: v.err,
	}
	if len(d.Method) > 32 {
		d.Method = d.Method[:32]
	}
	if v.refused != nil {
		d.KeyID, d.Owner, d.Missing = v.refused.KeyID, v.refused.Owner, v.refused.Missing
	}
	if p := v.principal; p != nil {
		d.KeyID, d.Kind, d.Owner, d.Session = p.KeyID(), p.Kind(), p.Owner(), p.Session()
	}
	a.config.OnDecision(r.Context(), d)
	return true
}
