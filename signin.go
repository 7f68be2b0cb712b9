package oauthlogin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"strings"

	"github.com/oauthlogin/oauthlogin/internal/claims"
	"github.com/oauthlogin/oauthlogin/internal/flight"
	"github.com/oauthlogin/oauthlogin/internal/flow"
	"github.com/oauthlogin/oauthlogin/internal/record"
)

// A SignIn is a login that the provider has completed and that has no session yet. It is what
// [Options.OnSignIn] decides on, and must not be used after OnSignIn has returned.
type SignIn struct {
	_ [0]func() // keyed literals only

	// User is who has signed in. Changes of Name, Email and EmailVerified and the claims of
	// [User.SetClaim] go into the session, and stay until the next login, whatever
	// refreshes bring. Provider, Issuer and Subject cannot be changed.
	User *User
	// Previous is the session that this browser had until now, nil if it had none, or if
	// it is unknown: see [Middleware.Session]. It is a copy, for linking accounts.
	Previous *Session
	// Client sends the new access token with every request. It refreshes no token, follows no
	// redirect, and reads responses of up to 1 MiB within the timeout of [Options.HTTPClient].
	Client *http.Client
	// ReturnTo is the local path to which the browser goes next. If it is changed to one
	// that could lead elsewhere, the browser goes to [Options.HomePath].
	ReturnTo string
}

// Format keeps the token and the claims out of whatever prints a SignIn.
func (in *SignIn) Format(f fmt.State, _ rune) {
	if in == nil || in.User == nil {
		fmt.Fprint(f, "oauthlogin.SignIn(nil)")
		return
	}
	fmt.Fprintf(f, "oauthlogin.SignIn{Provider:%q Subject:%q}", in.User.Provider, in.User.Subject)
}

// LogValue keeps the token and the claims out of logs.
func (in *SignIn) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(in)) }

// SetClaim sets a claim in RawClaims to a value as [json.Marshal] writes it, in place of all
// claims whose names differ only in case. Within [Options.OnSignIn] the claim goes into the
// session, where a [Policy] and [User.Claims] find it. Elsewhere u is a copy, and the claim has
// no effect on later requests.
//
// SetClaim returns an error and changes nothing if the value cannot be JSON, if the claims
// would be over 64 KiB, or if name is one of the protocol's, such as sub: those say what the
// provider has vouched for (RFC 7519 section 4.1, OpenID Connect Core section 2). An email that
// differs from Email is not verified, unless email_verified is set after it.
func (u *User) SetClaim(name string, value any) error {
	if name == "" || claims.IsProtocol(name) {
		return fmt.Errorf("oauthlogin: claim %q cannot be set", name)
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("oauthlogin: claim %q: %w", name, err)
	}
	name, set := u.setting(name, text)
	known := claims.Object{}
	if len(u.RawClaims) > 0 {
		if known, err = claims.Parse(u.RawClaims); err != nil {
			return errors.New("oauthlogin: RawClaims is not a JSON object")
		}
	}
	known = claims.Overlay(known, set)
	raw, err := json.Marshal(known)
	switch {
	case err != nil:
		return fmt.Errorf("oauthlogin: claim %q: %w", name, err)
	case len(raw) > record.MaxClaims:
		return fmt.Errorf("oauthlogin: claim %q: %w", name, record.ErrClaimsTooLarge)
	}
	switch read := record.NewUser(known, raw); name {
	case "name", "preferred_username":
		u.Name = read.Name
	case "email", "email_verified":
		u.Email = read.Email
		if set.Has("email_verified") { // not for the same address: Apple's claim may be a string
			u.EmailVerified = read.EmailVerified
		}
	}
	u.RawClaims, u.set = raw, claims.Overlay(u.set, set) // copies of u keep theirs
	return nil
}

// setting returns the claims that SetClaim sets: an e-mail address and its verification are
// never mixed, also for readers that ignore case in names.
func (u *User) setting(name string, text json.RawMessage) (string, claims.Object) {
	set := claims.Object{name: text}
	switch {
	case strings.EqualFold(name, "email"):
		set = claims.Object{"email": text}
		if set.String("email") != u.Email {
			set["email_verified"] = json.RawMessage("false")
		}
		return "email", set
	case strings.EqualFold(name, "email_verified"):
		set = claims.Object{"email_verified": text}
		if email, err := json.Marshal(u.Email); err == nil && u.Email != "" {
			set["email"] = email
		}
		return "email_verified", set
	}
	return name, set
}

