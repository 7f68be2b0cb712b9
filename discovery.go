package oauthlogin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/sync/singleflight"
)

const (
	discoveryCooldown = 5 * time.Second  // after a failed discovery
	keysCooldown      = 30 * time.Second // between fetches of keys for unknown key ids
)

// metadata are the endpoints of a provider and what it says of itself, by the
// names of OpenID Connect Discovery section 3, RFC 8414 and RFC 9207.
type metadata struct {
	AuthURL       string   `json:"authorization_endpoint"`
	TokenURL      string   `json:"token_endpoint"`
	UserInfoURL   string   `json:"userinfo_endpoint"`
	JWKSURL       string   `json:"jwks_uri"`
	RevocationURL string   `json:"revocation_endpoint"`
	EndSessionURL string   `json:"end_session_endpoint"`
	SigningAlgs   []string `json:"id_token_signing_alg_values_supported"`
	AuthMethods   []string `json:"token_endpoint_auth_methods_supported"`
	IssInResponse bool     `json:"authorization_response_iss_parameter_supported"`

	keys oidc.KeySet
}

// An endpointSource is where a provider's endpoints come from.
type endpointSource interface {
	metadata(context.Context) (*metadata, error)
}

type staticEndpoints metadata

func (s *staticEndpoints) metadata(context.Context) (*metadata, error) { return (*metadata)(s), nil }

// discovery finds a provider's metadata on first use, and keeps it. One
// request is under way at a time; after a failure none is sent for a while.
type discovery struct {
	issuer    string
	transport *boundedTransport

	group   singleflight.Group
	mu      sync.Mutex
	found   *metadata
	err     error
	retryAt time.Time
}

func (d *discovery) metadata(ctx context.Context) (*metadata, error) {
	d.mu.Lock()
	found, err, wait := d.found, d.err, time.Now().Before(d.retryAt)
	d.mu.Unlock()
	if found != nil {
		return found, nil
	}
	if wait {
		return nil, err
	}
	// Detached from the request: who hangs up must not fail those who wait.
	result := d.group.DoChan("", func() (_ any, err error) {
		defer recovered(&err)
		d.mu.Lock()
		found := d.found
		d.mu.Unlock()
		if found != nil { // by a flight that has just ended
			return found, nil
		}
		found, err = d.discover(context.WithoutCancel(ctx))
		d.mu.Lock()
		defer d.mu.Unlock()
		d.found, d.err = found, err
		if err != nil {
			d.retryAt = time.Now().Add(discoveryCooldown)
		}
		return found, err
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-result:
		found, _ := r.Val.(*metadata)
		return found, r.Err
	}
}

func (d *discovery) discover(ctx context.Context) (*metadata, error) {
	base := okTransport{d.transport}
	// OpenID Connect Discovery section 4.3: NewProvider refuses another issuer.
	doc, err := oidc.NewProvider(oidc.ClientContext(ctx, &http.Client{Transport: base}), d.issuer)
	var mismatch *oidc.IssuerMismatchError
	if errors.As(err, &mismatch) {
		return nil, fmt.Errorf("discover %s: %w", d.issuer, issuerMismatch(mismatch))
	}
	if err != nil {
		return nil, fmt.Errorf("discover %s: %w", d.issuer, fetchFailed(err))
	}
	var md metadata
	if doc.Claims(&md) != nil {
		return nil, fmt.Errorf("discover %s: %w", d.issuer, errMalformed)
	}
	if err := md.check(); err != nil {
		return nil, fmt.Errorf("discover %s: %w", d.issuer, err)
	}
	// Not ctx, which holds on to the request that happened to be the first.
	md.keys = oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), &http.Client{Transport: &keyFetches{base: base}}), md.JWKSURL)
	return &md, nil
}

var errMalformed = errors.New("answer is malformed")

// fetchFailed keeps what go-oidc says of the way to the provider, and not
// what it quotes of the answer.
func fetchFailed(err error) error {
	var call *url.Error
	if errors.As(err, &call) {
		return callFailed(err)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return errMalformed
}

func issuerMismatch(e *oidc.IssuerMismatchError) error {
	if strings.TrimSuffix(e.Provided, "/") == strings.TrimSuffix(e.Discovered, "/") {
		return errors.New("the issuer differs by the slash at its end")
	}
	return errors.New("the metadata is of another issuer")
}

// check refuses endpoints over plain http, and signing algorithms that are
// none at all or that a public key would be the secret of.
func (md *metadata) check() error {
	for _, e := range []struct {
		name, url string
		required  bool
	}{
		{"authorization_endpoint", md.AuthURL, true},
		{"token_endpoint", md.TokenURL, true},
		{"jwks_uri", md.JWKSURL, true},
		{"userinfo_endpoint", md.UserInfoURL, false},
		{"revocation_endpoint", md.RevocationURL, false},
		{"end_session_endpoint", md.EndSessionURL, false},
	} {
		if e.url == "" && !e.required {
			continue
		}
		if _, wrong := checkURL(e.url); wrong != "" {
			return fmt.Errorf("%s %s", e.name, wrong)
		}
	}
	if len(md.SigningAlgs) == 0 {
		md.SigningAlgs = []string{oidc.RS256} // OpenID Connect Core section 3.1.3.7, 7
	}
	md.SigningAlgs = slices.DeleteFunc(md.SigningAlgs, func(alg string) bool {
		return !slices.Contains(asymmetricAlgs, alg)
	})
	if len(md.SigningAlgs) == 0 {
		return errors.New("id_token_signing_alg_values_supported has no asymmetric algorithm")
	}
	return nil
}

// RFC 8725 section 3.1: an allowlist, whatever a token's header says.
var asymmetricAlgs = []string{
	oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512,
	oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA,
}

// okTransport makes an error of every status but 200, before a library makes
// one with the body in it.
type okTransport struct{ base http.RoundTripper }

func (t okTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.base.RoundTrip(r)
	if err == nil && resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, statusError(resp.StatusCode)
	}
	return resp, err
}

var errKeysJustFetched = errors.New("keys were fetched a moment ago")

// keyFetches keeps tokens with unknown key ids from making us ask for keys
// all the time: once at once (OpenID Connect Core section 10.1.1), then not
// again for keysCooldown. The first fetch of all does not count.
type keyFetches struct {
	base http.RoundTripper

	mu        sync.Mutex
	fetched   bool
	refetched time.Time
}

func (t *keyFetches) RoundTrip(r *http.Request) (*http.Response, error) {
	t.mu.Lock()
	again := t.fetched
	if again && time.Since(t.refetched) < keysCooldown {
		t.mu.Unlock()
		return nil, errKeysJustFetched
	}
	if again {
		t.refetched = time.Now()
	}
	t.mu.Unlock()

	resp, err := t.fetch(r)

	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err == nil:
		t.fetched = true
	case again:
		t.refetched = time.Time{} // a failed fetch has brought nothing
	}
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// fetch runs in a goroutine of go-oidc's own.
func (t *keyFetches) fetch(r *http.Request) (resp *http.Response, err error) {
	defer recovered(&err)
	if resp, err = t.base.RoundTrip(r); err == nil {
		err = readKeys(resp)
	}
	return resp, err
}

// readKeys makes sure that an answer is a set of keys, and keeps it for go-oidc:
// what is none must not count as a fetch.
func readKeys(resp *http.Response) error {
	body, err := readBody(resp)
	if err != nil {
		return err
	}
	var set struct{ Keys []json.RawMessage }
	if json.Unmarshal(body, &set) != nil || set.Keys == nil {
		return errMalformed
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}
