package oauthlogin_test

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
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

// An api is a resource server that accepts all tokens but those it refuses.
type api struct {
	mu      sync.Mutex
	refused map[string]bool // tokens; "*" is all of them
	calls   []apiCall
}

type apiCall struct{ method, path, token, body string }

func (s *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, apiCall{r.Method, r.URL.Path, token, string(body)})
	if token == "" || s.refused[token] || s.refused["*"] {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, "no")
		return
	}
	io.WriteString(w, "yes")
}

func (s *api) refuse(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = map[string]bool{token: true}
}

// called returns the calls since the last time.
func (s *api) called() []apiCall {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	return calls
}

// newAppWithAPI returns an application and its API at https://api.test, which h
// serves over connections in memory.
func newAppWithAPI(t *testing.T, with apptest.Config, h http.Handler) (*apptest.App, *apptest.Pipes) {
	t.Helper()
	pipes, change := apptest.ServePipes(t, h), with.Change
	with.Change = func(opts *oauthlogin.Options) {
		others := opts.HTTPClient.Transport
		opts.HTTPClient = &http.Client{Transport: apptest.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			if r.URL.Host == "api.test" {
				return pipes.RoundTrip(r)
			}
			return others.RoundTrip(r)
		})}
		if change != nil {
			change(opts)
		}
	}
	return apptest.New(t, with), pipes
}

// A callApp is an application whose guarded path /call runs what the test has
// set, with the client of its request.
type callApp struct {
	*apptest.App
	*apptest.Browser
	api   *api
	first string // access token of the login
	call  func(*http.Client)
}

// newCallApp returns an application with an api that alice has signed in to.
func newCallApp(t *testing.T, with apptest.Config) *callApp {
	t.Helper()
	a := &callApp{api: &api{}}
	a.App, _ = newAppWithAPI(t, with, a.api)
	a.Guard("/call", func(_ http.ResponseWriter, r *http.Request) { a.call(a.Auth.Client(r.Context())) })
	a.Browser = a.App.Browser(t)
	a.Login("/dashboard")
	a.first = a.Get("/access").Text
	return a
}

// in runs f in a handler, with the client of its request.
func (a *callApp) in(t *testing.T, f func(*http.Client)) {
	t.Helper()
	a.call = f
	if resp := a.Get("/call"); resp.StatusCode != http.StatusOK {
		t.Fatalf("the handler's request: %d", resp.StatusCode)
	}
}

// calls fails the test unless a GET by the client gets this response.
func (a *callApp) calls(t *testing.T, client *http.Client, want string) {
	t.Helper()
	if got := answered(client.Get("https://api.test/")); got != want {
		t.Errorf("response is %q, want %q", got, want)
	}
}

// answered returns status and body of a response, or the error.
func answered(resp *http.Response, err error) string {
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, body)
}

// A countedBody counts how many bodies are open.
type countedBody struct {
	io.Reader
	open *int
}

func newCountedBody(open *int) io.ReadCloser {
	*open++
	return &countedBody{strings.NewReader("a body"), open}
}

func (b *countedBody) Close() error {
	*b.open--
	return nil
}

// A recordingAPI is all hosts besides those of the Network. It refuses requests
// without a token, and redirects to what the query names.
type recordingAPI struct {
	apptest.Network
	silent bool // its responses do not name their requests

	mu   sync.Mutex
	sent []string // "URL Authorization"
}

func (t *recordingAPI) RoundTrip(r *http.Request) (*http.Response, error) {
	if _, ok := t.Network[r.URL.Host]; ok {
		return t.Network.RoundTrip(r)
	}
	authorization := r.Header.Get("Authorization")
	t.mu.Lock()
	t.sent = append(t.sent, strings.TrimSpace(r.URL.Scheme+"://"+r.URL.Host+r.URL.Path+" "+authorization))
	t.mu.Unlock()
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: r, ProtoMajor: 1, ProtoMinor: 1}
	if to := r.URL.Query().Get("to"); to != "" {
		resp.StatusCode = http.StatusTemporaryRedirect
		resp.Header.Set("Location", to)
	} else if authorization == "" {
		resp.StatusCode = http.StatusUnauthorized
	}
	if t.silent {
		resp.Request = nil
	}
	return resp, nil
}

