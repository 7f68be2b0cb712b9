// Package active opens, begins, renews and ends the sessions of browsers, which a vault keeps.
package active

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/gorilla/sessions"

	"github.com/oauthlogin/oauthlogin/internal/binding"
	"github.com/oauthlogin/oauthlogin/internal/cookies"
	"github.com/oauthlogin/oauthlogin/internal/device"
	"github.com/oauthlogin/oauthlogin/internal/identity"
	"github.com/oauthlogin/oauthlogin/internal/instances"
	"github.com/oauthlogin/oauthlogin/internal/memory"
	"github.com/oauthlogin/oauthlogin/internal/record"
	"github.com/oauthlogin/oauthlogin/internal/seal"
	"github.com/oauthlogin/oauthlogin/internal/vault"
)

// Sessions opens, begins, renews and ends the sessions of browsers.
type Sessions struct {
	record.Limits
	Grants *instances.Sessions[*record.Record] // newest tokens, and ends of sessions

	source   func(record.ProviderTag) *identity.Source
	vault    vault.Vault
	cookies  *cookies.Scheme
	sealer   *seal.Sealer
	shared   *seal.Sealer // of what other instances read
	opened   memory.Cache[opened]
	bindings *binding.Bindings // nil: Options.BindDevices is off
	log      *slog.Logger
}

// A Config is what sessions are made of.
type Config struct {
	Limits      record.Limits
	Cookies     *cookies.Scheme
	Store       sessions.Store                            // nil: the whole session is in cookies
	Engine      instances.Coordinator                     // that keeps sessions in place of Store; nil: none
	Coordinator instances.Coordinator                     // nil: this instance is alone
	Sealer      *seal.Sealer                              // of what browsers and stores keep
	Shared      *seal.Sealer                              // of what other instances read
	Bindings    *binding.Bindings                         // nil: sessions are not bound
	Source      func(record.ProviderTag) *identity.Source // nil for a provider that is not configured
	Log         *slog.Logger
}

// New returns the sessions of an instance.
func New(c Config) *Sessions {
	s := &Sessions{
		Limits:   c.Limits,
		source:   c.Source,
		vault:    vault.NewCookies(c.Cookies),
		cookies:  c.Cookies,
		sealer:   c.Sealer,
		shared:   c.Shared,
		bindings: c.Bindings,
		log:      c.Log,
	}
	codec := instances.Codec[*record.Record]{Seal: s.sealForInstances, Open: s.openOfInstances}
	s.Grants = instances.New(c.Coordinator, codec, c.Limits.Idle, c.Limits.Lifetime, c.Log)
	c.Cookies.Opens = s.opens
	switch {
	case c.Engine != nil:
		s.vault = vault.NewEngine(c.Cookies, instances.NewEngine(c.Engine, c.Log), c.Shared, s, s.Lifetime)
	case c.Store != nil:
		s.vault = vault.NewStore(c.Cookies, c.Store, c.Log)
	}
	return s
}

// errNotRenewed means that a browser could not show that it has the session's key.
var errNotRenewed = fmt.Errorf("the bound cookie could not be renewed: %w", instances.ErrAway)

// Load returns the valid session of a request, nil if there is none, and whether it
// is time to seal it again. What does not open, belongs to none of the providers or is
// past a limit is no session. An error means that it is unknown.
func (s *Sessions) Load(r *http.Request) (rec *record.Record, reseal bool, err error) {
	o, err := s.read(r)
	if err != nil || o.record == nil {
		return nil, false, err
	}
	now := time.Now()
	idle := now.Sub(o.record.Written)
	if idle >= s.Idle || idle < -memory.MaxClockSkew {
		return nil, false, nil
	}
	// Another request, or another instance, may have refreshed the tokens.
	rec, newer, ended, err := s.Grants.Shown(r.Context(), o.record, now)
	if err != nil || ended || s.Over(rec, now) {
		return nil, false, err
	}
	reseal = newer || o.oldKey || idle >= s.Idle/10
	if s.bindings != nil {
		var changed bool
		if rec, changed = s.bindings.Admit(r, o.record, o.shown, rec, now); rec == nil {
			if s.Grants.WasAway(now) && device.RenewalFailed(r.Header) {
				err = errNotRenewed
			}
			return nil, false, err
		}
		reseal = reseal || changed
	}
	return rec, reseal, nil
}

// Carried returns the session that a request has, even one that has come to its end, or of
// which it is unknown whether it goes on. It returns nil if there is none, or if this instance
// has ended it. A request that does not show to be from the session's device proves nothing,
// and gets no ID token.
func (s *Sessions) Carried(r *http.Request) (rec *record.Record, proven bool) {
	o, err := s.read(r)
	if err != nil || o.record == nil {
		return nil, false
	}
	over := s.Grants.Ended
	if s.Grants.WasAway(time.Now()) { // what it knows of sign-outs everywhere may be older than the session
		over = s.Grants.HasEnded
	}
	if over(o.record) {
		return nil, false
	}
	if s.bindings.Refuses(r, o.record, o.shown) {
		unproven := *o.record
		unproven.Tokens.ID = seal.Token{}
		return &unproven, false
	}
	return o.record, true
}

// Unproven returns the session of a request that only its binding keeps from being one, nil
// if there is none.
func (s *Sessions) Unproven(r *http.Request) *record.Record {
	o, err := s.read(r)
	if err != nil || o.record == nil || !s.bindings.Refuses(r, o.record, o.shown) {
		return nil
	}
	return o.record
}

