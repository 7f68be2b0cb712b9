package oauthlogin

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/claims"
	"github.com/oauthlogin/oauthlogin/internal/protocol"
	"github.com/oauthlogin/oauthlogin/internal/testdoor"
)

// Only tests go through these doors: oauthlogintest.WithUser panics in any other
// program, and no package outside this module can import testdoor.
func init() {
	testdoor.WithUser = func(middleware any, r *http.Request, user any) (*http.Request, error) {
		return middleware.(*Middleware).withUser(r, user.(User))
	}
	testdoor.ShortenBoundCookies = func(middleware any, life time.Duration) {
		middleware.(*Middleware).bindings.ShortenCookies(life)
	}
}

// withUser returns a copy of r with a new session in its context, as a handler around
// the caller would have found it. The session has no tokens that could be sent.
func (m *Middleware) withUser(r *http.Request, user User) (*http.Request, error) {
	if !m.made() {
		return nil, errNotMade
	}
	p := m.providers[0]
	if user.Provider != "" {
		p = m.providers.byName(user.Provider)
	}
	switch {
	case p == nil:
		return nil, fmt.Errorf("oauthlogin: User.Provider is %q, which is no provider of Options.Providers", user.Provider)
	case user.Subject == "":
		return nil, errors.New("oauthlogin: User.Subject is empty")
	}
	user.Issuer = cmp.Or(user.Issuer, p.UserIssuer())
	if len(user.RawClaims) == 0 {
		user.RawClaims = standardClaims(&user)
	} else if _, err := claims.Parse(user.RawClaims); err != nil {
		return nil, errors.New("oauthlogin: User.RawClaims is not a JSON object")
	}
	now := time.Now()
	t := &protocol.Tokens{Issued: now, Scope: strings.Join(p.OAuth2.Scopes, " ")}
	if p.Issuer != "" { // a Policy with MaxAge or ACR asks for an ID token
		t.ID = "e30." + base64.RawURLEncoding.EncodeToString(user.RawClaims) + ".e30"
	}
	rec := p.NewRecord(user.recorded(), t)
	rec.Written = now
	ctx := &sessionContext{Context: r.Context()}
	ctx.session.init(m, r, rec)
	return r.WithContext(ctx), nil
}

// standardClaims are the claims that a provider would have said of the user.
func standardClaims(user *User) json.RawMessage {
	known := map[string]any{"sub": user.Subject}
	if user.Name != "" {
		known["name"] = user.Name
	}
	if user.Email != "" {
		known["email"] = user.Email
	}
	if user.Email != "" && user.EmailVerified {
		known["email_verified"] = true
	}
	raw, err := json.Marshal(known)
	if err != nil { // strings and a bool
		panic(err)
	}
	return raw
}