// newAPIApp returns an application whose guarded path /use runs use.
func newAPIApp(t *testing.T, with apptest.Config, use func(a *apptest.App, r *http.Request)) (*apptest.App, *recordingAPI) {
	t.Helper()
	api := &recordingAPI{}
	with.Change = func(opts *oauthlogin.Options) { opts.HTTPClient.Transport = api }
	a := apptest.New(t, with)
	api.Network = a.Net
	a.Guard("/use", func(_ http.ResponseWriter, r *http.Request) { use(a, r) })
	return a, api
}

// The token goes to the host that the application calls, and redirects do not take
// it elsewhere: net/http CVE-2023-45289, CVE-2024-45336, CVE-2025-4673. A 401 of
// another host refreshes nothing.
func TestClientSendsTokenToTheHostAsked(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, url string
		with      []string // requests with the token
		without   []string // requests after them, without it
	}{
		{"a host", "https://api.test/me", []string{"https://api.test/me"}, nil},
		{"a redirect on the same host", "https://api.test/a?to=/b", []string{"https://api.test/a", "https://api.test/b"}, nil},
		{"a redirect to the same host in capitals", "https://api.test/a?to=https://API.test:443/b", []string{"https://api.test/a", "https://API.test:443/b"}, nil},
		{"a redirect to another host", "https://api.test/a?to=https://evil.test/b", []string{"https://api.test/a"}, []string{"https://evil.test/b"}},
		{"a redirect to a subdomain", "https://api.test/a?to=https://x.api.test/b", []string{"https://api.test/a"}, []string{"https://x.api.test/b"}},
		{"a redirect to the parent domain", "https://v1.api.test/a?to=https://api.test/b", []string{"https://v1.api.test/a"}, []string{"https://api.test/b"}},
		{"a redirect to another port", "https://api.test/a?to=https://api.test:8443/b", []string{"https://api.test/a"}, []string{"https://api.test:8443/b"}},
		{"a redirect to plain http", "https://api.test/a?to=http://api.test/b", []string{"https://api.test/a"}, []string{"http://api.test/b"}},
		{"a redirect away and back", "https://api.test/a?to=https://evil.test/b%3Fto=https://api.test/c", []string{"https://api.test/a"}, []string{"https://evil.test/b", "https://api.test/c"}},
		{"a redirect away, at the second step", "https://api.test/a?to=/b%3Fto=https://evil.test/c", []string{"https://api.test/a", "https://api.test/b"}, []string{"https://evil.test/c"}},
	} {
		for _, silent := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, through a transport that names requests: %t", tt.name, !silent), func(t *testing.T) {
				var token string
				a, api := newAPIApp(t, apptest.Config{}, func(a *apptest.App, r *http.Request) {
					s, _ := oauthlogin.FromContext(r.Context())
					token = s.Token().AccessToken
					req, _ := http.NewRequestWithContext(r.Context(), http.MethodGet, tt.url, nil)
					resp, err := a.Auth.Client(r.Context()).Do(req)
					if err != nil || !silent && (resp.StatusCode == http.StatusOK) != (tt.without == nil) {
						t.Errorf("%v %v", resp, err)
						return
					}
					resp.Body.Close()
					if len(req.Header) > 0 {
						t.Errorf("the request was changed: %v", req.Header)
					}
				})
				api.silent = silent
				a.Browser(t).Login("/use")
				a.WantRefreshes(t, 0)
				hops := slices.Concat(tt.with, tt.without)
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
					case i < len(tt.with) && authorization != "Bearer "+token && (i == 0 || !silent): // without the request's name the token may stay back
						t.Errorf("%s got %q", hop, authorization)
					}
				}
			})
		}
	}
}

