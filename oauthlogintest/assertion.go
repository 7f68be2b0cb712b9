package oauthlogintest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	jwtBearer        = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	assertionType    = "client-authentication+jwt"
	maxAssertionLife = 5 * time.Minute
)

// assertionAlgs are the algorithms of client assertions: those of FAPI 2.0 and their kin.
var assertionAlgs = []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.ES512, jose.EdDSA, jose.PS256}

func (p *Provider) hasPublicKeys() bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return slices.ContainsFunc(p.clients, func(c *Client) bool { return c.PublicKey != nil })
}

// clientByAssertion authenticates the client with private_key_jwt (RFC 7523 section 3 as
// RFC 10070 updates it, OpenID Connect Core section 9).
func (p *Provider) clientByAssertion(r *http.Request) (*Client, *oauthError) {
	form := r.PostForm
	client := p.client(form.Get("client_id"))
	switch {
	case r.Header.Get("Authorization") != "" || form.Has("client_secret"):
		return nil, &oauthError{Code: "invalid_request", Description: "the client used more than one authentication method"}
	case form.Get("client_assertion_type") != jwtBearer:
		return nil, invalidClient("client_assertion_type is another")
	case client == nil || client.PublicKey == nil:
		return nil, invalidClient("the client is unknown or has no public key")
	}
	if fault := p.checkAssertion(client, form.Get("client_assertion")); fault != "" {
		return nil, invalidClient("client_assertion " + fault)
	}
	return client, nil
}

// checkAssertion says, as a predicate, why an assertion does not authenticate a client; ""
// if it does.
func (p *Provider) checkAssertion(client *Client, assertion string) (fault string) {
	jws, err := jose.ParseSignedCompact(assertion, assertionAlgs)
	if err != nil {
		return "is not a JWT that is signed with an accepted algorithm"
	}
	payload, err := jws.Verify(client.PublicKey)
	if err != nil {
		return "is signed with another key"
	}
	var claims struct {
		Issuer   string          `json:"iss"`
		Subject  string          `json:"sub"`
		Audience json.RawMessage `json:"aud"`
		ID       string          `json:"jti"`
		Issued   float64         `json:"iat"`
		Expires  float64         `json:"exp"`
	}
	if json.Unmarshal(payload, &claims) != nil {
		return "has claims of a wrong type"
	}
	var audience string
	now, exp := p.config.Now(), time.Unix(int64(claims.Expires), 0)
	switch {
	case fmt.Sprint(jws.Signatures[0].Protected.ExtraHeaders[jose.HeaderType]) != assertionType:
		return "has another typ"
	case claims.Issuer != client.ID || claims.Subject != client.ID:
		return "has an iss or a sub that is not the client_id"
	case json.Unmarshal(claims.Audience, &audience) != nil || audience != p.config.Issuer:
		return "has an aud that is not the issuer as a string"
	case !now.Before(exp):
		return "has expired"
	case exp.After(now.Add(maxAssertionLife)):
		return "lives over five minutes"
	case claims.Issued != 0 && time.Unix(int64(claims.Issued), 0).After(now.Add(10*time.Second)):
		return "is from the future"
	case len(claims.ID) < 16:
		return "has no jti of at least 96 bits"
	case !p.store.firstUse(now, "assertion "+client.ID+" "+claims.ID, exp):
		return "was used before"
	}
	return ""
}
