package oauthlogin_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// A wire is what lies between the middleware and providers. It keeps what the
// token endpoint answered, and can be cut.
type wire struct {
	base http.RoundTripper

	mu      sync.Mutex
	cut     func(*http.Request) (*http.Response, error)
	answers []string // of token endpoints
}

// cutBy has f answer in place of the network; where it returns nil and no
// error, the request goes on. A nil f mends the wire.
func (w *wire) cutBy(f func(*http.Request) (*http.Response, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = f
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	cut := w.cut
	w.mu.Unlock()
	if cut != nil {
		if resp, err := cut(r); resp != nil || err != nil {
			return resp, err
		}
	}
	resp, err := w.base.RoundTrip(r)
	if r.Context().Err() != nil {
		return nil, r.Context().Err()
	}
	if err == nil && r.Method == http.MethodPost {
		body, _ := io.ReadAll(resp.Body)
		resp.Body = io.NopCloser(bytes.NewReader(body))
		w.mu.Lock()
		defer w.mu.Unlock()
		w.answers = append(w.answers, string(body))
	}
	return resp, err
}

// A wiredApp is an application without sockets, with a wire.
type wiredApp struct {
	*app
	wire *wire
}

// newWiredApp is newOfflineApp with a wire, and with a guarded path /token
// that says how long the access token lives.
func newWiredApp(t *testing.T, with offline) *wiredApp {
	t.Helper()
	a := &wiredApp{wire: &wire{}}
	change := with.change
	with.change = func(opts *oauthlogin.Options) {
		a.wire.base = opts.HTTPClient.Transport
		opts.HTTPClient = &http.Client{Transport: a.wire}
		if change != nil {
			change(opts)
		}
	}
	a.app = newOfflineApp(t, with)
	a.more = func(mux *http.ServeMux) {
		mux.Handle("/token", a.auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, _ := oauthlogin.FromContext(r.Context())
			switch token := s.Token(); {
			case token == nil:
				fmt.Fprint(w, "expired")
			case token.Expiry.IsZero():
				fmt.Fprint(w, "unknown")
			default:
				fmt.Fprint(w, time.Until(token.Expiry).Truncate(time.Second))
			}
		})))
	}
	return a
}

// secrets returns all codes, verifiers, states, nonces, tokens and other
// answers of the token endpoint that were on their way so far, and the
// client's secret.
func (a *wiredApp) secrets() (secrets []string) {
	secrets = []string{"s3cret-of-the-app", base64.StdEncoding.EncodeToString([]byte("app:s3cret-of-the-app"))}
	for _, r := range a.provider.Requests(oauthlogintest.Authorization) {
		secrets = append(secrets, r.Query.Get("state"), r.Query.Get("nonce"))
	}
	for _, r := range a.provider.Requests(oauthlogintest.Token) {
		secrets = append(secrets, r.Form.Get("code"), r.Form.Get("code_verifier"))
	}
	a.wire.mu.Lock()
	defer a.wire.mu.Unlock()
	for _, answer := range a.wire.answers {
		var tokens map[string]any
		if json.Unmarshal([]byte(answer), &tokens) != nil {
			secrets = append(secrets, answer)
		}
		for _, name := range []string{"access_token", "refresh_token", "id_token"} {
			if token, ok := tokens[name].(string); ok {
				secrets = append(secrets, token)
			}
		}
	}
	return slices.DeleteFunc(secrets, func(s string) bool { return len(s) < 8 })
}

// leaks fails the test if a page or the log has a secret in it, or what a
// provider wrote freely.
func (a *wiredApp) leaks(t *testing.T, page string) {
	t.Helper()
	for where, text := range map[string]string{"page": page, "log": a.log.String()} {
		for _, secret := range a.secrets() {
			if strings.Contains(text, secret) || strings.Contains(text, url.QueryEscape(secret)) {
				t.Errorf("%s has %.40q in it", where, secret)
			}
		}
		if strings.Contains(text, "hostile") {
			t.Errorf("%s has the provider's words in it: %.500s", where, text)
		}
	}
}

// refused fails the test unless resp is an error page with the status, the
// log has the code, and there is neither a session nor a login pending.
func (a *wiredApp) refused(t *testing.T, b *browser, resp *response, status int, code string) {
	t.Helper()
	if resp.StatusCode != status || resp.location() != "" {
		t.Errorf("answer is %d to %q, want %d: %s", resp.StatusCode, resp.location(), status, resp.body)
	}
	if !strings.Contains(a.log.String(), code) {
		t.Errorf("log does not say %s: %s", code, a.log)
	}
	if cookies := b.cookies(); len(cookies) > 0 {
		t.Errorf("browser has %v", slices.Collect(maps.Keys(cookies)))
	}
	if a.called("/dashboard") > 0 || b.signedIn() {
		t.Error("the handler was reached")
	}
	a.leaks(t, resp.body)
}

// recovers fails the test unless a clean login works now.
func (a *wiredApp) recovers(t *testing.T, b *browser) {
	t.Helper()
	before := a.provider.Count(oauthlogintest.Token)
	b.login("/dashboard")
	if n := a.provider.Count(oauthlogintest.Token) - before; n != 1 {
		t.Errorf("clean login made %d token requests", n)
	}
	a.leaks(t, "")
}

// failingLogin is a login that ends at the application, one way or another.
func failingLogin(b *browser) *response { return b.follow("/login?return_to=/dashboard") }

// answerWith replaces an endpoint by one answer. header is name, value.
func answerWith(status int, body string, header ...string) func(http.ResponseWriter, *http.Request, http.HandlerFunc) {
	return func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// goodTokens is an answer that a plain OAuth 2.0 client would take.
const goodTokens = `{"access_token":"from-elsewhere","token_type":"Bearer","expires_in":3600}`
