package adversarial_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"weak"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
)

// leavesNothing fails the test if do leaves more than 2 MiB on the heap or a
// goroutine behind. Tests that use it are not parallel, so that the heap is their
// own.
func leavesNothing(t *testing.T, do func()) {
	t.Helper()
	before, goroutines := apptest.HeapBytes(), runtime.NumGoroutine()
	do()
	if grown := apptest.HeapBytes() - before; grown > 2<<20 {
		t.Errorf("heap grew by %d KiB", grown>>10)
	}
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > goroutines; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines more than before", runtime.NumGoroutine()-goroutines)
		}
	}
}

// newBareAuth is a Middleware with a plain OAuth 2.0 provider that refuses every
// code, and with nothing around it that uses memory.
func newBareAuth(t *testing.T) *oauthlogin.Middleware {
	t.Helper()
	return apptest.NewAuth(t, oauthlogin.Options{
		Providers: []oauthlogin.Provider{apptest.PlainProvider("test", "https://app.test/auth/callback")},
		Keys:      [][]byte{apptest.Key(1)},
		Logger:    slog.New(slog.DiscardHandler),
		HTTPClient: &http.Client{Transport: apptest.RoundTripFunc(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 400, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{"error":"invalid_grant"}`))}, nil
		})},
	})
}

// CVE-2026-55512 nebula-mesh, CVE-2026-67437 CVE-2026-28789 OliveTin: each /login
// grew a map, and two at once broke it. CVE-2021-22119 Spring Security: pending
// authorization requests filled the session. The states alone would be 4 MiB.
func TestLoginKeepsNothing(t *testing.T) {
	const logins, each = 100_000, 2
	auth := newBareAuth(t)
	leavesNothing(t, func() {
		var clients sync.WaitGroup
		for client := range each {
			clients.Go(func() {
				r := httptest.NewRequest(http.MethodGet, "/login", nil)
				w := apptest.NewDiscard()
				for i := range logins / each {
					r.URL.RawQuery = "return_to=/" + strconv.Itoa(client) + "/" + strconv.Itoa(i)
					clear(w.Header())
					if auth.Login(w, r); len(w.Header()["Set-Cookie"]) != 1 || len(w.Header()["Location"]) != 1 {
						t.Errorf("login %d: %v", i, w)
						return
					}
				}
			})
		}
		clients.Wait()
	})
	runtime.KeepAlive(auth) // with whatever it holds
}

// Callbacks that lead nowhere leave nothing behind either. What is remembered of a
// real login's callback is bounded.
func TestBadCallbacksKeepNothing(t *testing.T) {
	auth := newBareAuth(t)
	login := func(path string) (state, cookie string) {
		w := httptest.NewRecorder()
		auth.Login(w, httptest.NewRequest(http.MethodGet, "/login?return_to="+path, nil))
		cookie, _, _ = strings.Cut(w.Header().Get("Set-Cookie"), ";")
		return apptest.QueryOf(w.Header().Get("Location")).Get("state"), cookie
	}
	_, elsewhere := login("/elsewhere")
	for _, test := range []struct {
		name     string
		times    int
		callback func(i string) (query, cookie string)
	}{
		{"an unknown state", 5000, func(i string) (string, string) { return "code=c&state=unknown-" + i, "" }},
		{"the state of another login", 1000, func(i string) (string, string) { return "code=c&state=unknown-" + i, elsewhere }},
		{"two states", 1000, func(i string) (string, string) { return "code=c&state=a&state=" + i, elsewhere }},
		{"a cookie that does not open", 1000, func(i string) (string, string) { return "code=c&state=a", apptest.FlowPrefix + i + "=" + elsewhere }},
		{"a user who denies access", 1500, func(i string) (string, string) {
			state, cookie := login("/" + strings.Repeat(i, 100))
			return "error=access_denied&state=" + state, cookie
		}},
		{"a wrong code", 500, func(i string) (string, string) {
			state, cookie := login("/" + strings.Repeat(i, 100))
			return "code=" + i + "&state=" + state, cookie
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			leavesNothing(t, func() {
				w := apptest.NewDiscard()
				for i := range test.times {
					query, cookie := test.callback(strconv.Itoa(i))
					r := httptest.NewRequest(http.MethodGet, "/auth/callback?"+query, nil)
					r.Header.Set("Cookie", cookie)
					clear(w.Header())
					if auth.Callback(w, r); w.Status != http.StatusBadRequest {
						t.Fatalf("callback %d: %d", i, w.Status)
					}
				}
			})
		})
	}
	runtime.KeepAlive(auth)
}

// The provider's metadata does not hold on to the request that fetched it.
func TestDiscoveryKeepsNoRequest(t *testing.T) {
	a := apptest.New(t, apptest.Config{})
	type key struct{}
	login := func() weak.Pointer[[1 << 20]byte] {
		value := new([1 << 20]byte)
		ctx := context.WithValue(t.Context(), key{}, value)
		w := httptest.NewRecorder()
		a.Auth.Login(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/login", nil))
		if w.Code != http.StatusSeeOther {
			t.Fatal(w.Code)
		}
		return weak.Make(value)
	}
	value := login()
	apptest.HeapBytes()
	if value.Value() != nil {
		t.Error("a value of the first request's context is kept")
	}
	runtime.KeepAlive(a)
}

// The response to a request full of flow cookies is small.
func TestManyFlowCookiesAreBounded(t *testing.T) {
	a := apptest.New(t, apptest.Config{})
	var many strings.Builder
	for i := range 2900 {
		fmt.Fprintf(&many, "%s%d=;", apptest.FlowPrefix, i)
	}
	w := a.Serve(http.MethodGet, "/login", "Cookie", many.String())
	if n := len(w.Header()["Set-Cookie"]); w.Code != http.StatusSeeOther || n > 100 {
		t.Errorf("%d with %d cookies", w.Code, n)
	}
}

// Headers of a megabyte are not split to their end.
func TestLongHeadersCostLittle(t *testing.T) {
	auth := newBareAuth(t)
	guarded := auth.RequireAuth(http.NotFoundHandler())
	commas, letters := strings.Repeat(",", 1_000_000), strings.Repeat("A", 1_000_000)
	for _, field := range [][2]string{{"X-Forwarded-Host", commas}, {"X-Forwarded-Proto", letters}, {"Purpose", letters}, {"Accept", commas}, {"Cookie", strings.Repeat(";", 1_000_000)}} {
		for _, path := range []string{"/login", "/dashboard"} {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.Header.Set(field[0], field[1])
			guarded.ServeHTTP(httptest.NewRecorder(), r) // with what is said once
			if n := allocates(func() { guarded.ServeHTTP(httptest.NewRecorder(), r) }); n > 256<<10 {
				t.Errorf("%s of %s: %d bytes allocated", field[0], path, n)
			}
		}
	}
}