func TestClientWithoutSession(t *testing.T) {
	t.Parallel()
	refuses := func(name string, ctx context.Context, client *http.Client) {
		open := 0
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://api.test/", newCountedBody(&open))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err == nil {
			resp.Body.Close()
		}
		if !errors.Is(err, oauthlogin.ErrNoSession) || open > 0 {
			t.Errorf("%s: %v, %d bodies are open", name, err, open)
		}
	}
	a, api := newAPIApp(t, apptest.Config{}, func(a *apptest.App, r *http.Request) {
		other := a.Replica(t, func(opts *oauthlogin.Options) { opts.CookieName = "other" })
		for name, auth := range map[string]*oauthlogin.Middleware{"another Middleware": other, "a zero Middleware": {}, "a nil Middleware": nil} {
			refuses(name, r.Context(), auth.Client(r.Context()))
		}
	})
	a.Browser(t).Login("/use")
	refuses("another context", t.Context(), a.Auth.Client(t.Context()))
	if len(api.sent) > 0 {
		t.Errorf("sent %q", api.sent)
	}
}

// A handler that outlives the token sends nothing.
func TestClientAfterExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, api := newAPIApp(t, apptest.Config{Provider: oauthlogintest.Config{NoRefreshTokens: true}}, func(a *apptest.App, r *http.Request) {
			s, _ := oauthlogin.FromContext(r.Context())
			client := a.Auth.Client(r.Context())
			for _, tt := range []struct {
				after time.Duration
				err   error
			}{{0, nil}, {59 * time.Minute, nil}, {time.Minute, oauthlogin.ErrNoToken}, {time.Hour, oauthlogin.ErrNoToken}} {
				time.Sleep(tt.after)
				resp, err := client.Get("https://api.test/")
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

// A handler that outlives its session, such as a stream, calls no API after the logout.
func TestClientAfterLogout(t *testing.T) {
	t.Parallel()
	a := newCallApp(t, apptest.Config{})
	a.in(t, func(client *http.Client) {
		a.calls(t, client, "200 yes")
		a.LogOut("/")
		resp, err := client.Get("https://api.test/")
		if err == nil {
			resp.Body.Close()
		}
		if !errors.Is(err, oauthlogin.ErrNoSession) {
			t.Errorf("after the logout: %v", err)
		}
	})
}

// A stream that goes on for longer than a session may has no session in the end.
func TestClientAfterMaxLifetime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newCallApp(t, apptest.Config{Change: func(opts *oauthlogin.Options) { opts.MaxLifetime = 3 * time.Hour }})
		a.in(t, func(client *http.Client) {
			time.Sleep(3*time.Hour - time.Second)
			a.calls(t, client, "200 yes")
			time.Sleep(time.Second)
			resp, err := client.Get("https://api.test/")
			if err == nil {
				resp.Body.Close()
			}
			if !errors.Is(err, oauthlogin.ErrNoSession) {
				t.Errorf("after MaxLifetime: %v", err)
			}
		})
	})
}

