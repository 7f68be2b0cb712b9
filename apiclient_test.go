package oauthlogin_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// An api is a resource server that takes all tokens but those it refuses.
type api struct {
	mu      sync.Mutex
	refused map[string]bool // tokens; by "*" all of them
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

// called returns the calls since it was last asked.
func (s *api) called() []apiCall {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	return calls
}

// A callApp is an application whose guarded path /call runs what the test has
// set, with the client of its request.
type callApp struct {
	*apptest.App
	*apptest.Browser
	api   *api
	first string // access token, of the login
	call  func(*http.Client)
}

// newCallApp returns an application that alice has signed in to. Its API is at
// https://api.test, over connections in memory.
func newCallApp(t *testing.T, with apptest.Config) *callApp {
	t.Helper()
	a := &callApp{api: &api{}}
	change := with.Change
	with.Change = func(opts *oauthlogin.Options) {
		opts.HTTPClient = &http.Client{Transport: hosts{"api.test": apptest.ServePipes(t, a.api), "": opts.HTTPClient.Transport}}
		if change != nil {
			change(opts)
		}
	}
	a.App = apptest.New(t, with)
	a.Guard("/call", func(_ http.ResponseWriter, r *http.Request) { a.call(a.Auth.Client(r.Context())) })
	a.Browser = a.App.Browser(t)
	a.Login("/dashboard")
	a.first = a.Get("/access").Text
	return a
}

// in runs f in a handler, with the client of its request.
func (a *callApp) in(t *testing.T, f func(*http.Client)) *apptest.Response {
	t.Helper()
	a.call = f
	resp := a.Get("/call")
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("the handler's request: %d", resp.StatusCode)
	}
	return resp
}

// Hosts are the transports to some hosts, and by "" to all others.
type hosts map[string]http.RoundTripper

func (h hosts) RoundTrip(r *http.Request) (*http.Response, error) {
	if t, ok := h[r.URL.Host]; ok {
		return t.RoundTrip(r)
	}
	return h[""].RoundTrip(r)
}

// answered returns status and body of an answer.
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

// A countedBody counts how many of its like are open.
type countedBody struct {
	io.Reader
	open *int
}

func (b *countedBody) Close() error {
	*b.open--
	return nil
}

