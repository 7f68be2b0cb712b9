package protocol

import (
	"net/url"

	"github.com/oauthlogin/oauthlogin/internal/claims"
)

// Issues reports whether users here can have this issuer.
func (c *Client) Issues(issuer string) bool {
	if c.Tenants != nil {
		return c.Tenants.Has(issuer)
	}
	return c.Issuer != "" && issuer == c.Issuer
}

// isIssuer reports whether a token is of the issuer, or of one of the tenants that it
// stands for. Metadata of one tenant have that tenant's issuer.
func (c *Client) isIssuer(issuer string) bool {
	if c.Tenants == nil {
		return issuer == c.Issuer
	}
	md := c.knownMetadata() // nil before the first login
	return c.Tenants.Has(issuer) && (md == nil || issuer == md.Issuer || c.Tenants.IsTemplate(md.Issuer))
}

// isOfTenant reports whether the issuer of an ID token is the template with the token's
// tid, compared exactly.
func (c *Client) isOfTenant(o claims.Object) bool {
	return c.Tenants == nil || c.Tenants.Issues(o.String("iss"), o.String("tid"))
}

// isOfVersion1 reports whether a token is one that Microsoft's older endpoints issue, whose
// claims mean something else.
func (c *Client) isOfVersion1(o claims.Object) bool {
	return c.Tenants != nil && o.Has("ver") && o.String("ver") != "2.0"
}

// signs reports whether a key that has verified a payload signs for its issuer: keys of
// Microsoft Entra ID name the tenant, or the template for all.
func (c *Client) signs(k *key, payload []byte) bool {
	if c.Tenants == nil || k.issuer == "" {
		return true
	}
	o, err := claims.Parse(payload)
	return err == nil && c.Tenants.Signs(k.issuer, o.String("iss"))
}

// hintAtUser adds to a logout URL of Microsoft Entra ID what keeps its page from asking which
// account signs out: the claim login_hint, which applications can request.
func (c *Client) hintAtUser(query url.Values, idTokenHint string) {
	if c.Tenants == nil || query.Has("logout_hint") {
		return
	}
	if o, ok := unverified(idTokenHint); ok && o.String("login_hint") != "" {
		query.Set("logout_hint", o.String("login_hint"))
	}
}