// After a 401 the token is refreshed once and the request sent once more, with the
// same body. A request whose body cannot be replayed is not repeated.
func TestClientReplays(t *testing.T) {
	t.Parallel()
	type getBody = func() (io.ReadCloser, error)
	plain := func(body io.Reader) func(*int) (io.Reader, getBody) {
		return func(*int) (io.Reader, getBody) { return body, nil }
	}
	replayable := func(open *int) (io.Reader, getBody) {
		return newCountedBody(open), func() (io.ReadCloser, error) { return newCountedBody(open), nil }
	}
	once := func(open *int) (io.Reader, getBody) { return newCountedBody(open), nil }
	unreadable := func(open *int) (io.Reader, getBody) {
		return newCountedBody(open), func() (io.ReadCloser, error) { return nil, errors.New("gone") }
	}
	for _, tt := range []struct {
		name      string
		body      func(open *int) (io.Reader, getBody)
		refusing  string // "": the token of the login
		refresh   http.HandlerFunc
		want      string
		calls     int
		refreshes int
	}{
		{"no body", plain(nil), "", nil, "200 yes", 2, 1},
		{"an empty body", plain(http.NoBody), "", nil, "200 yes", 2, 1},
		{"a body in memory", plain(strings.NewReader("a body")), "", nil, "200 yes", 2, 1},
		{"a body with GetBody", replayable, "", nil, "200 yes", 2, 1},
		{"a body that is read once", once, "", nil, "401 no", 1, 0},
		{"a body whose GetBody fails", unreadable, "", nil, "401 no", 1, 0},
		{"an API that never accepts a token", replayable, "*", nil, "401 no", 2, 1},
		{"a provider that is down", replayable, "", apptest.JSON(http.StatusServiceUnavailable, ""), "401 no", 1, 1},
		{"a provider that has ended the grant", replayable, "", apptest.JSON(http.StatusBadRequest, `{"error":"invalid_grant"}`), "401 no", 1, 1},
	} {
		apptest.InBubble(t, tt.name, func(t *testing.T) {
			a := newCallApp(t, apptest.Config{})
			a.api.refuse(cmp.Or(tt.refusing, a.first))
			if tt.refresh != nil {
				a.Provider.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) { tt.refresh(w, r) })
			}
			open := 0
			var sent *http.Request
			a.in(t, func(client *http.Client) {
				body, getBody := tt.body(&open)
				sent, _ = http.NewRequest(http.MethodPost, "https://api.test/things", body)
				if getBody != nil {
					sent.GetBody = getBody
				}
				if got := answered(client.Do(sent)); got != tt.want {
					t.Errorf("response is %q, want %q", got, tt.want)
				}
			})
			calls := a.api.called()
			if sent.Header.Get("Authorization") != "" || open != 0 || len(calls) != tt.calls {
				t.Errorf("headers %v; %d bodies are open; %d calls, want %d", sent.Header, open, len(calls), tt.calls)
			}
			for i, c := range calls {
				if c.method != http.MethodPost || c.body != calls[0].body || (c.token == a.first) != (i == 0) {
					t.Errorf("call %d: %s with body %q and the token of the login: %t", i, c.method, c.body, c.token == a.first)
				}
			}
			a.WantRefreshes(t, tt.refreshes)
		})
	}
}

// A handler that began before another request refreshed the token uses the new one:
// its own refresh token is spent.
func TestClientOfAnOlderRequest(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		refused bool
		later   time.Duration
	}{
		{"whose token the API refuses", true, time.Minute},
		{"whose token is due", false, 3 * time.Minute},
		{"whose token has expired", false, 30 * time.Minute},
	} {
		apptest.InBubble(t, tt.name, func(t *testing.T) {
			a := newCallApp(t, apptest.Config{})
			if tt.refused {
				a.api.refuse(a.first)
			}
			time.Sleep(57 * time.Minute)
			old := a.Cookies()
			a.in(t, func(client *http.Client) {
				a.call = func(client *http.Client) { answered(client.Get("https://api.test/")) }
				time.Sleep(time.Minute)
				a.api.refuse(a.first)
				a.Ask(t.Context(), old, "/call") // refreshes
				if !tt.refused {
					a.api.refuse("")
				}
				a.api.called()
				time.Sleep(tt.later)
				a.calls(t, client, "200 yes")
			})
			calls := a.api.called()
			fresh := a.Get("/access").Text
			if len(calls) == 0 || calls[len(calls)-1].token != fresh || fresh == a.first || fresh == "" {
				t.Errorf("calls %+v; the session has the token %q, and had %q", calls, fresh, a.first)
			}
			a.WantRefreshes(t, 1)
		})
	}
}