// On a 401 the token is refreshed once and the request sent once more, if its
// body can be replayed: with the same body, and otherwise not at all.
func TestClientReplays(t *testing.T) {
	t.Parallel()
	type row struct {
		name      string
		body      func(open *int) (body io.Reader, getBody func() (io.ReadCloser, error))
		refusing  string // "": the token of the login
		refresh   http.HandlerFunc
		want      string
		calls     int
		refreshes int
	}
	counted := func(open *int) io.ReadCloser {
		*open++
		return &countedBody{strings.NewReader("a body"), open}
	}
	replayable := func(open *int) (io.Reader, func() (io.ReadCloser, error)) {
		return counted(open), func() (io.ReadCloser, error) { return counted(open), nil }
	}
	for _, tt := range []row{
		{"no body", nil, "", nil, "200 yes", 2, 1},
		{"an empty body", func(*int) (io.Reader, func() (io.ReadCloser, error)) { return http.NoBody, nil }, "", nil, "200 yes", 2, 1},
		{"a body in memory", func(*int) (io.Reader, func() (io.ReadCloser, error)) { return strings.NewReader("a body"), nil }, "", nil, "200 yes", 2, 1},
		{"a body that can be had again", replayable, "", nil, "200 yes", 2, 1},
		{"a body that is read once", func(open *int) (io.Reader, func() (io.ReadCloser, error)) { return counted(open), nil }, "", nil, "401 no", 1, 0},
		{"a body that cannot be had again after all", func(open *int) (io.Reader, func() (io.ReadCloser, error)) {
			return counted(open), func() (io.ReadCloser, error) { return nil, errors.New("gone") }
		}, "", nil, "401 no", 1, 0},
		{"an API that never takes a token", replayable, "*", nil, "401 no", 2, 1},
		{"a provider that is down", replayable, "", apptest.JSON(http.StatusServiceUnavailable, ""), "401 no", 1, 1},
		{"a provider that has ended the grant", replayable, "", apptest.JSON(http.StatusBadRequest, `{"error":"invalid_grant"}`), "401 no", 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newCallApp(t, apptest.Config{})
				a.api.refuse(a.first)
				if tt.refusing != "" {
					a.api.refuse(tt.refusing)
				}
				if tt.refresh != nil {
					a.Provider.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) { tt.refresh(w, r) })
				}
				open := 0
				var sent *http.Request
				a.in(t, func(client *http.Client) {
					var body io.Reader
					var getBody func() (io.ReadCloser, error)
					if tt.body != nil {
						body, getBody = tt.body(&open)
					}
					sent, _ = http.NewRequest(http.MethodPost, "https://api.test/things", body)
					if getBody != nil {
						sent.GetBody = getBody
					}
					if got := answered(client.Do(sent)); got != tt.want {
						t.Errorf("answer is %q, want %q", got, tt.want)
					}
				})
				if sent.Header.Get("Authorization") != "" {
					t.Error("the caller's request has the token in it")
				}
				if open != 0 {
					t.Errorf("%d bodies are left open", open)
				}
				calls := a.api.called()
				if len(calls) != tt.calls {
					t.Errorf("%d calls, want %d", len(calls), tt.calls)
				}
				for i, c := range calls {
					if c.method != http.MethodPost || c.body != calls[0].body || (c.token == a.first) != (i == 0) {
						t.Errorf("call %d: %s with body %q and the token of the login: %t", i, c.method, c.body, c.token == a.first)
					}
				}
				a.WantRefreshes(t, tt.refreshes)
			})
		})
	}
}

// A handler that runs since before another request's refresh takes the new
// token from there: the refresh token that it knows is spent.
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
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newCallApp(t, apptest.Config{})
				if tt.refused {
					a.api.refuse(a.first)
				}
				time.Sleep(57 * time.Minute)
				old := a.Cookies()
				a.call = func(client *http.Client) {
					a.call = func(client *http.Client) { answered(client.Get("https://api.test/")) }
					time.Sleep(time.Minute)
					a.api.refuse(a.first)
					a.Ask(t.Context(), old, "/call") // refreshes
					if !tt.refused {
						a.api.refuse("")
					}
					a.api.called()
					time.Sleep(tt.later)
					if got := answered(client.Get("https://api.test/")); got != "200 yes" {
						t.Errorf("answer is %q", got)
					}
				}
				if resp := a.Get("/call"); resp.StatusCode != http.StatusOK {
					t.Errorf("answer is %d", resp.StatusCode)
				}
				calls := a.api.called()
				fresh := a.Get("/access").Text
				if len(calls) == 0 || calls[len(calls)-1].token != fresh || fresh == a.first || fresh == "" {
					t.Errorf("calls %+v; the session has the token %q, and had %q", calls, fresh, a.first)
				}
				a.WantRefreshes(t, 1)
			})
		})
	}
}

// An API that never takes a token costs one refresh for each call, no more.
func TestClientNeverRetriesTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newCallApp(t, apptest.Config{})
		a.api.refuse("*")
		for range 3 {
			a.in(t, func(client *http.Client) {
				for range 2 {
					if got := answered(client.Get("https://api.test/")); got != "401 no" {
						t.Errorf("answer is %q", got)
					}
				}
			})
		}
		if n := len(a.api.called()); n != 12 {
			t.Errorf("%d calls to the API, want 2 each", n)
		}
		a.WantRefreshes(t, 6)
		if !a.SignedIn() {
			t.Error("signed out")
		}
	})
}

