package oauthlogin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/cookies"
	"github.com/oauthlogin/oauthlogin/internal/dpop"
	"github.com/oauthlogin/oauthlogin/internal/instances"
	"github.com/oauthlogin/oauthlogin/internal/memory"
	"github.com/oauthlogin/oauthlogin/internal/protocol"
	"github.com/oauthlogin/oauthlogin/internal/seal"
	"github.com/oauthlogin/oauthlogin/internal/weburl"
)

const (
	// flowLifetime is how long a login may take. The server checks it.
	flowLifetime = 5 * time.Minute
	// flowCookieAge is how long the browser keeps the cookie: longer, so that a login
	// that took too long can start again with its return path.
	flowCookieAge = time.Hour
	// maxFlows is how many tabs can sign in at once.
	maxFlows = 12
	// maxBytes bounds all cookies of the package in a request together, separators
	// included. Links on other sites begin logins too, and proxies refuse requests with over
	// 8 KiB of cookies.
	maxBytes = 8000
	// maxExpiredFlows bounds the cookies that one response expires.
	maxExpiredFlows = 64
)

// A flow is one pending login. All that is known of it is sealed in a cookie of its
// own; the server keeps nothing.
type flow struct {
	provider        providerTag
	state, verifier string
	want            protocol.Authentication // that the ID token has to show
	started         time.Time
	returnPath      string
	silent          bool       // the user did not ask for it: see Middleware.SilentLogin
	again           bool       // it follows one that took too long
	scopes          []string   // that it requests beside Provider.OAuth2.Scopes
	params          url.Values // of LoginOptions.AuthParams, unless they are too long
	dpopKey         []byte     // that its code is bound to; nil: none
}

// A flowKind says what begins a login.
type flowKind int

const (
	asked     flowKind = iota // the user, or a page that needs a session
	silent                    // Middleware.SilentLogin
	restarted                 // a login that took too long
)

// The tags of a flow's optional fields. They are part of the format: none is ever
// reused.
const (
	tagAgain  = iota + 1
	tagScopes // separated by spaces
	tagParams // as a query

	tagFlowKey = tagDPoPKey // of a record too
)

// maxFlowParams bounds the parameters that a login keeps, in bytes of a query: a flow cookie
// has to leave room for others.
const maxFlowParams = 512

func newFlow(p *provider, request *protocol.AuthorizationRequest, opts LoginOptions, kind flowKind) *flow {
	f := &flow{
		provider: p.tag, state: request.State, verifier: request.Verifier, want: request.Want,
		started: time.Now(), returnPath: opts.ReturnTo, silent: kind == silent, again: kind == restarted, scopes: union(nil, opts.Scopes),
		dpopKey: request.Key.Seed(),
	}
	if kind != silent && len(opts.AuthParams.Encode()) <= maxFlowParams {
		f.params = opts.AuthParams
	}
	return f
}

func (f *flow) expired(now time.Time) bool { return !now.Before(f.started.Add(flowLifetime)) }

func (f *flow) pack() []byte {
	p := seal.NewPacker()
	p.Raw(f.provider[:])
	for _, random := range []string{f.state, f.want.Nonce, f.verifier} {
		b, _ := base64.RawURLEncoding.DecodeString(random) // protocol.RandomToken made it
		p.Bytes(b)
	}
	p.Time(f.started)
	p.String(f.returnPath)
	p.Bool(f.want.MaxAge >= 0)
	p.Uint(uint64(max(f.want.MaxAge, 0) / time.Second))
	p.String(f.want.ACRValues)
	p.Bool(f.silent)
	if f.again {
		p.Field(tagAgain, []byte{1})
	}
	p.Field(tagScopes, []byte(strings.Join(f.scopes, " ")))
	p.Field(tagParams, []byte(f.params.Encode()))
	p.Field(tagFlowKey, f.dpopKey)
	return p.Pack()
}

func unpackFlow(packed []byte) (*flow, error) {
	u, err := seal.Unpack(packed)
	if err != nil {
		return nil, err
	}
	f := &flow{want: protocol.Authentication{MaxAge: -1}}
	copy(f.provider[:], u.Take(uint64(len(f.provider))))
	for _, random := range []*string{&f.state, &f.want.Nonce, &f.verifier} {
		*random = base64.RawURLEncoding.EncodeToString(u.Bytes())
	}
	f.started = u.Time()
	f.returnPath = u.String()
	hasMaxAge, maxAge := u.Bool(), u.Uint()
	if maxAge > math.MaxInt32 {
		u.Fail()
	}
	if hasMaxAge {
		f.want.MaxAge = time.Duration(maxAge) * time.Second
	}
	f.want.ACRValues = u.String()
	f.silent = u.Bool()
	u.Fields(func(tag uint64, value []byte) {
		switch tag {
		case tagAgain:
			f.again = true
		case tagScopes:
			f.scopes = append(f.scopes, strings.Fields(string(value))...)
		case tagParams:
			params, err := url.ParseQuery(string(value))
			if err != nil || len(params) == 0 {
				u.Fail()
			}
			f.params = params
		case tagFlowKey:
			if len(value) != dpop.SeedBytes {
				u.Fail()
			}
			f.dpopKey = bytes.Clone(value)
		}
	})
	return f, u.Err()
}

