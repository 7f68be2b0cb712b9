package protocol

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/oauth2"
)

// RFC 8705 section 5: a client with a certificate uses the aliases, and no other does.
func TestMutualTLSAliases(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	certificate := tls.Certificate{Certificate: [][]byte{{1}}, PrivateKey: key}
	presented := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certificate, nil }
	aliases := object{"token_endpoint": testIssuer + "/mtls/token", "userinfo_endpoint": testIssuer + "/mtls/userinfo", "pushed_authorization_request_endpoint": testIssuer + "/mtls/par", "introspection_endpoint": 7}
	for _, tt := range []struct {
		name      string
		transport http.RoundTripper // that NewBounded looks at
		methods   []string
		secret    string
		aliases   any
		want      string // of the token endpoint; "": the metadata is refused
	}{
		{"a certificate", &http.Transport{TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{certificate}}}, nil, "", aliases, "/mtls/token"},
		{"a certificate that a function presents", &http.Transport{TLSClientConfig: &tls.Config{GetClientCertificate: presented}}, nil, "s", aliases, "/mtls/token"},
		{"a wrapped transport", wrapping{&http.Transport{TLSClientConfig: &tls.Config{GetClientCertificate: presented}}}, nil, "", aliases, "/mtls/token"},
		{"a wrapper of itself", wrapping{nil}, nil, "s", aliases, "/token"},
		{"no certificate", &http.Transport{TLSClientConfig: &tls.Config{}}, nil, "s", aliases, "/token"},
		{"no TLS configuration", &http.Transport{}, nil, "s", aliases, "/token"},
		{"a provider that asks all for one", nil, []string{"tls_client_auth"}, "", aliases, "/mtls/token"},
		{"and a self-signed one", nil, []string{"self_signed_tls_client_auth", "private_key_jwt"}, "", aliases, "/mtls/token"},
		{"a client with a secret there", nil, []string{"tls_client_auth", "client_secret_post"}, "s", aliases, "/token"},
		{"a public client there", nil, []string{"tls_client_auth", "none"}, "", aliases, "/token"},
		{"no aliases", nil, []string{"tls_client_auth"}, "", nil, "/token"},
		{"aliases that are not an object", nil, []string{"tls_client_auth"}, "", "x", "/token"},
		{"an alias that is not a string", nil, []string{"tls_client_auth"}, "", object{"token_endpoint": 7}, ""},
		{"a plain http alias", nil, []string{"tls_client_auth"}, "", object{"revocation_endpoint": "http://provider.test/revoke"}, ""},
		{"a faulty alias that is not used", nil, nil, "s", object{"token_endpoint": "http://provider.test/token"}, "/token"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newFakeProvider()
			p.doc["mtls_endpoint_aliases"] = tt.aliases
			p.doc["pushed_authorization_request_endpoint"] = testIssuer + "/par"
			if tt.methods != nil {
				p.doc["token_endpoint_auth_methods_supported"] = tt.methods
			}
			transport := NewBounded(p, nil)
			transport.hasCertificate = presentsCertificate(tt.transport)
			c := NewClient(Registration{Issuer: testIssuer, OAuth2: &oauth2.Config{ClientID: "app", ClientSecret: tt.secret}}, transport, p.client().log)
			md, err := c.metadata(t.Context())
			switch {
			case tt.want == "" && err == nil:
				t.Errorf("accepted: %+v", md)
			case tt.want == "":
			case err != nil || md.TokenURL != testIssuer+tt.want || md.RevocationURL != testIssuer+"/revoke" || md.AuthURL != testIssuer+"/authorize":
				t.Errorf("%+v, %v", md, err)
			case strings.Contains(tt.want, "mtls") != strings.Contains(md.UserInfoURL, "mtls"), strings.Contains(tt.want, "mtls") != strings.Contains(md.PushURL, "mtls"):
				t.Errorf("user info at %s, pushed authorization requests at %s", md.UserInfoURL, md.PushURL)
			}
		})
	}
}

// wrapping is a transport around another one, or around itself.
type wrapping struct{ inner http.RoundTripper }

func (w wrapping) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("unused") }

func (w wrapping) Unwrap() http.RoundTripper {
	if w.inner == nil {
		return w
	}
	return w.inner
}
