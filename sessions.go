package oauthlogin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/cookies"
	"github.com/oauthlogin/oauthlogin/internal/device"
	"github.com/oauthlogin/oauthlogin/internal/instances"
	"github.com/oauthlogin/oauthlogin/internal/memory"
	"github.com/oauthlogin/oauthlogin/internal/seal"
)

// activeSessions opens, begins, renews and ends the sessions of browsers.
type activeSessions struct {
	limits
	providers providers
	vault     vault
	cookies   *cookies.Scheme
	sealer    *seal.Sealer
	shared    *seal.Sealer // of what other instances read
	opened    memory.Cache[opened]
	grants    *instances.Sessions[*record]
	bindings  *bindings // nil: Options.BindDevices is off
	log       *slog.Logger
}

// A vault keeps the sealed session of a browser: in its cookies, or in
// Options.Store.
type vault interface {
	// read returns the sealed session of a request, zero if there is none. An error
	// means that it is unknown.
	read(r *http.Request) (cookies.Value, error)
	// start writes a new session, and forgets none.
	start(w http.ResponseWriter, r *http.Request, sealed string, maxAge int) error
	// replace writes the session of a request again. It asks for the content once it has
	// found the session, which a logout may end meanwhile, and says what the server keeps of
	// it, "" if that is nothing. Without w it writes only what is kept on the server.
	replace(w http.ResponseWriter, r *http.Request, content func(kept string) (sealed string, maxAge int, err error)) error
	// forget deletes what is kept on the server.
	forget(r *http.Request)
}

var (
	// errSessionEnded means that a logout or another sign-in has ended the session.
	errSessionEnded = errors.New("session has ended")
	// errNotRenewed means that a browser could not show that it has the session's key.
	errNotRenewed = fmt.Errorf("the bound cookie could not be renewed: %w", instances.ErrAway)
	// errGrantEnded means that the provider has.
	errGrantEnded = fmt.Errorf("%w: the provider refuses to refresh it", errSessionEnded)
)

func newActiveSessions(opts *Options, providers providers, scheme *cookies.Scheme, sealer, shared *seal.Sealer, bindings *bindings) *activeSessions {
	s := &activeSessions{
		limits:    limits{idle: opts.IdleTimeout, lifetime: opts.MaxLifetime, outliveTokens: opts.SessionsOutliveTokens},
		providers: providers,
		vault:     &cookieVault{scheme},
		cookies:   scheme,
		sealer:    sealer,
		shared:    shared,
		bindings:  bindings,
		log:       opts.Logger,
	}
	codec := instances.Codec[*record]{Seal: s.sealForInstances, Open: s.openOfInstances}
	s.grants = instances.New(opts.Coordinator, codec, opts.IdleTimeout, opts.MaxLifetime, opts.Logger)
	scheme.Opens = s.opens
	switch store := opts.Store.(type) {
	case nil:
	case *coordinatorStore:
		s.vault = newEngineVault(store, s)
	default:
		s.vault = &storeVault{store: opts.Store, cookies: scheme, log: opts.Logger, alarms: memory.Recent{MaxAge: time.Minute}}
	}
	return s
}

// load returns the valid session of a request, nil if there is none, and whether it
// is time to seal it again. What does not open, belongs to none of the providers or is
// past a limit is no session. An error means that it is unknown.
func (s *activeSessions) load(r *http.Request) (rec *record, reseal bool, err error) {
	o, err := s.read(r)
	if err != nil || o.record == nil {
		return nil, false, err
	}
	now := time.Now()
	idle := now.Sub(o.record.written)
	if idle >= s.idle || idle < -maxClockSkew {
		return nil, false, nil
	}
	// Another request, or another instance, may have refreshed the tokens.
	rec, newer, ended, err := s.grants.Shown(r.Context(), o.record, now)
	if err != nil || ended || s.over(rec, now) {
		return nil, false, err
	}
	reseal = newer || o.oldKey || idle >= s.idle/10
	if s.bindings != nil {
		var changed bool
		if rec, changed = s.bindings.admit(r, o, rec, now); rec == nil {
			if s.grants.WasAway(now) && device.RenewalFailed(r.Header) {
				err = errNotRenewed
			}
			return nil, false, err
		}
		reseal = reseal || changed
	}
	return rec, reseal, nil
}