// flows keeps the pending logins of browsers, and what this instance has seen of
// logins that came back.
type flows struct {
	providers providers
	cookies   *cookies.Scheme
	sealer    *seal.Sealer
	finished  memory.Recent   // states, with return paths
	sessions  *activeSessions // through which other instances know finished states
	signedIn  memory.Recent   // provider and subject
	paths     *weburl.Paths
}

func newFlows(providers providers, scheme *cookies.Scheme, sealer *seal.Sealer, sessions *activeSessions, paths *weburl.Paths) *flows {
	return &flows{
		providers: providers, cookies: scheme, sealer: sealer, sessions: sessions, paths: paths,
		finished: memory.Recent{MaxAge: flowLifetime}, signedIn: memory.Recent{MaxAge: roundsAge},
	}
}

// finish reports whether a flow comes back for the first time, at any instance.
func (fs *flows) finish(ctx context.Context, f *flow) bool {
	const longest = 512 // bytes of a return path that is remembered
	returnPath := f.returnPath
	if len(returnPath) > longest {
		returnPath = fs.paths.Home
	}
	if !fs.finished.Add(f.state, returnPath) {
		return false
	}
	if !fs.sessions.grants.Coordinated() {
		return true
	}
	key := instances.Key(instances.KindState, f.state)
	sealed, err := fs.sessions.shared.Seal(key, seal.PackText(returnPath))
	if err != nil {
		return true
	}
	first, err := fs.sessions.grants.Once(ctx, key, []byte(sealed), flowLifetime)
	return first || err != nil // this instance decides alone: the provider refuses a code that comes twice
}

// returnPathOf returns the return path of a login that has come back before, "" if it is
// not known.
func (fs *flows) returnPathOf(ctx context.Context, state string) string {
	if path := fs.finished.Value(state); path != "" || state == "" {
		return path
	}
	key := instances.Key(instances.KindState, state)
	sealed, err := fs.sessions.grants.Value(ctx, key)
	if err != nil || sealed == nil {
		return ""
	}
	packed, _, err := fs.sessions.shared.Open(key, string(sealed))
	if err != nil {
		return ""
	}
	path, _ := seal.UnpackText(packed)
	return path
}

// cookieName names the cookie of the flow with this state, and gives nothing of the
// state away.
func (fs *flows) cookieName(state string) string {
	sum := sha256.Sum256([]byte(state))
	return fs.cookies.FlowPrefix + base64.RawURLEncoding.EncodeToString(sum[:12])
}

// find returns the flow of state if it is pending in this browser, in the cookie of
// this name, and nil otherwise.
func (fs *flows) find(r *http.Request, name, state string) *flow {
	for _, cookie := range r.CookiesNamed(name) {
		f := fs.open(name, cookie.Value)
		if f != nil && subtle.ConstantTimeCompare([]byte(f.state), []byte(state)) == 1 {
			return f
		}
	}
	return nil
}

func (fs *flows) open(name, sealed string) *flow {
	packed, _, err := fs.sealer.Open(name, sealed)
	if err != nil {
		return nil
	}
	f, err := unpackFlow(packed)
	if err != nil || fs.providers.byTag(f.provider) == nil {
		return nil
	}
	return f
}

// write sets the cookie of a new flow, and expires as many of the request's flow
// cookies as it takes to stay within the limits: those that do not open first, then
// the oldest. The session's cookies stay.
func (fs *flows) write(w http.ResponseWriter, r *http.Request, f *flow) error {
	name := fs.cookieName(f.state)
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
	fs.cookies.Set(w, name, sealed, int(flowCookieAge/time.Second))
	fs.cookies.CheckSize(w, r)
	return nil
}

// seal drops a return path that is too long and random for the flow to fit a cookie, or
// to fit the room that is left. The path stays if dropping it would not make enough room.
func (fs *flows) seal(name string, f *flow, room int) (string, error) {
	sealed, err := fs.sealer.Seal(name, f.pack())
	fits := cookies.Fits(name, sealed)
	if err != nil || fits && pairBytes(name, sealed) <= room {
		return sealed, err
	}
	short := *f
	short.returnPath = fs.paths.Home
	without, err := fs.sealer.Seal(name, short.pack())
	if err != nil || fits && pairBytes(name, without) > room {
		return sealed, err
	}
	*f = short
	return without, nil
}

// pairBytes is the length of a cookie in a request, with its separator.
func pairBytes(name, value string) int { return len(name) + len("=; ") + len(value) }

// A pendingFlow is a flow cookie of a request.
type pendingFlow struct {
	name    string
	bytes   int
	started time.Time // zero: it does not open
}

// pending returns the flow cookies of a request, the newest first.
func (fs *flows) pending(r *http.Request) []pendingFlow {
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
				p.started = f.started
			}
		}
		flows = append(flows, p)
	}
	// Of the same moment, the later in the header is the newer (RFC 6265 section 5.4).
	slices.Reverse(flows)
	slices.SortStableFunc(flows, func(a, b pendingFlow) int { return b.started.Compare(a.started) })
	return flows
}
