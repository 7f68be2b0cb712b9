package tokens

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/flight"
	"github.com/oauthlogin/oauthlogin/internal/identity"
	"github.com/oauthlogin/oauthlogin/internal/instances"
	"github.com/oauthlogin/oauthlogin/internal/memory"
	"github.com/oauthlogin/oauthlogin/internal/protocol"
	"github.com/oauthlogin/oauthlogin/internal/record"
	"github.com/oauthlogin/oauthlogin/internal/seal"
)

// Resources gets access tokens of sessions for one API each, and keeps them.
type Resources struct {
	refreshes *Refreshes
	sealer    *seal.Sealer // of what other instances read
	kept      memory.Lasting[*resourceToken]
	flights   flight.Group[*resourceToken]
}

const (
	// unsaidLifetime is how long a token is used whose lifetime the provider does not say.
	unsaidLifetime = time.Hour
	// maxTurns is how often a call tries to get its turn: each time another call was faster.
	maxTurns = 16
)

var (
	errNoRefreshToken = errors.New("the session has no refresh token, without which there is none for a Resource; " +
		"request one in the login (the scope offline_access, or as the provider documents it)")
	errBornExpired = errors.New("the provider issues tokens for this Resource that have expired already")
	errContended   = errors.New("other calls send the refresh token all the time")
)

// NewResources returns the tokens for APIs of an instance. sealer seals what other instances
// read.
func NewResources(refreshes *Refreshes, sealer *seal.Sealer) *Resources {
	return &Resources{refreshes: refreshes, sealer: sealer}
}

// Idle returns when no request for a token is under way, or with the error of ctx.
func (x *Resources) Idle(ctx context.Context) error { return x.flights.Idle(ctx) }

// token returns the token of a session for a target: the one that is kept, or a new one if
// it is time, or if an API has rejected that one. A new one that cannot be had now does not
// keep one that is still valid from being used.
func (x *Resources) token(ctx context.Context, s *Held, rec *record.Record, to *Target, rejected *resourceToken) (*resourceToken, error) {
	now := time.Now()
	kept, ok := x.kept.Get(to.key, now)
	usable := ok && kept.isValid(now) && !kept.is(rejected)
	switch {
	case usable && (now.Before(x.dueAt(kept)) || now.Before(kept.again)):
		return kept, nil
	case ok && now.Before(kept.again):
		return nil, kept.err
	case !s.mayWait(now) && usable:
		return kept, nil
	case !s.mayWait(now):
		return nil, errLate
	}
	name := to.key
	if rejected != nil {
		name += rejected.access
	}
	fresh, err := waitFor(ctx, &x.flights, name, func(ctx context.Context) (*resourceToken, error) {
		return x.fetch(ctx, s.Request, rec, to, rejected)
	})
	if err == errLate {
		s.waitsNoMore(time.Now().Add(waitAgain))
	}
	switch {
	case errors.Is(err, instances.ErrEnded):
		return nil, err
	case err != nil && usable && kept.isValid(time.Now()):
		return kept, nil
	case err != nil:
		return nil, err
	}
	// Signed out while the response was on its way: no request may use it.
	latest, ended, err := x.refreshes.sessions.Grants.Check(ctx, rec, time.Now())
	switch {
	case err != nil:
		return nil, err
	case ended:
		return nil, instances.ErrEnded
	}
	s.adopt(latest)
	return fresh, nil
}

func (x *Resources) dueAt(t *resourceToken) time.Time {
	return x.refreshes.dueAt(t.issued, t.expiry)
}

// serves reports whether a token can be used in place of a new one.
func (x *Resources) serves(t, rejected *resourceToken) bool {
	now := time.Now()
	return t.isValid(now) && !t.is(rejected) && now.Before(x.dueAt(t))
}

// fetch returns a new token, from another instance or from the provider.
func (x *Resources) fetch(ctx context.Context, r *http.Request, rec *record.Record, to *Target, rejected *resourceToken) (*resourceToken, error) {
	grants := x.refreshes.sessions.Grants
	for range maxTurns {
		latest, ended := grants.Latest(rec)
		if ended {
			return nil, instances.ErrEnded
		}
		rec = latest
		if kept, ok := x.kept.Get(to.key, time.Now()); ok && x.serves(kept, rejected) {
			return kept, nil
		}
		if shared, _ := x.ofInstances(ctx, to, rejected); shared != nil {
			return shared, nil
		}
		if rec.Tokens.Refresh.IsZero() {
			return nil, errNoRefreshToken
		}
		if err := grants.Refusal(rec, time.Now()); err != nil {
			return nil, err
		}
		turn, _, err := grants.Turn(ctx, rec)
		switch {
		case err != nil:
			return nil, err
		case turn == nil: // the refresh token was rotated meanwhile
			continue
		}
		token, err := x.inTurn(ctx, turn, r, rec, to, rejected)
		if token != nil || err != nil {
			return token, err
		}
	}
	return nil, errContended
}