// read returns what the sealed value of a request opens to, zero if there is none or it
// does not open.
func (s *activeSessions) read(r *http.Request) (o opened, err error) {
	v, err := s.vault.read(r)
	if err != nil || v.IsZero() {
		return opened{}, err
	}
	o, _ = s.lookup(&v)
	return o, nil
}

// lookup returns what a sealed value opens to; ok is false if it does not open.
func (s *activeSessions) lookup(v *cookies.Value) (o opened, ok bool) {
	if o, ok = s.opened.Get(v.Parts()); ok {
		return o, true
	}
	if o, ok = s.open(v); ok {
		s.opened.Put(v.Parts(), o)
	}
	return o, ok
}

// carried returns the session of a request by its own word: it may have come to its end, or
// it is unknown whether it goes on. It returns nil if there is none, or if this instance
// has ended it. A request that does not show to be from the session's device proves nothing,
// and gets no ID token.
func (s *activeSessions) carried(r *http.Request) (rec *record, proven bool) {
	o, err := s.read(r)
	if err != nil || o.record == nil || s.grants.Ended(o.record) {
		return nil, false
	}
	if s.bindings.refuses(r, o) {
		unproven := *o.record
		unproven.tokens.id = seal.Token{}
		return &unproven, false
	}
	return o.record, true
}

// unproven returns the session of a request that only its binding keeps from being one, nil
// if there is none.
func (s *activeSessions) unproven(r *http.Request) *record {
	o, err := s.read(r)
	if err != nil || o.record == nil || !s.bindings.refuses(r, o) {
		return nil
	}
	return o.record
}

// ofSameUser returns the session of a request if it is one of by's user, also one that only
// its binding keeps from being the request's; nil if there is none. An error means that it
// is unknown.
func (s *activeSessions) ofSameUser(r *http.Request, by *record) (rec *record, err error) {
	rec, _, err = s.load(r)
	if err == nil && rec == nil {
		rec = s.unproven(r)
	}
	if rec == nil || !rec.isOf(by) {
		return nil, err
	}
	return rec, err
}

// opened is what a sealed value has opened to.
type opened struct {
	record *record
	oldKey bool                         // a key other than the first has sealed it
	shown  *atomic.Pointer[shownCookie] // with it; nil without Options.BindDevices
}

// Bytes makes opened a [memory.Sized].
func (o opened) Bytes() int { return o.record.Bytes() }

// open does what depends on the sealed value and the keys alone.
func (s *activeSessions) open(v *cookies.Value) (o opened, ok bool) {
	sealed, ok := v.Sealed()
	if !ok {
		return opened{}, false
	}
	packed, oldKey, err := s.sealer.Open(s.cookies.Session, sealed)
	if err != nil {
		return opened{}, false
	}
	rec, err := s.unpack(packed)
	if err != nil {
		return opened{}, false
	}
	o = opened{record: rec, oldKey: oldKey}
	if s.bindings != nil {
		o.shown = &atomic.Pointer[shownCookie]{}
	}
	return o, true
}

var errUnknownProvider = errors.New("session of a provider that is not configured")

// unpack returns the record of a session here.
func (s *activeSessions) unpack(packed []byte) (*record, error) {
	rec, err := unpackRecord(packed)
	if err != nil {
		return nil, err
	}
	p := s.providers.byTag(rec.provider)
	if p == nil {
		return nil, errUnknownProvider
	}
	rec.user.Provider, rec.user.Issuer = p.Name, p.issuer
	if rec.extra.issuer != "" {
		rec.user.Issuer = rec.extra.issuer
	}
	rec.known = new(atomic.Pointer[policyFacts])
	s.bindings.saw(rec, time.Now())
	return rec, nil
}

