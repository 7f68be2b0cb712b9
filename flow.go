package oauthlogin

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"math"
	"net/http"
	"slices"
	"time"
)

const (
	// flowLifetime is how long a login may take, checked on the server.
	flowLifetime = 5 * time.Minute
	// flowCookieAge is how long the browser keeps the cookie: longer, so that a
	// login that took too long can start again with its return path.
	flowCookieAge = time.Hour
	maxFlows      = 5
	// maxFlowBytes bounds the flow cookies together, which return paths can
	// make long: proxies refuse requests with too many bytes of cookies.
	maxFlowBytes = 6000
	// maxExpired bounds the cookies that one response expires: a browser has
	// room for fewer of ours.
	maxExpired = 64
)

// A flow is one pending login: all that is known of it is sealed in a cookie
// of its own, and the server keeps nothing.
type flow struct {
	provider               providerTag
	state, nonce, verifier string // nonce: "" for plain OAuth 2.0
	started                time.Time
	returnPath             string
	maxAge                 time.Duration // that the authorization request asked for; negative: none
	acrValues              string
	silent                 bool // the user did not ask for it: see Middleware.SilentLogin
}

func (f *flow) expired(now time.Time) bool { return !now.Before(f.started.Add(flowLifetime)) }

func (f *flow) pack() []byte {
	p := packer{buf: make([]byte, 0, packedBytes)}
	p.raw(f.provider[:])
	for _, random := range []string{f.state, f.nonce, f.verifier} {
		b, _ := base64.RawURLEncoding.DecodeString(random) // randomToken made it
		p.bytes(b)
	}
	p.time(f.started)
	p.string(f.returnPath)
	p.bool(f.maxAge >= 0)
	p.uint(uint64(max(f.maxAge, 0) / time.Second))
	p.string(f.acrValues)
	p.bool(f.silent)
	return p.pack()
}

func unpackFlow(packed []byte) (*flow, error) {
	u, err := unpack(packed)
	if err != nil {
		return nil, err
	}
	f := &flow{maxAge: -1}
	copy(f.provider[:], u.take(uint64(len(f.provider))))
	for _, random := range []*string{&f.state, &f.nonce, &f.verifier} {
		*random = encode(u.bytes())
	}
	f.started = u.time()
	f.returnPath = u.string()
	hasMaxAge, maxAge := u.bool(), u.uint()
	u.bad = u.bad || maxAge > math.MaxInt32
	if hasMaxAge {
		f.maxAge = time.Duration(maxAge) * time.Second
	}
	f.acrValues = u.string()
	f.silent = u.bool()
	return f, u.err()
}

// maxRemembered bounds a remembered return path, in bytes.
const maxRemembered = 512

func shortPath(returnPath string) string {
	if len(returnPath) > maxRemembered {
		return "/"
	}
	return returnPath
}

// flowCookie names the cookie of the flow with this state, without telling
// any of the state.
func (m *Middleware) flowCookie(state string) string {
	sum := sha256.Sum256([]byte(state))
	return m.cookies.flowPrefix + encode(sum[:12])
}

// findFlow returns the flow of state if it is pending in this browser, in the
// cookie of this name; nil otherwise.
func (m *Middleware) findFlow(r *http.Request, name, state string) *flow {
	for _, cookie := range r.CookiesNamed(name) {
		f := m.openFlow(name, cookie.Value)
		if f != nil && subtle.ConstantTimeCompare([]byte(f.state), []byte(state)) == 1 {
			return f
		}
	}
	return nil
}

func (m *Middleware) openFlow(name, sealed string) *flow {
	packed, _, err := m.flowSealer.open(name, sealed)
	if err != nil {
		return nil
	}
	f, err := unpackFlow(packed)
	if err != nil || m.providerByTag(f.provider) == nil {
		return nil
	}
	return f
}

// writeFlow sets the cookie of a new flow, and expires as many of the request's
// flow cookies, those that do not open and the oldest first, as it takes to
// stay within the limits.
func (m *Middleware) writeFlow(w http.ResponseWriter, r *http.Request, f *flow) error {
	name := m.flowCookie(f.state)
	sealed, err := m.flowSealer.seal(name, f.pack())
	if err != nil {
		return err
	}
	if len(name)+len(sealed) > maxCookieBytes {
		f.returnPath = "/" // a path that long and that random gets lost
		if sealed, err = m.flowSealer.seal(name, f.pack()); err != nil {
			return err
		}
	}

	type pending struct {
		name    string
		bytes   int
		started time.Time
	}
	var flows []pending
	seen := map[string]bool{}
	for _, cookie := range r.Cookies() {
		if !m.cookies.isFlow(cookie.Name) || seen[cookie.Name] {
			continue
		}
		seen[cookie.Name] = true
		p := pending{name: cookie.Name, bytes: len(cookie.Name) + len(cookie.Value)}
		if len(flows) < 4*maxFlows { // opening costs: the rest counts as garbage
			if old := m.openFlow(cookie.Name, cookie.Value); old != nil {
				p.started = old.started
			}
		}
		flows = append(flows, p)
	}
	// Of the same moment, the later in the header is the newer (RFC 6265 section 5.4).
	slices.Reverse(flows)
	slices.SortStableFunc(flows, func(a, b pending) int { return b.started.Compare(a.started) })
	total, expired := len(name)+len(sealed), 0
	for i, p := range flows {
		total += p.bytes
		if (i+1 >= maxFlows || total > maxFlowBytes || p.started.IsZero()) && expired < maxExpired {
			m.cookies.expire(w, p.name)
			expired++
		}
	}
	m.cookies.set(w, name, sealed, int(flowCookieAge/time.Second))
	return nil
}
