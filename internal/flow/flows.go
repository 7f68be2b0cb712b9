package flow

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"slices"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/cookies"
	"github.com/oauthlogin/oauthlogin/internal/instances"
	"github.com/oauthlogin/oauthlogin/internal/memory"
	"github.com/oauthlogin/oauthlogin/internal/record"
	"github.com/oauthlogin/oauthlogin/internal/seal"
)

const (
	// lifetime is how long a login may take. The server checks it.
	lifetime = 5 * time.Minute
	// cookieAge is how long the browser keeps the cookie: longer, so that a login
	// that took too long can start again with its return path.
	cookieAge = time.Hour
	// maxFlows is how many tabs can sign in at once.
	maxFlows = 12
	// maxBytes bounds all cookies of the package in a request together, separators
	// included. Links on other sites begin logins too, and proxies refuse requests with over
	// 8 KiB of cookies.
	maxBytes = 8000
	// maxExpiredFlows bounds the cookies that one response expires.
	maxExpiredFlows = 64
)

// Flows keeps the pending logins of browsers, and what this instance has seen of
// logins that came back.
type Flows struct {
	cookies  *cookies.Scheme
	sealer   *seal.Sealer
	knows    func(record.ProviderTag) bool // whether a provider is configured
	finished memory.Recent                 // states, with return paths
	signedIn memory.Recent                 // provider and subject
	// Other instances know finished states by these.
	others    Others
	forOthers *seal.Sealer
	home      string // Options.HomePath
}

// Others are what instances agree on: see [instances.Sessions].
type Others interface {
	Coordinated() bool
	Value(ctx context.Context, key string) ([]byte, error)
	Once(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error)
}

// NewFlows returns the flows of an instance. sealer seals what lives minutes, and forOthers
// what other instances read. Return paths that are too long lead home.
func NewFlows(scheme *cookies.Scheme, sealer *seal.Sealer, knows func(record.ProviderTag) bool, others Others, forOthers *seal.Sealer, home string) *Flows {
	return &Flows{
		cookies: scheme, sealer: sealer, knows: knows, others: others, forOthers: forOthers, home: home,
		finished: memory.Recent{MaxAge: lifetime}, signedIn: memory.Recent{MaxAge: roundsAge},
	}
}

// Finish reports whether a flow comes back for the first time, at any instance.
func (fs *Flows) Finish(ctx context.Context, f *Flow) bool {
	const longest = 512 // bytes of a return path that is remembered
	returnPath := f.ReturnPath
	if len(returnPath) > longest {
		returnPath = fs.home
	}
	if !fs.finished.Add(f.State, returnPath) {
		return false
	}
	if !fs.others.Coordinated() {
		return true
	}
	key := instances.Key(instances.KindState, f.State)
	sealed, err := fs.forOthers.Seal(key, seal.PackText(returnPath))
	if err != nil {
		return true
	}
	first, err := fs.others.Once(ctx, key, []byte(sealed), lifetime)
	return first || err != nil // this instance decides alone: the provider refuses a code that comes twice
}

// ReturnPathOf returns the return path of a login that has come back before, "" if it is
// not known.
func (fs *Flows) ReturnPathOf(ctx context.Context, state string) string {
	if path := fs.finished.Value(state); path != "" || state == "" {
		return path
	}
	key := instances.Key(instances.KindState, state)
	sealed, err := fs.others.Value(ctx, key)
	if err != nil || sealed == nil {
		return ""
	}
	packed, _, err := fs.forOthers.Open(key, string(sealed))
	if err != nil {
		return ""
	}
	path, _ := seal.UnpackText(packed)
	return path
}

// CookieName names the cookie of the flow with this state, and gives nothing of the
// state away.
func (fs *Flows) CookieName(state string) string {
	sum := sha256.Sum256([]byte(state))
	return fs.cookies.FlowPrefix + base64.RawURLEncoding.EncodeToString(sum[:12])
}

