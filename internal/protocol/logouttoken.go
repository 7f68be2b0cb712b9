package protocol

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/claims"
)

// A LogoutToken is what a provider says in a logout token that has been verified
// (OpenID Connect Back-Channel Logout section 2.4). Subject or SessionID may be "", and
// not both.
type LogoutToken struct {
	Issuer             string
	Subject, SessionID string // sub and sid
	ID                 string // jti: it differs for all tokens to one client
}

const (
	// logoutEvent is the member of events that makes a JWT a logout token.
	logoutEvent = "http://schemas.openid.net/event/backchannel-logout"
	// maxLogoutTokenAge is how long after its iat a logout token is accepted, whatever exp
	// says. Section 4 recommends to issue it for two minutes.
	maxLogoutTokenAge = 10 * time.Minute
	// maxLogoutTokenLifetime is how long after its iat a logout token may expire: some
	// providers give it the lifetime of ID tokens.
	maxLogoutTokenLifetime = 24 * time.Hour
)

// LogoutTokenLifetime bounds the time between the first and the last moment at which a
// logout token is accepted.
const LogoutTokenLifetime = maxLogoutTokenAge + 2*claims.ClockLeeway

// VerifyLogoutToken checks everything that makes a JWT a logout token of the provider for
// this client (OpenID Connect Back-Channel Logout section 2.6), except that it comes only
// once, which is for the caller to see. If the provider's keys cannot be read now, the
// error is one of [KeysUnavailable]; any other says that the token is bad.
//
// The signature comes last, because anyone can send a token: keys are read for one that
// has nothing else wrong with it.
func (c *Client) VerifyLogoutToken(ctx context.Context, raw string) (LogoutToken, error) {
	if c.Issuer == "" {
		return LogoutToken{}, errors.New("provider has no issuer that logout tokens could be checked against")
	}
	// Section 2.4 recommends logout+jwt, and earlier providers have JWT or nothing.
	t, err := parseJWT(raw, "logout+jwt", "jwt", "")
	if err != nil {
		return LogoutToken{}, fmt.Errorf("logout token: %w", err)
	}
	o, err := claims.Parse(t.jws.UnsafePayloadWithoutVerification())
	if err != nil {
		return LogoutToken{}, errors.New("logout token is not a JSON object")
	}
	if err := c.checkLogoutToken(o, time.Now()); err != nil {
		return LogoutToken{}, err
	}
	if _, err := c.verifySignature(ctx, t, logoutTokens); err != nil {
		return LogoutToken{}, fmt.Errorf("logout token: %w", err)
	}
	if !c.isIssuer(o.String("iss")) { // now that there are metadata
		return LogoutToken{}, errors.New("logout token is of another issuer (iss)")
	}
	return LogoutToken{Issuer: o.String("iss"), Subject: o.String("sub"), SessionID: o.String("sid"), ID: o.String("jti")}, nil
}

// checkLogoutToken checks the claims of a logout token.
func (c *Client) checkLogoutToken(o claims.Object, now time.Time) error {
	if err := c.checkIssued("logout token", o, now); err != nil {
		return err
	}
	exp, _ := o.Time("exp")
	iat, _ := o.Time("iat")
	_, hasSub := o["sub"]
	_, hasSID := o["sid"]
	_, hasNonce := o["nonce"]
	events, err := claims.Parse(o["events"])
	if err == nil {
		_, err = claims.Parse(events[logoutEvent])
	}
	switch {
	case now.Sub(iat) > maxLogoutTokenAge+claims.ClockLeeway:
		return clockError("logout token is too old", "iat", iat, now)
	case exp.Sub(iat) > maxLogoutTokenLifetime:
		return fmt.Errorf("logout token is valid for over %v (exp)", maxLogoutTokenLifetime)
	case err != nil:
		return errors.New("logout token is not one of a back-channel logout (events)")
	// Section 2.4: so that it cannot pass for an ID token.
	case hasNonce:
		return errors.New("logout token has a nonce")
	case o.String("jti") == "":
		return errors.New("logout token has no valid jti")
	case !hasSub && !hasSID:
		return errors.New("logout token has neither sub nor sid")
	case hasSub && !hasSubject(o):
		return errors.New("logout token has no valid sub")
	case hasSID && o.String("sid") == "":
		return errors.New("logout token has no valid sid")
	}
	return nil
}

// ClaimsToBeFor reports whether a JWT names this issuer, and this client in its audience.
// Nothing has verified it: this is for choosing who does.
func (c *Client) ClaimsToBeFor(raw string) (issuer, audience bool) {
	o, ok := unverified(raw)
	issuer = ok && c.Issuer != "" && c.Issues(o.String("iss"))
	return issuer, issuer && slices.Contains(o.Audience(), c.OAuth2.ClientID)
}

// unverified returns the claims of a JWT that nothing has verified.
func unverified(raw string) (o claims.Object, ok bool) {
	if strings.Count(raw, ".") != 2 || len(raw) > maxJWTBytes {
		return nil, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
	if err != nil {
		return nil, false
	}
	o, err = claims.Parse(payload)
	return o, err == nil
}
