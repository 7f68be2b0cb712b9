package protocol

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/claims"
)

// hasSubject reports whether sub is one: at most 255 ASCII characters (OpenID Connect
// Core section 2).
func hasSubject(o claims.Object) bool {
	sub := o.String("sub")
	return sub != "" && len(sub) <= 255 && !strings.ContainsFunc(sub, notPrintable)
}

func notPrintable(r rune) bool { return r < 0x20 || r > 0x7e }

// checkIssued checks what ID tokens and logout tokens have in common: who issued one, for
// whom, and when (OpenID Connect Core section 3.1.3.7, Back-Channel Logout section 2.6).
// Errors call the token what.
func (c *Client) checkIssued(what string, o claims.Object, now time.Time) error {
	aud := o.Audience()
	_, hasAZP := o["azp"]
	switch {
	case !c.isIssuer(o.String("iss")):
		return fmt.Errorf("%s is of another issuer (iss)", what)
	case !slices.Contains(aud, c.OAuth2.ClientID):
		return fmt.Errorf("%s was issued to another client (aud): it has the audience %s; Provider.TrustedAudiences stands beside the client ID and not in its place", what, shownAudience(aud))
	case len(c.untrusted(aud)) > 0:
		return fmt.Errorf("%s has the audience %s, which Provider.TrustedAudiences does not have", what, shownAudience(c.untrusted(aud)))
	case hasAZP && o.String("azp") != c.OAuth2.ClientID:
		return fmt.Errorf("%s was issued to another client (azp)", what)
	}
	return checkTimes(what, o, now)
}

// shownAudience shows the first of several audiences. One that may be an e-mail address
// is not shown.
func shownAudience(aud []string) string {
	if len(aud) == 0 || strings.Contains(aud[0], "@") {
		return `"?"`
	}
	return shown(aud[0])
}

// untrusted returns the audiences that are neither the client nor trusted.
func (c *Client) untrusted(aud []string) []string {
	return slices.DeleteFunc(slices.Clone(aud), func(aud string) bool {
		return aud == c.OAuth2.ClientID || slices.Contains(c.TrustedAudiences, aud)
	})
}

func checkTimes(what string, o claims.Object, now time.Time) error {
	exp, hasExp := o.Time("exp")
	iat, hasIAT := o.Time("iat")
	nbf, hasNBF := o.Time("nbf")
	switch {
	case !hasExp:
		return errors.New(what + " has no valid exp")
	case !now.Before(exp.Add(claims.ClockLeeway)):
		return clockError(what+" has expired", "exp", exp, now)
	case !hasIAT:
		return errors.New(what + " has no valid iat")
	case iat.After(now.Add(claims.ClockLeeway)):
		return clockError(what+" is from the future", "iat", iat, now)
	case o["nbf"] != nil && !hasNBF:
		return errors.New(what + " has no valid nbf")
	case nbf.After(now.Add(claims.ClockLeeway)):
		return clockError(what+" is not valid yet", "nbf", nbf, now)
	}
	return nil
}

// clockError names both times, because the cause is often a clock that is wrong.
func clockError(fault, claim string, at, now time.Time) error {
	return fmt.Errorf("%s (%s): it says %s, this clock says %s, a difference of %v",
		fault, claim, at.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339), now.Sub(at).Abs().Truncate(time.Second))
}
