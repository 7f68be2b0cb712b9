package protocol

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/oauthlogin/oauthlogin/internal/claims"
	"github.com/oauthlogin/oauthlogin/internal/weburl"
)

// metadata is what a provider says of itself (OpenID Connect Discovery section 3,
// RFC 8414, RFC 9126, RFC 9207, RFC 9449).
type metadata struct {
	Issuer                                    string // a template at several tenants of Microsoft Entra ID
	AuthURL, TokenURL, JWKSURL                string
	UserInfoURL, RevocationURL, EndSessionURL string // "": none
	PushURL                                   string // of authorization requests; "": none
	MustPush                                  bool
	ProofAlgs                                 []string // of DPoP proofs; nil: not said
	SigningAlgs                               []string
	AuthMethods                               []string // nil: not said
	IssInResponse                             bool
	aliases                                   claims.Object // of endpoints, for clients with a certificate
	BackChannelLogout                         bool
}

// asymmetricAlgs are the signature algorithms that are accepted at all, whatever
// metadata and tokens say (RFC 8725 section 3.1).
var asymmetricAlgs = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512,
	jose.PS256, jose.PS384, jose.PS512, jose.EdDSA,
}

// fetchMetadata reads the issuer's metadata (OpenID Connect Discovery section 4).
func (c *Client) fetchMetadata(ctx context.Context) (*metadata, time.Duration, error) {
	location := strings.TrimSuffix(c.Issuer, "/") + "/.well-known/openid-configuration"
	body, age, err := c.transport.getDocument(ctx, location, "application/json")
	if err != nil {
		return nil, 0, err
	}
	publishes := func(found string) bool { return found == c.Issuer } // section 4.3: exactly
	if c.Tenants != nil {
		publishes = c.Tenants.Publishes
	}
	md, ignored, err := parseMetadata(c.Issuer, publishes, body)
	if len(ignored) > 0 {
		c.log.WarnContext(ctx, "oauthlogin: metadata members of a wrong type are ignored", "members", ignored)
	}
	if err == nil && (c.transport.hasCertificate || md.onlyMutualTLS(c)) {
		err = md.useAliases(c.Issuer)
	}
	if err != nil {
		return nil, 0, err
	}
	if md.BackChannelLogout && c.BackChannelLogoutURI != "" { // Back-Channel Logout section 2.1
		c.log.DebugContext(ctx, "oauthlogin: the provider supports back-channel logout; it needs this registered as backchannel_logout_uri, with backchannel_logout_session_required",
			"backchannel_logout_uri", c.BackChannelLogoutURI)
	}
	return md, age, nil
}

