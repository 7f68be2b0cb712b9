package dpop_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin/internal/dpop"
)

// An api records what it gets, and says what it is told to, in turn.
type api struct {
	says   []func() *http.Response
	sent   []http.Header
	bodies []string
	closed int // bodies of responses
}

func (a *api) send(r *http.Request) (*http.Response, error) {
	a.sent = append(a.sent, r.Header.Clone())
	body := ""
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = string(b)
	}
	a.bodies = append(a.bodies, body)
	if len(a.says) == 0 {
		return nil, errors.New("no route to host")
	}
	resp := a.says[0]()
	if len(a.says) > 1 {
		a.says = a.says[1:]
	}
	resp.Body = &closing{strings.NewReader("body"), a}
	return resp, nil
}

type closing struct {
	io.Reader
	api *api
}

func (c *closing) Close() error {
	c.api.closed++
	return nil
}

func says(status int, header ...string) func() *http.Response {
	return func() *http.Response {
		resp := &http.Response{StatusCode: status, Header: http.Header{}}
		for i := 0; i < len(header); i += 2 {
			resp.Header.Add(header[i], header[i+1])
		}
		return resp
	}
}

var (
	ok          = says(200)
	wantsNonce  = says(401, "WWW-Authenticate", `DPoP error="use_dpop_nonce"`, "DPoP-Nonce", "fresh")
	rejects     = says(401, "WWW-Authenticate", `DPoP error="invalid_token"`, "DPoP-Nonce", "fresh")
	withoutOne  = says(401, "WWW-Authenticate", `DPoP error="use_dpop_nonce"`)
	withTwo     = says(401, "WWW-Authenticate", `DPoP error="use_dpop_nonce"`, "DPoP-Nonce", "a", "DPoP-Nonce", "b")
	asBearer    = says(401, "WWW-Authenticate", `Bearer error="use_dpop_nonce"`, "DPoP-Nonce", "fresh")
	okWithNonce = says(200, "DPoP-Nonce", "next")
)

// RFC 9449 sections 7.1, 8.2 and 9: one more request for a nonce and for nothing else.
// The first row is the OpenID Foundation's
// fapi2-security-profile-final-client-test-happy-path-no-dpop-nonce.
func TestSend(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	for _, tt := range []struct {
		name   string
		says   []func() *http.Response
		sent   int
		status int
	}{
		{"accepted", []func() *http.Response{ok}, 1, 200},
		{"a nonce is wanted", []func() *http.Response{wantsNonce, ok}, 2, 200},
		{"and wanted again", []func() *http.Response{wantsNonce}, 2, 401},
		{"and then the token is rejected", []func() *http.Response{wantsNonce, rejects}, 2, 401},
		{"the token is rejected", []func() *http.Response{rejects, ok}, 1, 401},
		{"no nonce is given", []func() *http.Response{withoutOne, ok}, 1, 401},
		{"two nonces are given", []func() *http.Response{withTwo, ok}, 1, 401},
		{"a challenge of another scheme", []func() *http.Response{asBearer, ok}, 1, 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, nonces := &api{says: tt.says}, &dpop.Nonces{}
			r, err := http.NewRequestWithContext(t.Context(), "POST", "https://api.test/a", bytes.NewReader([]byte("payload")))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := dpop.Send(r, "at", key, nonces, a.send)
			if err != nil || resp.StatusCode != tt.status || len(a.sent) != tt.sent || a.closed != tt.sent-1 {
				t.Fatalf("%v after %d requests, %d responses closed: %v", resp, len(a.sent), a.closed, err)
			}
			seen := map[any]bool{}
			for i, h := range a.sent {
				claims, _ := verified(t, h.Get("DPoP"))
				if h.Get("Authorization") != "DPoP at" || len(h.Values("DPoP")) != 1 || a.bodies[i] != "payload" || seen[claims["jti"]] {
					t.Errorf("request %d: %v %q", i, h, a.bodies[i])
				}
				seen[claims["jti"]] = true
				if want := []any{nil, "fresh"}[i]; claims["nonce"] != want {
					t.Errorf("request %d: nonce %v", i, claims["nonce"])
				}
			}
		})
	}
}

