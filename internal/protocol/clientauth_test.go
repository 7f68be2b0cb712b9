package protocol

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// forms has the provider record the form of every request with one, and accept it.
func (p *fakeProvider) forms(t *testing.T) *[]url.Values {
	t.Helper()
	forms := &[]url.Values{}
	for _, path := range []string{"/token", "/revoke"} {
		p.says[path] = func(w http.ResponseWriter, r *http.Request) {
			if err := r.ParseForm(); err != nil {
				t.Error(err)
			}
			if r.Header.Get("Authorization") != "" {
				t.Errorf("%s got Basic as well", path)
			}
			*forms = append(*forms, r.PostForm)
			w.Write([]byte(`{"access_token":"a","token_type":"Bearer"}`))
		}
	}
	return forms
}

// callAll makes each kind of request that authenticates the client.
func callAll(t *testing.T, c *Client) error {
	t.Helper()
	_, exchange := c.Exchange(t.Context(), "c", "v", nil)
	_, refresh := c.Refresh(t.Context(), "r", nil)
	return errors.Join(exchange, refresh, c.Revoke(t.Context(), "r", nil))
}

// RFC 7521 section 4.2, RFC 7523 section 2.2: the same for each endpoint, and no secret.
func TestClientAssertion(t *testing.T) {
	t.Parallel()
	p := newFakeProvider()
	p.doc["token_endpoint_auth_methods_supported"] = []string{"client_secret_basic", "private_key_jwt"}
	forms := p.forms(t)
	c := p.client()
	c.OAuth2.ClientSecret = ""
	var audiences []string
	c.ClientAssertion = func(_ context.Context, audience string) (string, error) {
		audiences = append(audiences, audience)
		return "assertion-" + string(rune('0'+len(audiences))), nil
	}
	if err := callAll(t, c); err != nil {
		t.Fatal(err)
	}
	if len(*forms) != 3 {
		t.Fatalf("%d requests", len(*forms))
	}
	for i, form := range *forms {
		if form.Get("client_id") != "app" || form.Get("client_assertion_type") != assertionType || form.Get("client_assertion") != "assertion-"+string(rune('1'+i)) || form.Has("client_secret") {
			t.Errorf("request %d: %v", i, form)
		}
		if audiences[i] != testIssuer {
			t.Errorf("audience %q", audiences[i])
		}
	}
}

// A secret that is made for each request goes into the body, whatever the metadata says.
func TestGeneratedSecret(t *testing.T) {
	t.Parallel()
	p := newFakeProvider()
	forms := p.forms(t)
	c := p.client()
	made := 0
	c.ClientSecret = func(context.Context) (string, error) {
		made++
		return strings.Repeat("s", made), nil
	}
	if err := callAll(t, c); err != nil {
		t.Fatal(err)
	}
	for i, form := range *forms {
		if form.Get("client_id") != "app" || form.Get("client_secret") != strings.Repeat("s", i+1) || form.Has("client_assertion") {
			t.Errorf("request %d: %v", i, form)
		}
	}
}

// RFC 10070: the audience is the issuer. The token endpoint stands in where there is none.
func TestAssertionAudience(t *testing.T) {
	t.Parallel()
	md := &metadata{TokenURL: "https://provider.test/token"}
	for issuer, want := range map[string]string{
		"": md.TokenURL, "https://provider.test": "https://provider.test", "https://provider.test/": "https://provider.test/",
		"https://login.microsoftonline.com/{tenantid}/v2.0": md.TokenURL,
	} {
		c := &Client{Registration: Registration{Issuer: issuer}}
		if got := c.audience(md); got != want {
			t.Errorf("issuer %q: audience %q", issuer, got)
		}
	}
}