// The OpenID Foundation's fapi2-security-profile-final-client-refresh-token-test:
// the API answers 401 again and again, and each time the rotated token serves.
func TestClientRefreshesEachTokenThatIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newCallApp(t, apptest.Config{})
		token := a.first
		for range 3 {
			a.api.refuse(token)
			a.in(t, func(client *http.Client) {
				if got := answered(client.Get("https://api.test/")); got != "200 yes" {
					t.Errorf("answer is %q", got)
				}
			})
			if fresh := a.Get("/access").Text; fresh == token || fresh == "" {
				t.Errorf("token is %q", fresh)
			} else {
				token = fresh
			}
		}
		a.WantRefreshes(t, 3)
	})
}

// One handler may use the client from many goroutines; the tokens that come of
// it reach the cookie with the next request, and are not lost before.
func TestClientSharesOneRefresh(t *testing.T) {
	t.Parallel()
	for _, why := range []string{"the API refuses the token", "the token has expired meanwhile"} {
		t.Run(why, func(t *testing.T) {
			apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
				a := newCallApp(t, with)
				a.SlowTokens(time.Second)
				a.api.refuse(a.first)
				old := a.Cookies()
				a.in(t, func(client *http.Client) {
					if why == "the token has expired meanwhile" {
						a.api.refuse("")
						time.Sleep(2 * time.Hour)
					}
					var wg sync.WaitGroup
					for range 30 {
						wg.Go(func() {
							if got := answered(client.Get("https://api.test/")); got != "200 yes" {
								t.Errorf("answer is %q", got)
							}
						})
					}
					wg.Wait()
				})
				a.WantRefreshes(t, 1)
				calls := a.api.called()
				if len(calls) == 0 {
					t.Fatal("no calls")
				}
				fresh := calls[len(calls)-1].token
				for range 2 { // the first answer is lost
					w := a.Ask(t.Context(), old, "/access")
					if w.Code != http.StatusOK || w.Body.String() != fresh {
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

// A 401 of a host that a redirect leads to is nobody's business: no refresh, no
// token.
func TestClientRefusedElsewhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		a.Net["api.test"] = http.RedirectHandler("https://evil.test/", http.StatusFound)
		calls := 0
		a.Net["evil.test"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if calls++; r.Header.Get("Authorization") != "" {
				t.Error("another host gets the token")
			}
			w.WriteHeader(http.StatusUnauthorized)
		})
		a.Guard("/call", func(_ http.ResponseWriter, r *http.Request) {
			if got := answered(a.Auth.Client(r.Context()).Get("https://api.test/")); got != "401 " {
				t.Errorf("answer is %q", got)
			}
		})
		b := a.Browser(t)
		b.Login("/dashboard")
		if b.Get("/call"); calls != 1 {
			t.Errorf("%d calls", calls)
		}
		a.WantRefreshes(t, 0)
	})
}

// A call ends with the request that it is made for, whatever it waits for; and
// nothing is left behind, or the bubble would not end.
func TestClientEndsWithItsRequest(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		path string // at the API
		slow time.Duration
		late bool // the token is due
	}{
		{"while the API does not answer", "/silence", 0, false},
		{"while the answer is read", "/endless", 0, false},
		{"while the token is refreshed", "/", 8 * time.Second, true},
		{"while the token is refreshed after a 401", "/refused", 8 * time.Second, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				served := make(chan struct{}, 3)
				streams := apptest.ServePipes(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					defer func() { served <- struct{}{} }()
					switch r.URL.Path {
					case "/refused":
						w.WriteHeader(http.StatusUnauthorized)
						return
					case "/endless":
						http.NewResponseController(w).Flush()
					}
					<-r.Context().Done()
				}))
				a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) {
					opts.HTTPClient = &http.Client{Transport: hosts{"api.test": streams, "": opts.HTTPClient.Transport}}
				}})
				a.SlowTokens(tt.slow)
				var failed string
				var took time.Duration
				a.Guard("/call", func(_ http.ResponseWriter, r *http.Request) {
					if tt.late {
						time.Sleep(2 * time.Hour)
					}
					ctx, hangUp := context.WithTimeout(r.Context(), time.Second)
					defer hangUp()
					start := time.Now()
					failed = answered(a.Auth.Client(ctx).Get("https://api.test" + tt.path))
					took = time.Since(start)
				})
				b := a.Browser(t)
				b.Login("/dashboard")
				b.Get("/call")
				if took != time.Second || !strings.Contains(failed, context.DeadlineExceeded.Error()) && !strings.HasPrefix(failed, "401") {
					t.Errorf("after %v: %s", took, failed)
				}
				if !tt.late {
					<-served
				}
				time.Sleep(tt.slow)
				if tt.slow > 0 { // and its tokens are not lost
					if resp := b.Get("/access"); resp.StatusCode != http.StatusOK || resp.Text == "" {
						t.Errorf("afterwards: %d, token %q", resp.StatusCode, resp.Text)
					}
					a.WantRefreshes(t, 1)
				}
			})
		})
	}
	t.Run("before it begins", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{})
			var failed error
			a.Guard("/call", func(_ http.ResponseWriter, r *http.Request) {
				ctx, hangUp := context.WithCancel(r.Context())
				hangUp()
				_, failed = a.Auth.Client(ctx).Get("https://api.test/")
			})
			b := a.Browser(t)
			b.Login("/dashboard")
			if b.Get("/call"); !errors.Is(failed, context.Canceled) {
				t.Errorf("error: %v", failed)
			}
		})
	})
}