// parseMetadata reads the metadata document of an issuer; publishes says which issuers it may
// name. A required member that is missing or wrong, and an endpoint that is not a secure URL,
// is an error. An optional member of a wrong type is ignored and returned by name.
func parseMetadata(issuer string, publishes func(found string) bool, body []byte) (md *metadata, ignored []string, err error) {
	doc, err := claims.Parse(body)
	if err != nil {
		return nil, nil, err
	}
	var found string
	if json.Unmarshal(doc["issuer"], &found) != nil || string(doc["issuer"]) == "null" {
		return nil, nil, errors.New("issuer is missing or not a string")
	}
	if !publishes(found) {
		return nil, nil, issuerMismatch(issuer, found)
	}
	md = &metadata{Issuer: found}
	for _, e := range []struct {
		name     string
		url      *string
		required bool
	}{
		{"authorization_endpoint", &md.AuthURL, true},
		{"token_endpoint", &md.TokenURL, true},
		{"jwks_uri", &md.JWKSURL, true},
		{"userinfo_endpoint", &md.UserInfoURL, false},
		{"revocation_endpoint", &md.RevocationURL, false},
		{"end_session_endpoint", &md.EndSessionURL, false},
		{"pushed_authorization_request_endpoint", &md.PushURL, false},
	} {
		isString := member(doc, e.name, e.url)
		switch {
		case !isString && e.required:
			return nil, ignored, fmt.Errorf("%s is not a string", e.name)
		case !isString:
			ignored = append(ignored, e.name)
		case *e.url == "" && e.required:
			return nil, ignored, fmt.Errorf("%s is missing", e.name)
		case *e.url == "":
		default:
			if fault := endpointFault(issuer, *e.url); fault != "" {
				return nil, ignored, fmt.Errorf("%s %s", e.name, fault)
			}
		}
	}
	if !member(doc, "id_token_signing_alg_values_supported", &md.SigningAlgs) {
		return nil, ignored, errors.New("id_token_signing_alg_values_supported is not a list of strings")
	}
	if !member(doc, "token_endpoint_auth_methods_supported", &md.AuthMethods) {
		ignored = append(ignored, "token_endpoint_auth_methods_supported")
	}
	if !member(doc, "authorization_response_iss_parameter_supported", &md.IssInResponse) {
		ignored = append(ignored, "authorization_response_iss_parameter_supported")
	}
	if !member(doc, "dpop_signing_alg_values_supported", &md.ProofAlgs) {
		ignored = append(ignored, "dpop_signing_alg_values_supported")
	}
	if !member(doc, "require_pushed_authorization_requests", &md.MustPush) {
		ignored = append(ignored, "require_pushed_authorization_requests")
	}
	if !member(doc, "mtls_endpoint_aliases", &md.aliases) {
		ignored = append(ignored, "mtls_endpoint_aliases")
	}
	if !member(doc, "backchannel_logout_supported", &md.BackChannelLogout) {
		ignored = append(ignored, "backchannel_logout_supported")
	}
	if len(md.SigningAlgs) == 0 {
		md.SigningAlgs = []string{string(jose.RS256)} // OpenID Connect Core section 3.1.3.7, 7
	}
	md.SigningAlgs = slices.DeleteFunc(md.SigningAlgs, func(alg string) bool {
		return !slices.Contains(asymmetricAlgs, jose.SignatureAlgorithm(alg))
	})
	if len(md.SigningAlgs) == 0 {
		return nil, ignored, errors.New("id_token_signing_alg_values_supported has no asymmetric algorithm")
	}
	return md, ignored, nil
}

// member decodes a member into value, which it leaves as it is if the member is
// missing, null or of another type. ok is false for another type.
func member[V any](doc claims.Object, name string, value *V) (ok bool) {
	raw, found := doc[name]
	if !found || string(raw) == "null" {
		return true
	}
	var v V // a list of another type would be decoded in part
	if json.Unmarshal(raw, &v) != nil {
		return false
	}
	*value = v
	return true
}

// endpointFault says what is wrong with an endpoint, as a predicate; "": nothing.
func endpointFault(issuer, endpoint string) string {
	u, fault := weburl.Check(endpoint)
	if fault == "" && u.Scheme != "https" && weburl.IsHTTPS(issuer) {
		return "is plain http, and the issuer is https"
	}
	return fault
}

// shown is a name that a provider uses, quoted and cut.
func shown(name string) string { return strconv.Quote(name[:min(len(name), maxShown)]) }

// maxShown is how many bytes of another issuer an error shows.
const maxShown = 100

// issuerMismatch names the other issuer: those who configure it cannot see what
// the metadata says.
func issuerMismatch(want, found string) error {
	text := fmt.Sprintf("issuer mismatch: want %q, metadata says %s", want, shown(found))
	_, template, _ := strings.Cut(found, "{")
	switch {
	case strings.TrimSuffix(found, "/") == strings.TrimSuffix(want, "/"):
		text += ": they differ by the trailing slash"
	case strings.Contains(template, "}"):
		text += ": the metadata has a template instead of an issuer, which only oauthlogin.Microsoft takes"
	}
	return errors.New(text)
}