// sealForInstances and openOfInstances are what other instances read.

func (s *activeSessions) sealForInstances(key string, rec *record) (string, error) {
	return s.shared.Seal(key, s.bindings.complete(rec).pack(time.Now()))
}

func (s *activeSessions) openOfInstances(key, sealed string) (*record, error) {
	packed, _, err := s.shared.Open(key, sealed)
	if err != nil {
		return nil, err
	}
	return s.unpack(packed)
}

// opens reports whether a sealed value is one of a session here.
func (s *activeSessions) opens(v cookies.Value) bool {
	_, ok := s.open(&v)
	return ok
}

// start seals a new session, in place of whatever the request has.
func (s *activeSessions) start(w http.ResponseWriter, r *http.Request, rec *record) error {
	sealed, maxAge, err := s.seal(rec)
	if err != nil {
		return err
	}
	if err := s.vault.start(w, r, sealed, maxAge); err != nil {
		return err
	}
	s.forget(r, rec)
	return nil
}

// forget deletes what the server keeps of a request's session. One that only its binding
// keeps from being the request's stays, unless it is of the user of by: a copy of the
// cookies ends no session.
func (s *activeSessions) forget(r *http.Request, by *record) {
	if s.bindings != nil {
		if rec := s.unproven(r); rec != nil && (by == nil || !rec.isOf(by)) {
			return
		}
	}
	s.vault.forget(r)
}

// save seals the latest generation of a session that the request already has. It does
// nothing if another sign-in has replaced the session: the response to an older request
// must not take away the newer session's cookie.
func (s *activeSessions) save(w http.ResponseWriter, r *http.Request, rec *record) error {
	err := s.vault.replace(w, r, func(kept string) (string, int, error) {
		if s.bindings != nil && kept != "" { // another instance may have bound it meanwhile
			v := cookies.Whole(kept)
			s.lookup(&v)
		}
		// Signed out meanwhile: a store would create the session again, under its old id.
		latest, ended := s.grants.Latest(rec)
		if ended || s.grants.Replaced(rec) {
			return "", 0, errSessionEnded
		}
		return s.seal(latest)
	})
	if err == nil && s.endedMeanwhile(r.Context(), rec) { // while it was being written
		s.vault.forget(r)
		if w != nil {
			s.cookies.Unset(w, s.cookies.Session)
		}
		return errSessionEnded
	}
	return err
}

// endedMeanwhile reports whether a session has ended that was saved just now.
func (s *activeSessions) endedMeanwhile(ctx context.Context, rec *record) bool {
	if _, creates := s.vault.(*storeVault); creates { // also what another instance has deleted
		if _, ended, err := s.grants.Check(ctx, rec, time.Now()); err == nil {
			return ended
		}
	}
	return s.grants.Ended(rec)
}

// endAll ends all sessions of an owner that have begun so far: a user's, or those of one
// session at the provider. An error means that this could not be recorded, and that the
// sessions may go on.
func (s *activeSessions) endAll(ctx context.Context, owner memory.Owner) error {
	return s.grants.EndAll(ctx, owner, time.Now())
}

// persistTimeout bounds what a store may take to keep refreshed tokens.
const persistTimeout = 10 * time.Second

// persist saves refreshed tokens in a store at once, whatever becomes of the
// request. Cookies wait for the next response.
func (s *activeSessions) persist(ctx context.Context, r *http.Request, rec *record) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), persistTimeout)
	defer cancel()
	if err := s.save(nil, r.WithContext(ctx), rec); err != nil && !errors.Is(err, errSessionEnded) {
		s.log.WarnContext(ctx, "oauthlogin: saving refreshed tokens failed; the next request tries again", "provider", rec.user.Provider, "subject", rec.user.Subject, "error", err)
	}
}

// maxInCookies bounds a record in memory that cookies can hold, compressed, in bytes.
const maxInCookies = 128 << 10

