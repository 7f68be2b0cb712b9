package oauthlogin_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// A recordingAPI answers requests to any host, and remembers who was sent
// which Authorization header.
type recordingAPI struct {
	apptest.Network
	silent bool // the answers do not name the requests that they are to

	mu   sync.Mutex
	sent []string // "host path token"
}

func (t *recordingAPI) RoundTrip(r *http.Request) (*http.Response, error) {
	if _, ok := t.Network[r.URL.Host]; ok {
		return t.Network.RoundTrip(r)
	}
	t.mu.Lock()
	t.sent = append(t.sent, strings.TrimSpace(r.URL.Scheme+"://"+r.URL.Host+r.URL.Path+" "+r.Header.Get("Authorization")))
	t.mu.Unlock()
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: r, ProtoMajor: 1, ProtoMinor: 1}
	switch to := r.URL.Query().Get("to"); {
	case r.URL.Path == "/wait":
		<-r.Context().Done()
		return nil, r.Context().Err()
	case to != "":
		resp.StatusCode = http.StatusTemporaryRedirect
		resp.Header.Set("Location", to)
	}
	if t.silent {
		resp.Request = nil
	}
	return resp, nil
}

// newAPIApp is an application whose /use handler is use, with the token's text.
func newAPIApp(t *testing.T, with apptest.Config, use func(a *apptest.App, r *http.Request, api *recordingAPI)) (*apptest.App, *recordingAPI) {
	t.Helper()
	api := &recordingAPI{}
	with.Change = func(opts *oauthlogin.Options) {
		opts.HTTPClient.Transport = api
	}
	a := apptest.New(t, with)
	api.Network = a.Net
	a.Routes = func(mux *http.ServeMux) {
		mux.Handle("/use", a.Auth.RequireAuth(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { use(a, r, api) })))
	}
	return a, api
}

// A token goes to the host that is asked, and no redirect takes it elsewhere:
// net/http CVE-2023-45289, CVE-2024-45336, CVE-2025-4673.
func TestClientSendsTokenToTheHostAsked(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, url string
		with      []string // what was sent with the token
		without   []string
	}{
		{"a host", "https://api.test/me", []string{"https://api.test/me"}, nil},
		{"a redirect on the same host", "https://api.test/a?to=/b", []string{"https://api.test/a", "https://api.test/b"}, nil},
		{"a redirect to the same host in capitals", "https://api.test/a?to=https://API.test:443/b", []string{"https://api.test/a", "https://API.test:443/b"}, nil},
		{"a redirect to another host", "https://api.test/a?to=https://evil.test/b", []string{"https://api.test/a"}, []string{"https://evil.test/b"}},
		{"a redirect to a subdomain", "https://api.test/a?to=https://x.api.test/b", []string{"https://api.test/a"}, []string{"https://x.api.test/b"}},
		{"a redirect to the parent domain", "https://v1.api.test/a?to=https://api.test/b", []string{"https://v1.api.test/a"}, []string{"https://api.test/b"}},
		{"a redirect to another port", "https://api.test/a?to=https://api.test:8443/b", []string{"https://api.test/a"}, []string{"https://api.test:8443/b"}},
		{"a redirect to plain http", "https://api.test/a?to=http://api.test/b", []string{"https://api.test/a"}, []string{"http://api.test/b"}},
		{
			"a redirect away and back", "https://api.test/a?to=https://evil.test/b%3Fto=https://api.test/c",
			[]string{"https://api.test/a"},
			[]string{"https://evil.test/b", "https://api.test/c"},
		},
		{
			"a redirect away, at the second step", "https://api.test/a?to=/b%3Fto=https://evil.test/c",
			[]string{"https://api.test/a", "https://api.test/b"},
			[]string{"https://evil.test/c"},
		},
	} {
		for _, silent := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, through a transport that names requests: %t", tt.name, !silent), func(t *testing.T) {
				var token string
				a, api := newAPIApp(t, apptest.Config{}, func(a *apptest.App, r *http.Request, api *recordingAPI) {
					s, _ := oauthlogin.FromContext(r.Context())
					token = s.Token().AccessToken
					api.silent = silent
					req, _ := http.NewRequestWithContext(r.Context(), http.MethodGet, tt.url, nil)
					resp, err := a.Auth.Client(r.Context()).Do(req)
					if err != nil || resp.StatusCode != http.StatusOK {
						t.Errorf("%v %v", resp, err)
						return
					}
					resp.Body.Close()
					if len(req.Header) > 0 {
						t.Errorf("the request was changed: %v", req.Header)
					}
				})
				a.Browser(t).Login("/use")
				hops := append(slices.Clone(tt.with), tt.without...)
				if len(api.sent) != len(hops) {
					t.Fatalf("sent %q", api.sent)
				}
				for i, sent := range api.sent {
					hop, authorization, _ := strings.Cut(sent, " ")
					switch {
					case hop != hops[i]:
						t.Errorf("sent %s, want %s", hop, hops[i])
					case i >= len(tt.with) && authorization != "":
						t.Errorf("%s got the token", hop)
					case i < len(tt.with) && authorization != "Bearer "+token && (i == 0 || !silent): // who cannot know may withhold it
						t.Errorf("%s got %q", hop, authorization)
					}
				}
			})
		}
	}
}

