package protocol

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

const testIssuer = "https://provider.test"

// object is a JSON object that a test writes.
type object = map[string]any

// A fakeProvider responds in-process, for tests in synctest bubbles.
type fakeProvider struct {
	mu     sync.Mutex
	doc    object      // metadata
	jwks   []any       // its keys
	header http.Header // of metadata and keys
	asked  map[string]int
	says   map[string]http.HandlerFunc // instead, by path
	log    bytes.Buffer
}

// ready returns nil if the metadata is known or can be read now.
func (c *Client) ready(ctx context.Context) error {
	_, err := c.metadata(ctx)
	return err
}

// parseMetadataOf is parseMetadata for exactly one issuer.
func parseMetadataOf(issuer string, body []byte) (md *metadata, ignored []string, err error) {
	return parseMetadata(issuer, func(found string) bool { return found == issuer }, body)
}

func newFakeProvider() *fakeProvider {
	return &fakeProvider{
		doc: object{
			"issuer": testIssuer, "authorization_endpoint": testIssuer + "/authorize", "token_endpoint": testIssuer + "/token",
			"jwks_uri": testIssuer + "/jwks", "userinfo_endpoint": testIssuer + "/userinfo",
			"revocation_endpoint": testIssuer + "/revoke", "end_session_endpoint": testIssuer + "/logout?a=b",
			"id_token_signing_alg_values_supported": []string{"ES256"},
		},
		header: http.Header{}, asked: map[string]int{}, says: map[string]http.HandlerFunc{},
	}
}

func (p *fakeProvider) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	p.asked[r.URL.Path]++
	say, body := p.says[r.URL.Path], any(p.doc)
	if r.URL.Path != "/.well-known/openid-configuration" {
		body = object{"keys": p.jwks}
	}
	text, _ := json.Marshal(body)
	header := p.header.Clone()
	p.mu.Unlock()
	w := httptest.NewRecorder()
	if say != nil {
		say(w, r)
		if w.Code == 599 { // down
			return nil, errors.New("connection refused")
		}
	} else {
		maps.Copy(w.Header(), header)
		w.Write(text)
	}
	return w.Result(), nil
}

// edit changes the provider under its lock.
func (p *fakeProvider) edit(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

const (
	metadataPath = "/.well-known/openid-configuration"
	keysPath     = "/jwks"
)

// down takes an endpoint down, up brings it back.
func (p *fakeProvider) down(path string) {
	p.edit(func() { p.says[path] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(599) } })
}

func (p *fakeProvider) up(path string) { p.edit(func() { delete(p.says, path) }) }

// slow makes an endpoint take d.
func (p *fakeProvider) slow(path string, d time.Duration) {
	p.edit(func() {
		p.says[path] = func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(d)
			p.mu.Lock()
			defer p.mu.Unlock()
			body := any(p.doc)
			if path != metadataPath {
				body = object{"keys": p.jwks}
			}
			json.NewEncoder(w).Encode(body)
		}
	})
}

func (p *fakeProvider) count(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[path]
}

// logged returns what was logged so far.
func (p *fakeProvider) logged() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// Write writes the log.
func (p *fakeProvider) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

// client returns a client of the provider.
func (p *fakeProvider) client() *Client {
	return NewClient(Registration{
		Issuer:                testIssuer,
		OAuth2:                &oauth2.Config{ClientID: "app", ClientSecret: "s3cret", RedirectURL: "https://app.test/auth/callback", Scopes: []string{"openid"}},
		PostLogoutRedirectURL: "https://app.test/",
	}, NewBounded(p, nil), slog.New(slog.NewTextHandler(p, nil)))
}

// A signer signs tokens, and publishes its key.
type signer struct {
	kid, alg string
	key      crypto.Signer
}

func newSigner(t testing.TB, kid, alg string) *signer {
	t.Helper()
	var key crypto.Signer
	var err error
	switch alg {
	case "ES256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ES512":
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "EdDSA":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &signer{kid, alg, key}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// jwk is the public key, without alg and use.
func (s *signer) jwk() object {
	o := object{"kid": s.kid}
	switch public := s.key.Public().(type) {
	case *ecdsa.PublicKey:
		point, _ := public.Bytes()
		half := len(point) / 2
		o["kty"], o["crv"], o["x"], o["y"] = "EC", public.Params().Name, b64(point[1:1+half]), b64(point[1+half:])
	case *rsa.PublicKey:
		o["kty"], o["n"], o["e"] = "RSA", b64(public.N.Bytes()), "AQAB"
	case ed25519.PublicKey:
		o["kty"], o["crv"], o["x"] = "OKP", "Ed25519", b64(public)
	}
	return o
}

// sign makes a compact JWS of claims.
func (s *signer) sign(header, claims any) string { return s.compact(header, mustJSON(claims)) }

// compact makes a compact JWS.
func (s *signer) compact(header any, payload []byte) string {
	input := b64(mustJSON(header)) + "." + b64(payload)
	opts := crypto.SignerOpts(crypto.Hash(0))
	digest := []byte(input)
	if s.alg != "EdDSA" {
		hash := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[s.alg[2:]]
		sum := hash.New()
		sum.Write(digest)
		digest, opts = sum.Sum(nil), hash
		if s.alg[0] == 'P' {
			opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
		}
	}
	var signature []byte
	if key, ok := s.key.(*ecdsa.PrivateKey); ok {
		r, v, _ := ecdsa.Sign(rand.Reader, key, digest)
		size := (key.Params().BitSize + 7) / 8
		signature = append(r.FillBytes(make([]byte, size)), v.FillBytes(make([]byte, size))...)
	} else {
		signature, _ = s.key.Sign(rand.Reader, digest, opts)
	}
	return input + "." + b64(signature)
}

// idToken is a good one, after edit.
func (s *signer) idToken(edit func(header, claims object)) string {
	header := object{"alg": s.alg, "kid": s.kid, "typ": "JWT"}
	now := time.Now().Unix()
	claims := object{"iss": testIssuer, "sub": "alice", "aud": "app", "exp": now + 3600, "iat": now, "nonce": "n"}
	if edit != nil {
		edit(header, claims)
	}
	return s.sign(header, claims)
}

// verify verifies an ID token for the access token "at".
func verify(c *Client, raw string) error {
	_, _, err := c.VerifyIDToken(context.Background(), raw, "at")
	return err
}

// roundTripper is a transport in a function.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// respond makes a response.
func respond(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// debugLog is a log that the provider keeps, of every level.
func debugLog(p *fakeProvider) *slog.Logger {
	return slog.New(slog.NewTextHandler(p, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