// seal returns the sealed record, and for how many seconds a browser keeps it.
func (s *activeSessions) seal(rec *record) (sealed string, maxAge int, err error) {
	now := time.Now()
	rec = s.bindings.complete(rec)
	// Before the work of packing and sealing what cannot fit.
	_, inCookies := s.vault.(*cookieVault)
	if inCookies && rec.Bytes() > maxInCookies {
		return "", 0, cookies.ErrTooLarge
	}
	packed := rec.pack(now)
	if inCookies && len(packed) > cookies.MaxPacked {
		return "", 0, cookies.ErrTooLarge
	}
	sealed, err = s.sealer.Seal(s.cookies.Session, packed)
	left := min(s.idle, rec.created.Add(s.lifetime).Sub(now))
	return sealed, max(1, int(left/time.Second)), err
}

// checkSize returns an error if cookies are to keep a record, and cannot: the tokens of the
// generations after it would be lost with this instance's memory.
func (s *activeSessions) checkSize(rec *record) error {
	if _, inCookies := s.vault.(*cookieVault); !inCookies {
		return nil
	}
	sealed, _, err := s.seal(rec)
	if err == nil && !s.cookies.Holds(sealed) {
		err = cookies.ErrTooLarge
	}
	return err
}

// limits are how long sessions live.
type limits struct {
	idle, lifetime time.Duration
	outliveTokens  bool
}

// maxClockSkew is how far clocks of instances may differ. A session from further in
// the future would outlive its limits.
const maxClockSkew = 5 * time.Minute

// over reports whether a session has come to its end, used or not.
func (l *limits) over(rec *record, now time.Time) bool {
	age := now.Sub(rec.created)
	return age >= l.lifetime || age < -maxClockSkew || l.endsWithToken(rec) && !rec.tokens.valid(now)
}

// isPast reports whether a session is past its limits of time, by its own word.
func (l *limits) isPast(rec *record, now time.Time) bool {
	return now.Sub(rec.written) >= l.idle || now.Sub(rec.created) >= l.lifetime
}

// endsWithToken reports whether a session ends with its access token. Without a
// refresh token, the provider's word is as good as the last token that it gave.
func (l *limits) endsWithToken(rec *record) bool {
	t := &rec.tokens
	return t.refresh.IsZero() && t.expiry.After(t.issued) && !l.outliveTokens
}

// end returns when a session ends if it is not used again.
func (l *limits) end(rec *record) time.Time {
	end := rec.created.Add(l.lifetime)
	if idle := rec.written.Add(l.idle); idle.Before(end) {
		end = idle
	}
	if l.endsWithToken(rec) && rec.tokens.expiry.Before(end) {
		end = rec.tokens.expiry
	}
	return end
}

// maxOutage is how long a session goes on after its access token has expired while the
// provider cannot be asked: it cannot vouch for its user for ever.
const maxOutage = 24 * time.Hour

var errNotVouchedFor = errors.New("the provider has not refreshed the session for a day after its access token expired")

// vouchedFor reports whether the provider's last word on a session is recent enough.
func (rec *record) vouchedFor(now time.Time) bool {
	t := &rec.tokens
	return t.refresh.IsZero() || t.expiry.IsZero() || now.Before(t.expiry.Add(maxOutage))
}

// A cookieVault keeps the whole session in cookies.
type cookieVault struct {
	cookies *cookies.Scheme
}

func (v *cookieVault) read(r *http.Request) (cookies.Value, error) { return v.cookies.Read(r), nil }

func (v *cookieVault) start(w http.ResponseWriter, r *http.Request, sealed string, maxAge int) error {
	return v.cookies.Write(w, r, sealed, maxAge)
}

func (v *cookieVault) replace(w http.ResponseWriter, r *http.Request, content func(string) (string, int, error)) error {
	if w == nil {
		return nil
	}
	if value := v.cookies.Read(r); value.IsZero() {
		return errSessionEnded
	}
	sealed, maxAge, err := content("")
	if err != nil {
		return err
	}
	return v.start(w, r, sealed, maxAge)
}

func (v *cookieVault) forget(*http.Request) {}
