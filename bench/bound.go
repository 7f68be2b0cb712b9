package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/devicetest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// A Bound compares a request of a session that is bound to a device with the same request
// without Options.BindDevices.
type Bound struct {
	handlers [2]http.Handler // without and with the option
	requests [2]*http.Request
	served   int
	w        *discard
}

// NewBound signs a user in at two applications, of which the second binds the session.
func NewBound(size Size) (*Bound, error) {
	p, err := NewProvider("https://provider.example.com", size)
	if err != nil {
		return nil, err
	}
	p.unsigned = true
	b := &Bound{w: &discard{header: http.Header{}}}
	for i := range b.handlers {
		opts := p.Options(publicOrigin, &http.Client{Transport: inProcess{p}})
		opts.BindDevices = i == 1
		auth, err := oauthlogin.New(opts)
		if err != nil {
			return nil, err
		}
		b.handlers[i] = auth.Handler(auth.RequireAuth(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { b.served++ })))
		cookies, err := p.bindingLogin(b.handlers[i])
		if err != nil {
			return nil, err
		}
		b.requests[i] = newRequest(publicOrigin+"/dashboard", cookies)
		if s, err := auth.Session(b.requests[i]); err != nil || s == nil || s.Bound() != opts.BindDevices {
			return nil, fmt.Errorf("bench: session %v of application %d is not as it should be: %v", s, i, err)
		}
	}
	return b, nil
}

// An everything is an application that uses what the package has: it is one of several
// instances, asks OnSignIn about logins, binds sessions to devices, and guards its route
// with a Policy.
type everything struct {
	auth        *oauthlogin.Middleware
	request     *http.Request // of a bound session
	token       string
	cookieBytes int
}

func (p *Provider) everything() (*everything, error) {
	opts := p.Options(publicOrigin, &http.Client{Transport: inProcess{p}})
	opts.Coordinator, opts.BindDevices = oauthlogintest.NewCoordinator(), true
	opts.OnSignIn = func(_ context.Context, in *oauthlogin.SignIn) error {
		return in.User.SetClaim("roles", []string{"admin"})
	}
	e := &everything{}
	var err error
	if e.auth, err = oauthlogin.New(opts); err != nil {
		return nil, err
	}
	app, _ := e.serve(http.NotFoundHandler())
	cookies, err := p.bindingLogin(app)
	if err != nil {
		return nil, err
	}
	e.request, e.cookieBytes = newRequest(publicOrigin+"/dashboard", cookies), cookieBytes(cookies)
	s, err := e.auth.Session(e.request)
	if err != nil || s == nil || !s.Bound() {
		return nil, fmt.Errorf("bench: session %v is not bound: %v", s, err)
	}
	e.token = s.Token().AccessToken
	return e, nil
}

func (e *everything) serve(dashboard http.Handler) (http.Handler, error) {
	admin := oauthlogin.Policy{
		Claims: map[string][]string{"roles": {"admin"}}, Bound: true,
		Allow: func(context.Context, *oauthlogin.Session) error { return nil },
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", http.NotFound)
	mux.Handle("GET /dashboard", e.auth.Require(admin)(dashboard))
	mux.HandleFunc("GET /reports/{id}", http.NotFound)
	return e.auth.Handler(mux), nil
}

// bindingLogin signs in, registers a key if the application offers to, and returns the
// cookies after the first page.
func (p *Provider) bindingLogin(app http.Handler) ([]*http.Cookie, error) {
	start := get(app, publicOrigin+"/login", nil)
	atProvider := get(p, start.Header.Get("Location"), nil)
	done := get(app, atProvider.Header.Get("Location"), start.Cookies())
	jar := map[string]*http.Cookie{}
	keep(jar, done.Cookies())
	callback, err := url.Parse(publicOrigin + callbackPath)
	if err != nil {
		return nil, err
	}
	(&devicetest.Device{}).Register(callback, done.Header, func(u *url.URL, header http.Header) (int, http.Header, string) {
		r := httptest.NewRequest(http.MethodPost, u.String(), nil)
		r.Header = header
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		keep(jar, w.Result().Cookies())
		return w.Code, w.Header(), w.Body.String()
	})
	keep(jar, get(app, publicOrigin+"/dashboard", inOrder(jar)).Cookies())
	if len(jar) == 0 {
		return nil, errors.New("bench: no session after the login")
	}
	return inOrder(jar), nil
}

func keep(jar map[string]*http.Cookie, cookies []*http.Cookie) {
	for _, c := range cookies {
		if c.MaxAge > 0 {
			jar[c.Name] = c
		} else {
			delete(jar, c.Name)
		}
	}
}

// inOrder returns cookies in the order in which they were set: the session's before the
// bound cookie.
func inOrder(jar map[string]*http.Cookie) (cookies []*http.Cookie) {
	for _, suffix := range []string{"", ".1", ".2", ".3", ".4", ".device"} {
		if c := jar["__Host-oauthlogin"+suffix]; c != nil {
			cookies = append(cookies, c)
		}
	}
	return cookies
}

// Serve serves n requests of one kind and returns how long one takes.
func (b *Bound) Serve(bound bool, n int) time.Duration {
	i := 0
	if bound {
		i = 1
	}
	start := time.Now()
	for range n {
		clear(b.w.header)
		b.handlers[i].ServeHTTP(b.w, b.requests[i])
	}
	return time.Since(start) / time.Duration(n)
}

// Ratio returns how many times as long a request of a bound session takes: by the fastest
// of several rounds, as other programs slow down some.
func (b *Bound) Ratio(rounds int) float64 {
	const n = 2000
	best := [2]time.Duration{time.Hour, time.Hour}
	for range rounds {
		best[0] = min(best[0], b.Serve(false, n))
		best[1] = min(best[1], b.Serve(true, n))
	}
	return float64(best[1]) / float64(best[0])
}

// Served returns how many requests have reached the handlers.
func (b *Bound) Served() int { return b.served }