// A fault of the application's function is neither the provider's nor the grant's, and the
// request is not sent without a credential.
func TestCredentialFaults(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(context.Context, string) (string, error){
		"an error":            func(context.Context, string) (string, error) { return "", errors.New("no key") },
		"a missing file":      func(context.Context, string) (string, error) { return "", fs.ErrNotExist },
		"nothing":             func(context.Context, string) (string, error) { return "", nil },
		"too much":            func(context.Context, string) (string, error) { return strings.Repeat("a", maxCredential+1), nil },
		"a panic":             func(context.Context, string) (string, error) { panic("hostile") },
		"an ended goroutine":  func(context.Context, string) (string, error) { runtime.Goexit(); return "", nil },
		"another refusal":     func(context.Context, string) (string, error) { return "", &TokenError{400, "invalid_grant", true} },
		"an outage elsewhere": func(context.Context, string) (string, error) { return "", StatusError(503) },
		"a call that failed": func(context.Context, string) (string, error) {
			return "", &url.Error{Op: "Get", URL: "https://kms.test/?key=s3cret", Err: errors.New("refused")}
		},
		"one that waits for ever":      func(ctx context.Context, _ string) (string, error) { <-ctx.Done(); return "", ctx.Err() },
		"one that ignores its context": func(context.Context, string) (string, error) { time.Sleep(time.Hour); return "late", nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newFakeProvider()
				forms := p.forms(t)
				c := p.client()
				c.OAuth2.ClientSecret, c.ClientAssertion = "", f
				start := time.Now()
				_, err := c.Exchange(t.Context(), "c", "v", nil)
				var credential *CredentialError
				if !errors.As(err, &credential) || Unavailable(err) || Misconfigured(err) || RefusesCode(err) || len(*forms) != 0 {
					t.Errorf("%v; %d requests", err, len(*forms))
				}
				if strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "hostile") {
					t.Errorf("the error shows %v", err)
				}
				if _, err = c.Refresh(t.Context(), "r", nil); RefusalOf(err) != NotRefused {
					t.Errorf("a refresh: %v", err)
				}
				if name == "a missing file" && !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("the cause is lost: %v", err)
				}
				if took := time.Since(start); took > requestTimeout+refreshTimeout {
					t.Errorf("took %v", took)
				}
				time.Sleep(2 * time.Hour) // for the one that ignores its context
			})
		})
	}
}

// A browser that has gone is no fault of the application's.
func TestCredentialAfterCancellation(t *testing.T) {
	t.Parallel()
	p := newFakeProvider()
	c := p.client()
	c.OAuth2.ClientSecret = ""
	if err := c.ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	c.ClientAssertion = func(ctx context.Context, _ string) (string, error) {
		cancel()
		return "", ctx.Err()
	}
	_, err := c.Exchange(ctx, "c", "v", nil)
	var credential *CredentialError
	if !errors.Is(err, context.Canceled) || errors.As(err, &credential) || !Unavailable(err) {
		t.Errorf("%v", err)
	}
}

// An assertion is a credential while it lives: no log line has it, also when the provider
// repeats it.
func TestAssertionsAreNotLogged(t *testing.T) {
	t.Parallel()
	p := newFakeProvider()
	c := p.client()
	c.log = debugLog(p)
	c.OAuth2.ClientSecret = ""
	c.ClientAssertion = func(context.Context, string) (string, error) { return "short-one", nil }
	for _, path := range []string{"/token", "/revoke"} {
		p.says[path] = func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusUnauthorized)
			w.Write([]byte(`{"error":"invalid_client","error_description":"do not like short-one"}`))
		}
	}
	err := callAll(t, c)
	if err == nil || strings.Contains(err.Error(), "short-one") || strings.Contains(p.logged(), "short-one") {
		t.Errorf("%v; logged %s", err, p.logged())
	}
	if _, err := c.Refresh(t.Context(), "r", nil); !Misconfigured(err) || RefusalOf(err) != NotRefused {
		t.Errorf("invalid_client: %v", err)
	}
}

// fixedAssertion stands for an assertion.
func fixedAssertion(context.Context, string) (string, error) { return "assertion", nil }

// The fence of a refresh is asked after the assertion, which may take its time, and right
// before the token is sent.
func TestFence(t *testing.T) {
	t.Parallel()
	p := newFakeProvider()
	c := p.client()
	c.OAuth2.ClientSecret = ""
	asserted := false
	c.ClientAssertion = func(context.Context, string) (string, error) {
		asserted = true
		return "an.assertion.signed", nil
	}
	held := errors.New("held up")
	ctx := WithFence(t.Context(), func() error {
		if !asserted {
			t.Error("asked before the assertion")
		}
		return held
	})
	if _, err := c.Refresh(ctx, "token", nil); !errors.Is(err, held) || p.count("/token") > 0 {
		t.Errorf("%v, %d requests", err, p.count("/token"))
	}
}