func TestClientWithoutSession(t *testing.T) {
	t.Parallel()
	get := func(ctx context.Context, client *http.Client) error {
		body := &closing{Reader: strings.NewReader("body")}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://api.test/", body)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err == nil {
			resp.Body.Close()
		}
		if !body.closed {
			t.Error("the body was not closed")
		}
		return err
	}
	a, api := newAPIApp(t, apptest.Config{}, func(a *apptest.App, r *http.Request, _ *recordingAPI) {
		other := a.Replica(t, func(opts *oauthlogin.Options) { opts.CookieName = "other" })
		for name, auth := range map[string]*oauthlogin.Middleware{"another Middleware": other, "a zero Middleware": {}, "a nil Middleware": nil} {
			if err := get(r.Context(), auth.Client(r.Context())); !errors.Is(err, oauthlogin.ErrNoSession) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	a.Browser(t).Login("/use")
	if err := get(t.Context(), a.Auth.Client(t.Context())); !errors.Is(err, oauthlogin.ErrNoSession) {
		t.Error(err)
	}
	if len(api.sent) > 0 {
		t.Errorf("sent %q", api.sent)
	}
}

type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error {
	c.closed = true
	return nil
}

// A handler that outlives the token has none left, and sends nothing.
func TestClientAfterExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, api := newAPIApp(t, apptest.Config{Provider: oauthlogintest.Config{NoRefreshTokens: true}}, func(a *apptest.App, r *http.Request, api *recordingAPI) {
			s, _ := oauthlogin.FromContext(r.Context())
			client := a.Auth.Client(r.Context())
			for _, tt := range []struct {
				after time.Duration
				err   error
			}{{0, nil}, {59 * time.Minute, nil}, {time.Minute, oauthlogin.ErrNoToken}, {time.Hour, oauthlogin.ErrNoToken}} {
				time.Sleep(tt.after)
				req, _ := http.NewRequestWithContext(r.Context(), http.MethodGet, "https://api.test/", nil)
				resp, err := client.Do(req)
				if err == nil {
					resp.Body.Close()
				}
				if !errors.Is(err, tt.err) || (s.Token() == nil) != (tt.err != nil) {
					t.Errorf("%v later: %v, token %v", tt.after, err, s.Token() != nil)
				}
			}
		})
		a.Browser(t).Login("/use")
		if len(api.sent) != 2 {
			t.Errorf("sent %q", api.sent)
		}
	})
}

// What ends a call is its own context, or the one that the client was made for.
func TestClientCancelled(t *testing.T) {
	t.Parallel()
	cause := errors.New("enough")
	a, api := newAPIApp(t, apptest.Config{}, func(a *apptest.App, r *http.Request, _ *recordingAPI) {
		for _, ofRequest := range []bool{true, false} {
			clientCtx, reqCtx := r.Context(), r.Context()
			ctx, cancel := context.WithCancelCause(r.Context())
			if ofRequest {
				reqCtx = ctx
			} else {
				clientCtx = ctx
			}
			go cancel(cause)
			req, _ := http.NewRequestWithContext(reqCtx, http.MethodGet, "https://api.test/wait", nil)
			resp, err := a.Auth.Client(clientCtx).Do(req)
			if !errors.Is(err, context.Canceled) && !errors.Is(err, cause) { // net/http says either
				t.Errorf("context of the request: %t: %v %v", ofRequest, resp, err)
			}
		}
	})
	a.Browser(t).Login("/use")
	for _, sent := range api.sent {
		if !strings.Contains(sent, "/wait Bearer ") {
			t.Error(sent)
		}
	}
}

// CVE-2025-67490 of nextjs-auth0, CVE-2026-33544 of tinyauth: tokens of one user
// in the requests of another.
func TestClientOfManyUsersAtOnce(t *testing.T) {
	t.Parallel()
	a, api := newAPIApp(t, apptest.Config{}, func(a *apptest.App, r *http.Request, _ *recordingAPI) {
		s, _ := oauthlogin.FromContext(r.Context())
		client := a.Auth.Client(r.Context())
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				req, _ := http.NewRequestWithContext(r.Context(), http.MethodGet, fmt.Sprintf("https://api.test/%s/%d", s.User.Subject, i), nil)
				resp, err := client.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				resp.Body.Close()
			})
		}
		wg.Wait()
	})
	tokens := map[string]string{} // of each user
	var browsers []*apptest.Browser
	for i := range 5 {
		name := fmt.Sprintf("user%d", i)
		a.Provider.AutoApprove(name)
		a.Provider.EditTokenResponse(func(resp map[string]any) { tokens[name] = resp["access_token"].(string) })
		b := a.Browser(t)
		b.Login("/")
		browsers = append(browsers, b)
	}
	var wg sync.WaitGroup
	for _, b := range browsers {
		for range 3 {
			wg.Go(func() { b.Get("/use") })
		}
	}
	wg.Wait()
	if len(api.sent) != 5*3*4 {
		t.Errorf("%d requests", len(api.sent))
	}
	for _, sent := range api.sent {
		user, _, _ := strings.Cut(strings.TrimPrefix(sent, "https://api.test/"), "/")
		if !strings.HasSuffix(sent, " Bearer "+tokens[user]) {
			t.Errorf("sent %s, token of %s is %s", sent, user, tokens[user])
		}
	}
}
