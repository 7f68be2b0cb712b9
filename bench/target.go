package bench

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// A Target is one way to serve requests.
type Target struct {
	Name string
	Size Size // "" if there is no session
	Ours bool
	// Floor and Opening mark the references for ratios: the minimum cost of a
	// request with a context value, and the minimum cost of opening a cookie of
	// this size with securecookie.
	Floor, Opening bool
	// asks says that the handler asks for its session, as most do. That of a peer finds it
	// in the request's context at no cost.
	asks bool
	// CookieBytes is the length of all cookies, each as name=value.
	CookieBytes int
	// Refusal, if not nil, is why the target does not support this size.
	Refusal error

	requests []*http.Request
	wants    []string // access tokens
	serve    func(next http.Handler) (http.Handler, error)
	// token returns the access token that a handler sees.
	token func(*http.Request) string
	// anew creates a new handler for each round of the requests, so that every
	// session is seen for the first time.
	anew bool
}

// opened is the number of different sessions in a round of requests.
const opened = 128

// Targets returns all targets, the floor first.
func Targets() ([]*Target, error) {
	floor := &Target{
		Name: "floor: context.WithValue and r.WithContext", Floor: true,
		requests: []*http.Request{newRequest(publicOrigin+"/", nil)},
		serve: func(next http.Handler) (http.Handler, error) {
			s := &session{}
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, s)))
			}), nil
		},
		token: func(*http.Request) string { return "" },
	}
	targets := []*Target{floor}
	for _, size := range []Size{Small, Large} {
		p, err := NewProvider("https://provider.example.com", size)
		if err != nil {
			return nil, err
		}
		logins, err := p.Logins(opened)
		if err != nil {
			return nil, err
		}
		ours, err := p.ours(logins)
		if err != nil {
			return nil, err
		}
		nop, err := nopEncoder(ours[0].CookieBytes)
		if err != nil {
			return nil, err
		}
		opening := target(nop, size, logins)
		opening.Opening = true
		targets = append(targets, append(ours, opening)...)
		for _, peer := range peers() {
			targets = append(targets, target(peer, size, logins))
		}
	}
	return targets, nil
}

func (p *Provider) ours(logins []Login) ([]*Target, error) {
	all := Target{Size: p.size, Ours: true, CookieBytes: cookieBytes(logins[0].Cookies), asks: true, token: func(r *http.Request) string {
		s, ok := oauthlogin.FromContext(r.Context())
		if !ok {
			return ""
		}
		return s.Token().AccessToken
	}}
	for _, login := range logins {
		all.requests = append(all.requests, newRequest(publicOrigin+"/dashboard", login.Cookies))
		all.wants = append(all.wants, login.session.Token.AccessToken)
	}
	one, none := all, all
	one.requests, one.wants = all.requests[:1], all.wants[:1]
	none.requests, none.wants, none.Size, none.CookieBytes, none.asks = []*http.Request{newRequest(publicOrigin+"/dashboard", nil)}, nil, "", 0, false
	silent, anew := one, all
	silent.asks, anew.anew = false, true
	requireAuth := func(auth *oauthlogin.Middleware, next http.Handler) http.Handler { return auth.RequireAuth(next) }

	targets := []*Target{
		one.with("oauthlogin RequireAuth, seen before", p.serve(requireAuth)),
		silent.with("oauthlogin RequireAuth, seen before, the handler does not ask", p.serve(requireAuth)),
		one.with("oauthlogin RequireAuth, seen before, with a Coordinator", p.serveCoordinated(requireAuth)),
		one.with("oauthlogin Handler and RequireAuth, seen before", p.serve(func(auth *oauthlogin.Middleware, next http.Handler) http.Handler {
			return auth.Handler(auth.RequireAuth(next))
		})),
		one.with("oauthlogin Handler, http.ServeMux and RequireAuth, seen before", p.serve(application)),
	}
	full, err := p.everything()
	if err != nil {
		return nil, err
	}
	one.requests, one.wants, one.CookieBytes = []*http.Request{full.request}, []string{full.token}, full.cookieBytes
	targets = append(targets,
		one.with("oauthlogin with everything on, seen before", full.serve),
		anew.with("oauthlogin RequireAuth, not seen before", p.serve(requireAuth)))
	if p.size == Small {
		targets = append(targets, none.with("oauthlogin Handler, no session", p.serve((*oauthlogin.Middleware).Handler)))
	}
	return targets, nil
}

// application wires up routes as a typical main function does.
func application(auth *oauthlogin.Middleware, dashboard http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", http.NotFound)
	mux.Handle("GET /dashboard", auth.RequireAuth(dashboard))
	mux.HandleFunc("GET /reports/{id}", http.NotFound)
	return auth.Handler(mux)
}

// serve returns a function that wraps a handler with a new Middleware.
func (p *Provider) serve(wrap func(*oauthlogin.Middleware, http.Handler) http.Handler) func(http.Handler) (http.Handler, error) {
	return func(next http.Handler) (http.Handler, error) {
		auth, err := p.newMiddleware()
		if err != nil {
			return nil, err
		}
		return wrap(auth, next), nil
	}
}

// serveCoordinated is serve for one of several instances. It goes on to hear of changes
// until the process ends.
func (p *Provider) serveCoordinated(wrap func(*oauthlogin.Middleware, http.Handler) http.Handler) func(http.Handler) (http.Handler, error) {
	return func(next http.Handler) (http.Handler, error) {
		opts := p.Options(publicOrigin, &http.Client{Transport: inProcess{p}})
		opts.Coordinator = oauthlogintest.NewCoordinator()
		auth, err := oauthlogin.New(opts)
		if err != nil {
			return nil, err
		}
		return wrap(auth, next), nil
	}
}