// Some providers revoke the access token that a refresh replaces, and respond to it with 403,
// not 401. A call that was under way is sent again with the new token.
func TestClientWhoseTokenIsReplacedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		refreshed time.Duration // when another request comes, after the login
		forbidden time.Duration // when the API responds
		path      string        // of the other request
		challenge string
		want      string
		calls     int
		refreshes int
	}{
		{"before it is due", 30 * time.Minute, 31 * time.Minute, "/refuse", "", "200 yes", 2, 1},
		{"when it is due", 59*time.Minute + time.Second, 59*time.Minute + 30*time.Second, "/access", "", "200 yes", 2, 1},
		{"by a refresh that is under way", 59*time.Minute + time.Second, 59*time.Minute + 2*time.Second, "/access", "", "200 yes", 2, 1},
		{"by one that lacks a scope", 59*time.Minute + time.Second, 59*time.Minute + 30*time.Second, "/access", `Bearer error="insufficient_scope", scope="read"`, "insufficient_scope", 1, 1},
		{"never", 30 * time.Minute, 31 * time.Minute, "/access", "", "403 no", 1, 0},
	} {
		apptest.InBubble(t, tt.name, func(t *testing.T) {
			var first string
			var calls []string // bodies
			a, _ := newAppWithAPI(t, apptest.Config{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/refuse" {
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				body, _ := io.ReadAll(r.Body)
				calls = append(calls, string(body))
				if r.Header.Get("Authorization") != "Bearer "+first {
					io.WriteString(w, "yes")
					return
				}
				time.Sleep(tt.forbidden)
				if tt.challenge != "" {
					w.Header().Set("WWW-Authenticate", tt.challenge)
				}
				w.WriteHeader(http.StatusForbidden)
				io.WriteString(w, "no")
			}))
			a.SlowTokens(2 * time.Second)
			var got string
			a.Guard("/call", func(_ http.ResponseWriter, r *http.Request) {
				got = answered(a.Auth.Client(r.Context()).Post("https://api.test/", "text/plain", strings.NewReader("body")))
			})
			a.Guard("/refuse", func(_ http.ResponseWriter, r *http.Request) {
				answered(a.Auth.Client(r.Context()).Get("https://api.test/refuse"))
			})
			b := a.Browser(t)
			b.Login("/dashboard")
			first = b.Get("/access").Text
			cookies := b.Cookies()
			var other sync.WaitGroup
			other.Go(func() {
				time.Sleep(tt.refreshed)
				a.Ask(t.Context(), cookies, tt.path)
			})
			b.Get("/call")
			other.Wait()
			if !strings.Contains(got, tt.want) {
				t.Errorf("response is %q, want %q", got, tt.want)
			}
			if len(calls) != tt.calls || slices.ContainsFunc(calls, func(body string) bool { return body != "body" }) {
				t.Errorf("the API got the bodies %q, want %d", calls, tt.calls)
			}
			a.WantRefreshes(t, tt.refreshes)
		})
	}
}

// An API that never accepts a token costs one refresh, and then none for ten seconds.
// Once it has accepted one, the next refusal costs a refresh at once.
func TestClientNeverRetriesTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newCallApp(t, apptest.Config{})
		called := func(times int, want string) {
			t.Helper()
			a.in(t, func(client *http.Client) {
				for range times {
					a.calls(t, client, want)
				}
			})
		}
		a.api.refuse("*")
		for range 3 {
			called(2, "401 no")
		}
		if n := len(a.api.called()); n != 7 {
			t.Errorf("%d calls to the API, want one each and a retry", n)
		}
		a.WantRefreshes(t, 1)
		if !a.SignedIn() {
			t.Error("signed out")
		}
		time.Sleep(10 * time.Second)
		for range 3 {
			called(2, "401 no")
		}
		a.WantRefreshes(t, 2)
		a.api.refuse("")
		called(1, "200 yes")
		a.api.refuse("*")
		called(1, "401 no")
		a.WantRefreshes(t, 3)
	})
}