// Find returns the flow of state if it is pending in this browser, in the cookie of
// this name, and nil otherwise.
func (fs *Flows) Find(r *http.Request, name, state string) *Flow {
	for _, cookie := range r.CookiesNamed(name) {
		f := fs.open(name, cookie.Value)
		if f != nil && subtle.ConstantTimeCompare([]byte(f.State), []byte(state)) == 1 {
			return f
		}
	}
	return nil
}

func (fs *Flows) open(name, sealed string) *Flow {
	packed, _, err := fs.sealer.Open(name, sealed)
	if err != nil {
		return nil
	}
	f, err := Unpack(packed)
	if err != nil || !fs.knows(f.Provider) {
		return nil
	}
	return f
}

// Write sets the cookie of a new flow, and expires as many of the request's flow
// cookies as it takes to stay within the limits: those that do not open first, then
// the oldest. The session's cookies stay.
func (fs *Flows) Write(w http.ResponseWriter, r *http.Request, f *Flow) error {
	name := fs.CookieName(f.State)
	others := fs.cookies.BytesSent(r, func(name string) bool { return !fs.cookies.IsFlow(name) })
	sealed, err := fs.seal(name, f, maxBytes-others)
	if err != nil {
		return err
	}
	total := others + pairBytes(name, sealed)
	expired := 0
	for i, p := range fs.pending(r) {
		total += p.bytes
		if (i+1 >= maxFlows || total > maxBytes || p.started.IsZero()) && expired < maxExpiredFlows {
			fs.cookies.Expire(w, p.name)
			expired++
		}
	}
	fs.cookies.Set(w, name, sealed, int(cookieAge/time.Second))
	fs.cookies.CheckSize(w, r)
	return nil
}

// seal drops a return path that is too long and random for the flow to fit a cookie, or
// to fit the room that is left. The path stays if dropping it would not make enough room.
func (fs *Flows) seal(name string, f *Flow, room int) (string, error) {
	sealed, err := fs.sealer.Seal(name, f.Pack())
	fits := cookies.Fits(name, sealed)
	if err != nil || fits && pairBytes(name, sealed) <= room {
		return sealed, err
	}
	short := *f
	short.ReturnPath = fs.home
	without, err := fs.sealer.Seal(name, short.Pack())
	if err != nil || fits && pairBytes(name, without) > room {
		return sealed, err
	}
	*f = short
	return without, nil
}

// pairBytes is the length of a cookie in a request, with its separator.
func pairBytes(name, value string) int { return len(name) + len("=; ") + len(value) }

// HasPending reports whether a login is pending in the browser of a request.
func (fs *Flows) HasPending(r *http.Request) bool {
	return slices.ContainsFunc(fs.pending(r), func(p pendingFlow) bool { return !p.started.IsZero() })
}

// A pendingFlow is a flow cookie of a request.
type pendingFlow struct {
	name    string
	bytes   int
	started time.Time // zero: it does not open
}

// pending returns the flow cookies of a request, the newest first.
func (fs *Flows) pending(r *http.Request) []pendingFlow {
	var flows []pendingFlow
	seen := map[string]bool{}
	for _, cookie := range r.Cookies() {
		if !fs.cookies.IsFlow(cookie.Name) || seen[cookie.Name] {
			continue
		}
		seen[cookie.Name] = true
		p := pendingFlow{name: cookie.Name, bytes: pairBytes(cookie.Name, cookie.Value)}
		if len(flows) < 4*maxFlows { // opening takes time: the rest counts as garbage
			if f := fs.open(cookie.Name, cookie.Value); f != nil {
				p.started = f.Started
			}
		}
		flows = append(flows, p)
	}
	// Of the same moment, the later in the header is the newer (RFC 6265 section 5.4).
	slices.Reverse(flows)
	slices.SortStableFunc(flows, func(a, b pendingFlow) int { return b.started.Compare(a.started) })
	return flows
}