func (t Target) with(name string, serve func(http.Handler) (http.Handler, error)) *Target {
	t.Name, t.serve = name, serve
	return &t
}

func target(peer peer, size Size, logins []Login) *Target {
	t := &Target{
		Name: peer.name, Size: size,
		serve: func(next http.Handler) (http.Handler, error) { return peer.protect(next), nil },
	}
	byTail := map[string]string{}
	t.token = func(r *http.Request) string {
		s := r.Context().Value(contextKey{}).(*session)
		if s.packed != nil {
			return byTail[string(s.packed[:tailBytes])]
		}
		return s.Token.AccessToken
	}
	for _, login := range logins {
		cookies, err := peer.store(login.session)
		if err != nil {
			t.Refusal = err
			return t
		}
		t.requests = append(t.requests, newRequest(publicOrigin+"/dashboard", cookies))
		t.wants = append(t.wants, login.session.Token.AccessToken)
		byTail[tail(login.session.Token.AccessToken)] = login.session.Token.AccessToken
		t.CookieBytes = cookieBytes(cookies)
	}
	return t
}

func cookieBytes(cookies []*http.Cookie) (n int) {
	for _, c := range cookies {
		n += len(c.Name) + 1 + len(c.Value)
	}
	return n
}

// Check serves each request twice and checks the access token that the handler
// sees.
func (t *Target) Check() error {
	var seen []string
	h, err := t.serve(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if t.wants != nil {
			seen = append(seen, t.token(r))
		}
	}))
	if err != nil {
		return err
	}
	for i, r := range t.requests {
		for range 2 {
			h.ServeHTTP(&discard{header: http.Header{}}, r.Clone(r.Context()))
		}
		if t.wants != nil && (len(seen) != 2*i+2 || seen[2*i] != t.wants[i] || seen[2*i+1] != t.wants[i]) {
			return fmt.Errorf("bench: %s: request %d does not reach the handler with its own session", t.Name, i)
		}
	}
	return nil
}

// Benchmark serves the requests in turn.
func (t *Target) Benchmark(b *testing.B) {
	if t.Refusal != nil {
		b.Skip("size not supported: ", t.Refusal)
	}
	b.ReportAllocs()
	b.StopTimer()
	run, err := t.start()
	for done := 0; done < b.N && err == nil; done += opened {
		n := min(opened, b.N-done)
		if err = run.prepare(); err != nil {
			break
		}
		b.StartTimer()
		run.serve(n)
		b.StopTimer()
	}
	if err == nil {
		err = run.complete(b.N)
	}
	if err != nil {
		b.Fatal(err)
	}
}

// Measure returns the CPU time per request, including garbage collection. On a
// busy machine, CPU time varies less than wall-clock time. Measure runs until the
// requests have used at least atLeast.
func (t *Target) Measure(atLeast time.Duration) (perRequest time.Duration, err error) {
	run, err := t.start()
	if err != nil {
		return 0, err
	}
	const atOnce = opened
	runtime.GC()
	run.serve(atOnce) // to warm up
	n := 0
	var took time.Duration
	for took < atLeast {
		if err := run.prepare(); err != nil {
			return 0, err
		}
		start := CPUTime()
		run.serve(atOnce)
		took += CPUTime() - start
		n += atOnce
	}
	return took / time.Duration(n), run.complete(n + atOnce)
}

// CPUTime returns the CPU time that this process has used so far.
func CPUTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err) // cannot fail with valid arguments
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// A run serves the requests of a target.
type run struct {
	*Target
	handler http.Handler
	w       discard
	served  int
	// scratch is a copy of the request, for libraries that might cache data in
	// the request and find it the next time.
	scratch http.Request
}

func (t *Target) start() (*run, error) {
	r := &run{Target: t, w: discard{header: http.Header{}}}
	err := r.makeHandler()
	return r, err
}

func (r *run) makeHandler() (err error) {
	next := func(_ http.ResponseWriter, request *http.Request) { r.served++ }
	if r.asks {
		next = func(_ http.ResponseWriter, request *http.Request) {
			if _, ok := oauthlogin.FromContext(request.Context()); ok {
				r.served++
			}
		}
	}
	r.handler, err = r.Target.serve(http.HandlerFunc(next))
	return err
}

// prepare must be called before each round of requests.
func (r *run) prepare() error {
	if r.anew {
		return r.makeHandler()
	}
	return nil
}

func (r *run) serve(n int) {
	next := 0
	for range n {
		request := r.requests[next]
		if !r.Ours && !r.Floor {
			r.scratch = *request
			request = &r.scratch
		}
		if next++; next == len(r.requests) {
			next = 0
		}
		clear(r.w.header)
		r.handler.ServeHTTP(&r.w, request)
	}
}

func (r *run) complete(n int) error {
	if r.served != n {
		return fmt.Errorf("bench: %s: %d of %d requests reached the handler", r.Name, r.served, n)
	}
	return nil
}

// discard is a ResponseWriter that discards the body and the status.
type discard struct{ header http.Header }

func (w *discard) Header() http.Header         { return w.header }
func (w *discard) Write(b []byte) (int, error) { return len(b), nil }
func (w *discard) WriteHeader(int)             {}