// OfSameUser returns the session of a request if it is one of by's user, also one that only
// its binding keeps from being the request's; nil if there is none. An error means that it
// is unknown.
func (s *Sessions) OfSameUser(r *http.Request, by *record.Record) (rec *record.Record, err error) {
	rec, _, err = s.Load(r)
	if err == nil && rec == nil {
		rec = s.Unproven(r)
	}
	if rec == nil || !rec.IsOf(by) {
		return nil, err
	}
	return rec, err
}

// OfBrowser reports whether a session of which little is known is over, and returns the
// record that the request shows of it, nil if the request has no cookie.
func (s *Sessions) OfBrowser(r *http.Request, rec *record.Record, now time.Time) (shown *record.Record, over bool, err error) {
	_, ended, err := s.Grants.Check(r.Context(), rec, now)
	if errors.Is(err, instances.ErrAway) { // for whose absence the access token vouches
		if o, failed := s.read(r); failed == nil && o.record != nil && o.record.ID == rec.ID {
			_, ended, err = s.Grants.Check(r.Context(), o.record, now)
		}
	}
	if err != nil || ended || s.Over(rec, now) || s.Grants.IsReplaced(r.Context(), rec) {
		return nil, err == nil, err
	}
	v, err := s.vault.Read(r)
	if err != nil {
		return nil, false, err
	}
	if v.IsZero() {
		_, inCookies := s.vault.(*vault.Cookies)
		return nil, !inCookies && cookies.HasSent(r, s.cookies.Session) && !s.cookies.SentTwice(r), nil // deleted from the store
	}
	o, ok := s.lookup(&v)
	switch {
	case !ok: // sealed by a newer instance, perhaps
		return nil, false, nil
	case o.record.ID != rec.ID: // this browser has signed in again
		return nil, true, nil
	}
	return o.record, s.IsPast(o.record, now) || s.Grants.Ended(o.record), nil
}

// Start seals a new session. The caller then ends the one that the request has, or notes that
// it is replaced, and forgets it.
func (s *Sessions) Start(w http.ResponseWriter, r *http.Request, rec *record.Record) error {
	sealed, maxAge, err := s.seal(rec)
	if err != nil {
		return err
	}
	return s.vault.Start(w, r, sealed, maxAge)
}

// Delete deletes what the server keeps of a request's session.
func (s *Sessions) Delete(r *http.Request) { s.vault.Forget(r) }

// Forget deletes what the server keeps of a request's session. One that only its binding
// keeps from being the request's stays, unless by is of the same user: a copy of the cookies
// ends no session.
func (s *Sessions) Forget(r *http.Request, by *record.Record) {
	if s.bindings != nil {
		if rec := s.Unproven(r); rec != nil && (by == nil || !rec.IsOf(by)) {
			return
		}
	}
	s.vault.Forget(r)
}

// Save seals the latest generation of a session that the request already has. It does
// nothing if another sign-in has replaced the session: the response to an older request
// must not take away the newer session's cookie.
func (s *Sessions) Save(w http.ResponseWriter, r *http.Request, rec *record.Record) error {
	err := s.vault.Replace(w, r, func(kept string) (string, int, error) {
		if kept != "" { // another instance may have bound it meanwhile, or refreshed its tokens
			v := cookies.Whole(kept)
			if o, ok := s.lookup(&v); ok && o.record.ID == rec.ID && o.record.Generation() > rec.Generation() {
				rec = o.record
			}
		}
		// Signed out meanwhile: a store would create the session again, under its old id.
		latest, ended := s.Grants.Latest(rec)
		if ended || s.Grants.Replaced(rec) {
			return "", 0, instances.ErrEnded
		}
		return s.seal(latest)
	})
	if err == nil && s.endedMeanwhile(r.Context(), rec) { // while it was being written
		s.vault.Forget(r)
		if w != nil {
			s.cookies.UnsetSession(w)
		}
		return instances.ErrEnded
	}
	return err
}

// endedMeanwhile reports whether a session has ended that was saved just now, or another
// sign-in has replaced it: that has deleted it from a store, and saving it creates it again.
func (s *Sessions) endedMeanwhile(ctx context.Context, rec *record.Record) bool {
	if s.Grants.Replaced(rec) {
		return true
	}
	if _, creates := s.vault.(*vault.Store); creates { // also what another instance has deleted
		if _, ended, err := s.Grants.Check(ctx, rec, time.Now()); err == nil {
			return ended
		}
	}
	return s.Grants.Ended(rec)
}

// EndAll ends all sessions of an owner that have begun so far: a user's, or those of one
// session at the provider. An error means that this could not be recorded, and that the
// sessions may go on.
func (s *Sessions) EndAll(ctx context.Context, owner memory.Owner) error {
	return s.Grants.EndAll(ctx, owner, time.Now())
}

// EndSealed and Later make Sessions a [vault.Ender].

func (s *Sessions) EndSealed(ctx context.Context, sealed string) {
	v := cookies.Whole(sealed)
	if o, ok := s.open(&v); ok {
		s.Grants.End(ctx, o.record, time.Now())
	}
}

func (s *Sessions) Later(key string, do func(context.Context) error) { s.Grants.Later(key, do) }

// persistTimeout bounds what a store may take to keep refreshed tokens.
const persistTimeout = 10 * time.Second

// Persist saves refreshed tokens in a store at once, whatever becomes of the
// request. Cookies wait for the next response.
func (s *Sessions) Persist(ctx context.Context, r *http.Request, rec *record.Record) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), persistTimeout)
	defer cancel()
	if err := s.Save(nil, r.WithContext(ctx), rec); err != nil && !errors.Is(err, instances.ErrEnded) {
		s.log.WarnContext(ctx, "oauthlogin: saving refreshed tokens failed; the next request tries again", "provider", rec.User.Provider, "subject", rec.User.Subject, "error", err)
	}
}
