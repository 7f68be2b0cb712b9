package protocol

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// presentsCertificate reports whether a transport is configured with a client
// certificate. It looks through wrappers that have an Unwrap method.
func presentsCertificate(t http.RoundTripper) bool {
	for range 16 { // a wrapper may lead to itself
		switch v := t.(type) {
		case *http.Transport:
			return v.TLSClientConfig != nil && (len(v.TLSClientConfig.Certificates) > 0 || v.TLSClientConfig.GetClientCertificate != nil)
		case interface{ Unwrap() http.RoundTripper }:
			t = v.Unwrap()
		default:
			return false
		}
	}
	return false
}

// onlyMutualTLS reports whether the client can authenticate by its certificate alone,
// which a transport of another kind may present: it has no other credential, and the
// provider lets no client in without one.
func (md *metadata) onlyMutualTLS(c *Client) bool {
	return c.OAuth2.ClientSecret == "" && c.ClientAssertion == nil && c.ClientSecret == nil &&
		!slices.Contains(md.AuthMethods, "none") &&
		(slices.Contains(md.AuthMethods, "tls_client_auth") || slices.Contains(md.AuthMethods, "self_signed_tls_client_auth"))
}

// useAliases puts endpoints at which the provider asks for a certificate in place of those
// at which it does not (RFC 8705 section 5).
func (md *metadata) useAliases(issuer string) error {
	for _, e := range []struct {
		name string
		url  *string
	}{
		{"token_endpoint", &md.TokenURL},
		{"revocation_endpoint", &md.RevocationURL},
		{"userinfo_endpoint", &md.UserInfoURL},
		{"pushed_authorization_request_endpoint", &md.PushURL},
	} {
		alias := ""
		if !member(md.aliases, e.name, &alias) {
			return errors.New("mtls_endpoint_aliases: " + e.name + " is not a string")
		}
		if alias == "" {
			continue
		}
		if fault := endpointFault(issuer, alias); fault != "" {
			return fmt.Errorf("mtls_endpoint_aliases: %s %s", e.name, fault)
		}
		*e.url = alias
	}
	return nil
}