// changes returns what the application has changed of a user, as claims.
func (u *User) changes(before *record.User) (claims.Object, error) {
	changed := maps.Clone(u.set)
	if changed == nil {
		changed = claims.Object{}
	}
	set := func(name string, value any) error {
		text, err := json.Marshal(value)
		changed[name] = text
		return err
	}
	var err error
	if u.Name != before.Name {
		err = errors.Join(set("name", u.Name), set("preferred_username", u.Name))
	}
	// Both or neither: a refresh may bring another address.
	if changed.Has("email") || changed.Has("email_verified") || u.Email != before.Email || u.EmailVerified != before.EmailVerified {
		err = errors.Join(err, set("email", u.Email), set("email_verified", u.EmailVerified))
	}
	return changed, err
}

// onSignIn asks Options.OnSignIn about a login, and returns the record and the return path
// that it wants.
func (m *Middleware) onSignIn(ctx context.Context, r *http.Request, p *provider, f *flow.Flow, rec *record.Record) (*record.Record, string, *Error) {
	user := userOf(&rec.User)
	user.RawClaims = bytes.Clone(user.RawClaims)
	in := &SignIn{User: &user, ReturnTo: f.ReturnPath, Client: p.ClientWith(rec.Tokens.Access, rec.Key())}
	if previous, _, _ := m.sessions.Load(r); previous != nil && previous.VouchedFor() {
		in.Previous = &Session{}
		in.Previous.init(m, r, previous)
		in.Previous.handOut()
	}
	refusal, fault := callOnSignIn(ctx, m.opts.OnSignIn, in)
	switch {
	case fault != nil:
		return nil, "", m.responses.loginError(p, f.ReturnPath, "internal", http.StatusInternalServerError, fmt.Errorf("Options.OnSignIn: %w", fault))
	case refusal != nil:
		return nil, "", m.refused(p, f.ReturnPath, rec.User.Subject, refusal)
	}
	fresh := *rec
	if in.User != nil {
		changed, err := in.User.changes(&rec.User)
		if err == nil && len(changed) > 0 {
			if fresh.Extra.AppClaims, err = json.Marshal(changed); err == nil {
				fresh.User, err = fresh.WithAppClaims()
			}
		}
		if err == nil && len(fresh.User.RawClaims)+len(fresh.Extra.AppClaims)+len(fresh.Tokens.Access)+fresh.Tokens.ID.Size() > record.MaxClaims {
			err = record.ErrClaimsTooLarge
		}
		if err != nil {
			failed := m.responses.loginError(p, f.ReturnPath, "session_too_large", http.StatusInternalServerError, fmt.Errorf("Options.OnSignIn: %w", err))
			failed.RetryURL = "" // it would be as large again
			return nil, "", failed
		}
	}
	return &fresh, m.paths.ReturnPath(in.ReturnTo), nil
}

// callOnSignIn tells a refusal from a hook that panics, or that takes longer than ctx. It
// does not wait for the latter.
func callOnSignIn(ctx context.Context, hook func(context.Context, *SignIn) error, in *SignIn) (refusal, fault error) {
	type outcome struct{ refusal, fault error }
	done := make(chan outcome, 1)
	go func() {
		result := outcome{fault: errors.New("it ended its goroutine")}
		defer func() { done <- result }()
		result.refusal, result.fault = func() (refusal, fault error) {
			defer flight.Recover(&fault)
			return hook(ctx, in), nil
		}()
	}()
	select {
	case result := <-done:
		if result.refusal != nil && ctx.Err() != nil {
			return nil, result.refusal // it had to give up
		}
		return result.refusal, result.fault
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// refused is the error of a login that the application refuses. The application's own
// error may be shared by requests.
func (m *Middleware) refused(p *provider, returnTo, subject string, refusal error) *Error {
	failed := &Error{Code: "sign_in_refused", Status: http.StatusForbidden, Provider: p.Name, Reference: newReference(), err: refusal, refused: true, subject: subject}
	failed.RetryURL, failed.otherAccount = m.otherAccountURL(p.Name, m.paths.ReturnPath(returnTo)), true
	var own *Error
	switch {
	case !errors.As(refusal, &own):
	case own == nil:
		failed.err = errors.New("Options.OnSignIn returned a nil *Error in an error that is not nil")
	default:
		if own.Code != "" {
			failed.Code = own.Code
		}
		if own.Status >= 400 && own.Status <= 599 {
			failed.Status = own.Status
		}
		switch {
		case own.RetryURL != "":
			failed.RetryURL, failed.otherAccount = own.RetryURL, false
		case failed.Status >= http.StatusInternalServerError: // another account would not help
			failed.RetryURL, failed.otherAccount = m.paths.LoginURL(p.Name, m.paths.ReturnPath(returnTo)), false
		}
		failed.Title, failed.Text, failed.RetryLabel = own.Title, own.Text, own.RetryLabel
	}
	return failed
}