// A handler passes an API's event stream on, as it comes; when the browser
// goes, so does the call to the API.
func TestClientStreams(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan struct{})
		streams := apptest.ServePipes(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer close(ended)
			serveEvents(w, r)
		}))
		a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) {
			opts.HTTPClient = &http.Client{Transport: hosts{"api.test": streams, "": opts.HTTPClient.Transport}}
		}})
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
		visitEvents(t, b)
		<-ended
	})
}

// An API that switches protocols gets what is written.
func TestClientUpgrades(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sockets := apptest.ServePipes(t, http.HandlerFunc(serveWebSocket))
		a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) {
			opts.HTTPClient = &http.Client{Transport: hosts{"api.test": sockets, "": opts.HTTPClient.Transport}}
		}})
		a.Guard("/call", func(_ http.ResponseWriter, r *http.Request) {
			visitWebSocket(t, &apptest.Browser{T: t, Origin: "https://api.test", Client: a.Auth.Client(r.Context())})
		})
		b := a.Browser(t)
		b.Login("/dashboard")
		if resp := b.Get("/call"); resp.StatusCode != http.StatusOK {
			t.Errorf("answer is %d", resp.StatusCode)
		}
	})
}

// The connection of an answer that is not passed on is used again, unless there
// is much of it to read first; then it is closed.
func TestClientKeepsConnections(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		refusal string
		dials   int32
	}{
		{"a short answer", "no", 1},
		{"an empty answer", "", 1},
		{"a long answer", strings.Repeat("no", 32<<10), 2}, // the first of them
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, serving := &api{}, sync.WaitGroup{}
				pipes := apptest.ServePipes(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					serving.Add(1)
					defer serving.Done()
					if server.ServeHTTP(httptest.NewRecorder(), r); server.refused[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")] {
						w.WriteHeader(http.StatusUnauthorized)
						io.WriteString(w, tt.refusal)
					}
				}))
				a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) {
					opts.HTTPClient = &http.Client{Transport: hosts{"api.test": pipes, "": opts.HTTPClient.Transport}}
				}})
				a.Guard("/call", func(_ http.ResponseWriter, r *http.Request) {
					for range 5 {
						if got := answered(a.Auth.Client(r.Context()).Get("https://api.test/")); got != "200 " {
							t.Errorf("answer is %q", got)
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
		})
	}
}