// A body that cannot be had again is not sent again. The next request has the nonce.
func TestSendOnce(t *testing.T) {
	t.Parallel()
	a, nonces, key := &api{says: []func() *http.Response{wantsNonce, ok}}, &dpop.Nonces{}, newKey(t)
	r, err := http.NewRequestWithContext(t.Context(), "POST", "https://api.test/a", io.NopCloser(strings.NewReader("once")))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := dpop.Send(r, "at", key, nonces, a.send)
	if err != nil || resp.StatusCode != 401 || len(a.sent) != 1 || a.closed != 0 {
		t.Errorf("%v after %d requests: %v", resp, len(a.sent), err)
	}
	if _, err := dpop.Send(request(t, "GET", "https://api.test/b"), "at", key, nonces, a.send); err != nil {
		t.Fatal(err)
	}
	if claims, _ := verified(t, a.sent[1].Get("DPoP")); claims["nonce"] != "fresh" {
		t.Errorf("claims %v", claims)
	}
}

// The request that is sent again has the nonce that it was refused for, and not one that
// another call has learned meanwhile: a server may have several, as behind one origin.
func TestNonceOfTheRefusal(t *testing.T) {
	t.Parallel()
	nonces := &dpop.Nonces{}
	a := &api{says: []func() *http.Response{wantsNonce, ok}}
	body := bytes.NewReader([]byte("payload"))
	r, err := http.NewRequestWithContext(t.Context(), "POST", "https://api.test/a", body)
	if err != nil {
		t.Fatal(err)
	}
	content := r.GetBody
	r.GetBody = func() (io.ReadCloser, error) { // between the refusal and the second request
		nonces.Learn(request(t, "GET", "https://api.test/other"), http.Header{"Dpop-Nonce": {"of-another-call"}})
		return content()
	}
	if _, err := dpop.Send(r, "at", newKey(t), nonces, a.send); err != nil {
		t.Fatal(err)
	}
	if claims, _ := verified(t, a.sent[1].Get("DPoP")); claims["nonce"] != "fresh" {
		t.Errorf("claims %v", claims)
	}
}

// Section 8.2: a nonce may come with any response.
func TestNonceOfASuccess(t *testing.T) {
	t.Parallel()
	a, nonces, key := &api{says: []func() *http.Response{okWithNonce}}, &dpop.Nonces{}, newKey(t)
	for range 2 {
		if _, err := dpop.Send(request(t, "GET", "https://api.test/a"), "at", key, nonces, a.send); err != nil {
			t.Fatal(err)
		}
	}
	if claims, _ := verified(t, a.sent[1].Get("DPoP")); claims["nonce"] != "next" {
		t.Errorf("claims %v", claims)
	}
}

func TestSendBearer(t *testing.T) {
	t.Parallel()
	a, nonces := &api{says: []func() *http.Response{wantsNonce, ok}}, &dpop.Nonces{}
	r := request(t, "GET", "https://api.test/a")
	resp, err := dpop.Send(r, "at", nil, nonces, a.send)
	if err != nil || resp.StatusCode != 401 || len(a.sent) != 1 || a.sent[0].Get("Authorization") != "Bearer at" || a.sent[0].Get("DPoP") != "" || nonces.Of(r) != "" {
		t.Errorf("%v, %v: %v", resp, err, a.sent)
	}
}

// Without a proof nothing is sent, and what was to be sent is closed.
func TestSendWithoutAProof(t *testing.T) {
	t.Parallel()
	a := &api{says: []func() *http.Response{ok}}
	body := &closing{strings.NewReader("x"), a}
	r, err := http.NewRequestWithContext(t.Context(), "POST", "https://api.test/a", body)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := dpop.Send(r, "at", dpop.KeyOf([]byte{1}), &dpop.Nonces{}, a.send); err == nil || resp != nil || len(a.sent) > 0 || a.closed != 1 {
		t.Errorf("%v, %v; %d sent, %d closed", resp, err, len(a.sent), a.closed)
	}
	a = &api{}
	if _, err := dpop.Send(request(t, "GET", "https://api.test/a"), "at", newKey(t), &dpop.Nonces{}, a.send); err == nil || len(a.sent) != 1 {
		t.Errorf("%v after %d", err, len(a.sent))
	}
}