// inTurn sends the refresh token of a session for a target, unless that has become needless.
// It returns neither a token nor an error if the session has a later generation.
func (x *Resources) inTurn(ctx context.Context, turn *instances.Turn[*record.Record], r *http.Request, rec *record.Record, to *Target, rejected *resourceToken) (*resourceToken, error) {
	defer turn.Leave()
	f := x.refreshes
	shared, old := x.ofInstances(ctx, to, rejected)
	failed := f.sessions.Grants.Refusal(rec, time.Now())
	if shared != nil || failed != nil {
		turn.GiveUp(ctx)
		return shared, failed
	}
	began := time.Now()
	t, err := f.source(rec.Provider).Client.Refresh(protocol.WithFence(ctx, turn.Check), rec.Tokens.Refresh.Text(), rec.Key(), to.params...)
	if err == nil {
		err = identity.CheckUser(rec, t)
	}
	if err != nil {
		return nil, x.failed(ctx, turn, rec, to, rejected, began, err)
	}
	token := &resourceToken{access: t.Access, issued: t.Issued, expiry: t.Expiry}
	if t.Expiry.IsZero() {
		token.expiry = t.Issued.Add(unsaidLifetime)
	}
	x.keep(ctx, rec, to, token, old)
	if err := x.rotate(ctx, turn, r, rec, t); err != nil {
		return nil, err
	}
	return token, token.err
}

// keep keeps a token here and for other instances, as long as the session can last. old is
// what they have.
func (x *Resources) keep(ctx context.Context, rec *record.Record, to *Target, token *resourceToken, old []byte) {
	now := time.Now()
	until := token.expiry
	if end := rec.Created.Add(x.refreshes.sessions.Lifetime); end.Before(until) {
		until = end
	}
	if !token.isValid(now) {
		token.err, token.again = errBornExpired, now.Add(noExpiryRefresh)
		x.kept.Put(to.key, token, token.again, now)
		return
	}
	x.kept.Put(to.key, token, until, now)
	sealed, err := x.sealer.Seal(to.key, token.pack())
	if err == nil {
		x.refreshes.sessions.Grants.Put(ctx, to.key, old, []byte(sealed), until.Sub(now))
	}
}

// rotate makes the next generation of a session if its refresh token was rotated. The access
// token stays.
func (x *Resources) rotate(ctx context.Context, turn *instances.Turn[*record.Record], r *http.Request, rec *record.Record, t *protocol.Tokens) error {
	if t.Refresh == "" || t.Refresh == rec.Tokens.Refresh.Text() {
		turn.GiveUp(ctx)
		return nil
	}
	fresh := rec.Next()
	fresh.Tokens.Refresh = seal.NewToken(t.Refresh)
	revoke := func(ctx context.Context) { x.refreshes.revoke(ctx, fresh) }
	latest, ended := turn.Keep(ctx, fresh, revoke)
	if ended {
		revoke(ctx)
		return instances.ErrEnded
	}
	x.refreshes.sessions.Persist(ctx, r, latest)
	return nil
}

// failed notes why there is no token. It returns nil if the session has a later generation.
func (x *Resources) failed(ctx context.Context, turn *instances.Turn[*record.Record], rec *record.Record, to *Target, rejected *resourceToken, began time.Time, err error) error {
	var other *identity.Error
	refusal := protocol.RefusalOf(err)
	switch {
	case refusal == protocol.GrantEnded || errors.As(err, &other):
		_, err := x.refreshes.end(ctx, turn, rec, began, err)
		return err
	case errors.Is(err, instances.ErrNotOurTurn):
		turn.GiveUp(ctx)
		return err
	case refusal == protocol.Refused || protocol.Misconfigured(err): // the resource
		turn.GiveUp(ctx)
		x.pause(to, rejected, err)
		return err
	}
	turn.Failed(ctx, err, protocol.RetryAfter(err))
	x.refreshes.events.RefreshFailed(ctx, rec, err, false, time.Since(began))
	return err
}

// pause keeps a token from being requested again for a while, and goes on with the one
// before.
func (x *Resources) pause(to *Target, rejected *resourceToken, err error) {
	now := time.Now()
	paused := &resourceToken{err: err, again: now.Add(rejectedPause)}
	until := paused.again
	if before, ok := x.kept.Get(to.key, now); ok && before.isValid(now) && !before.is(rejected) {
		paused.access, paused.issued, paused.expiry = before.access, before.issued, before.expiry
		paused.accepted.Store(before.accepted.Load())
		until = before.expiry
	}
	x.kept.Put(to.key, paused, until, now)
}

// ofInstances returns the token that other instances know, nil if there is none that can be
// used, and the value of its key.
func (x *Resources) ofInstances(ctx context.Context, to *Target, rejected *resourceToken) (token *resourceToken, value []byte) {
	value, err := x.refreshes.sessions.Grants.Value(ctx, to.key)
	if err != nil || value == nil { // without the Coordinator, there is no Turn either
		return nil, nil
	}
	packed, _, err := x.sealer.Open(to.key, string(value))
	if err != nil {
		return nil, value
	}
	token, err = unpackResourceToken(packed)
	if err != nil || !x.serves(token, rejected) {
		return nil, value
	}
	x.kept.Put(to.key, token, token.expiry, time.Now())
	return token, value
}