// A provider that refuses to refresh a token that the API rejects ends the session at
// once.
func TestRefusalOfARejectedToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newCallApp(t, apptest.Config{})
		a.api.refuse("*")
		a.RespondToRefreshes(apptest.RespondWith(http.StatusBadRequest, `{"error":"interaction_required"}`))
		a.in(t, func(client *http.Client) { a.calls(t, client, "401 no") })
		if a.SignedIn() {
			t.Error("signed in with a token that the API and the provider refuse")
		}
	})
}

// The OpenID Foundation's fapi2-security-profile-final-client-refresh-token-test:
// the API responds with 401 again and again, and each time the rotated token works.
func TestClientRefreshesEachTokenThatIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newCallApp(t, apptest.Config{})
		token := a.first
		for range 3 {
			a.api.refuse(token)
			a.in(t, func(client *http.Client) { a.calls(t, client, "200 yes") })
			fresh := a.Get("/access").Text
			if fresh == token || fresh == "" {
				t.Errorf("token is %q", fresh)
			}
			token = fresh
		}
		a.WantRefreshes(t, 3)
	})
}

// Many goroutines of a handler share one refresh. The new tokens reach the cookie
// with the next request, and are not lost before.
func TestClientSharesOneRefresh(t *testing.T) {
	t.Parallel()
	for _, expired := range []bool{false, true} {
		t.Run(fmt.Sprintf("of an expired token: %t", expired), func(t *testing.T) {
			apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
				a := newCallApp(t, with)
				a.SlowTokens(time.Second)
				a.api.refuse(a.first)
				old := a.Cookies()
				a.in(t, func(client *http.Client) {
					if expired {
						a.api.refuse("")
						time.Sleep(2 * time.Hour)
					}
					var wg sync.WaitGroup
					for range 30 {
						wg.Go(func() { a.calls(t, client, "200 yes") })
					}
					wg.Wait()
				})
				a.WantRefreshes(t, 1)
				calls := a.api.called()
				if len(calls) == 0 {
					t.Fatal("no calls")
				}
				fresh := calls[len(calls)-1].token
				for range 2 { // the first response is lost
					if w := a.Ask(t.Context(), old, "/access"); w.Code != http.StatusOK || w.Body.String() != fresh {
						t.Errorf("with the old cookie: %d, token %q, want %q", w.Code, w.Body, fresh)
					}
				}
				a.Get("/access")
				a.Restart(t)
				if got := a.Get("/access").Text; got != fresh {
					t.Errorf("after a restart the token is %q, want %q", got, fresh)
				}
				a.WantRefreshes(t, 1)
			})
		})
	}
}

// A call ends with its own context and with the one that the client was made for,
// whatever it waits for. It leaves no goroutine behind, or the bubble would not end.
func TestClientEndsWithItsRequest(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		path  string // at the API
		slow  time.Duration
		due   bool // the token is
		after time.Duration
	}{
		{"before it begins", "/silence", 0, false, 0},
		{"while the API does not respond", "/silence", 0, false, time.Second},
		{"while the response is read", "/endless", 0, false, time.Second},
		{"while the token is refreshed", "/", 8 * time.Second, true, time.Second},
		{"while the token is refreshed after a 401", "/refused", 8 * time.Second, false, time.Second},
	} {
		for _, whose := range []string{"the client's", "the call's"} {
			apptest.InBubble(t, tt.name+", by "+whose+" context", func(t *testing.T) {
				a, _ := newAppWithAPI(t, apptest.Config{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					switch r.URL.Path {
					case "/refused":
						w.WriteHeader(http.StatusUnauthorized)
						return
					case "/endless":
						http.NewResponseController(w).Flush()
					}
					<-r.Context().Done()
				}))
				a.SlowTokens(tt.slow)
				var failed string
				var took time.Duration
				a.Guard("/call", func(_ http.ResponseWriter, r *http.Request) {
					if tt.due {
						time.Sleep(2 * time.Hour)
					}
					ctx, hangUp := context.WithTimeout(r.Context(), tt.after)
					defer hangUp()
					ofClient, ofCall := ctx, r.Context()
					if whose == "the call's" {
						ofClient, ofCall = ofCall, ofClient
					}
					req, _ := http.NewRequestWithContext(ofCall, http.MethodGet, "https://api.test"+tt.path, nil)
					start := time.Now()
					failed = answered(a.Auth.Client(ofClient).Do(req))
					took = time.Since(start)
				})
				b := a.Browser(t)
				b.Login("/dashboard")
				b.Get("/call")
				if took != tt.after || !strings.Contains(failed, context.DeadlineExceeded.Error()) && !strings.HasPrefix(failed, "401") {
					t.Errorf("after %v: %s", took, failed)
				}
				time.Sleep(tt.slow)
				if tt.slow > 0 { // and its tokens are not lost
					if resp := b.Get("/access"); resp.StatusCode != http.StatusOK || resp.Text == "" {
						t.Errorf("afterwards: %d, token %q", resp.StatusCode, resp.Text)
					}
					a.WantRefreshes(t, 1)
				}
			})
		}
	}
}

// A handler passes an API's event stream on as it comes. When the browser
// disconnects, the call to the API ends too.
func TestClientStreams(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan struct{})
		a, _ := newAppWithAPI(t, apptest.Config{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer close(ended)
			apptest.ServeEvents(w, r)
		}))
		a.Guard("/stream", func(w http.ResponseWriter, r *http.Request) {
			resp, err := a.Auth.Client(r.Context()).Get("https://api.test/")
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			for lines := bufio.NewScanner(resp.Body); lines.Scan(); http.NewResponseController(w).Flush() {
				fmt.Fprintln(w, lines.Text())
			}
		})
		b := a.Browser(t)
		b.Login("/dashboard")
		b.Client.Transport = apptest.ServePipes(t, a.Net["app.test"])
		apptest.VisitEvents(t, b)
		<-ended
	})
}

// An API may switch protocols.
func TestClientUpgrades(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, _ := newAppWithAPI(t, apptest.Config{}, http.HandlerFunc(apptest.ServeWebSocket))
		ran := false
		a.Guard("/call", func(_ http.ResponseWriter, r *http.Request) {
			apptest.VisitWebSocket(t, &apptest.Browser{T: t, Origin: "https://api.test", Client: a.Auth.Client(r.Context())})
			ran = true
		})
		b := a.Browser(t)
		b.Login("/dashboard")
		if b.Get("/call"); !ran {
			t.Error("the handler did not finish")
		}
	})
}

// The connection of a response that is not passed on is used again, unless its body
// is long: then it is closed.
func TestClientKeepsConnections(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		refusal string
		dials   int32
	}{
		{"a short response", "no", 1},
		{"an empty response", "", 1},
		{"a long response", strings.Repeat("no", 32<<10), 2}, // the first of them
	} {
		apptest.InBubble(t, tt.name, func(t *testing.T) {
			server, serving := &api{}, sync.WaitGroup{}
			a, pipes := newAppWithAPI(t, apptest.Config{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				serving.Add(1)
				defer serving.Done()
				recorded := httptest.NewRecorder()
				if server.ServeHTTP(recorded, r); recorded.Code == http.StatusUnauthorized {
					w.WriteHeader(http.StatusUnauthorized)
					io.WriteString(w, tt.refusal)
				}
			}))
			a.Guard("/call", func(_ http.ResponseWriter, r *http.Request) {
				for range 5 {
					if got := answered(a.Auth.Client(r.Context()).Get("https://api.test/")); got != "200 " {
						t.Errorf("response is %q", got)
					}
				}
			})
			b := a.Browser(t)
			b.Login("/dashboard")
			server.refuse(b.Get("/access").Text)
			b.Get("/call")
			serving.Wait()
			if calls, dials := len(server.called()), pipes.Dials.Load(); calls != 6 || dials != tt.dials {
				t.Errorf("%d calls over %d connections", calls, dials)
			}
		})
	}
}
