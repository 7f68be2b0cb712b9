package adversarial_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// What handlers do with connections works behind RequireAuth as it does
// without, whether or not a refresh comes first.
func TestStreaming(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		handle http.HandlerFunc
		visit  func(t *testing.T, b *apptest.Browser)
		cookie bool // that the answer carries the new one, where there is one
	}{
		{"server-sent events", apptest.ServeEvents, apptest.VisitEvents, true},
		{"a WebSocket", apptest.ServeWebSocket, apptest.VisitWebSocket, false},
		{"deadlines", serveDeadlines, visitDeadlines, true},
		{"trailers", serveTrailers, visitTrailers, true},
		{"both directions at once", serveDuplex, visitDuplex, true},
	} {
		for _, due := range []bool{false, true} {
			name := tt.name
			if due {
				name += " after a refresh"
			}
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					a := apptest.New(t, apptest.Config{})
					served := make(chan struct{})
					a.Guard("/stream", func(w http.ResponseWriter, r *http.Request) {
						defer close(served)
						tt.handle(w, r)
					})
					b := a.Browser(t)
					b.Login("/dashboard")
					b.Client.Transport = apptest.ServePipes(t, a.Net["app.test"])
					refreshes := 0
					if due {
						time.Sleep(2 * time.Hour)
						refreshes = 1
					}
					old := b.Cookies()[apptest.SessionCookie]
					tt.visit(t, b)
					<-served
					if changed := b.Cookies()[apptest.SessionCookie] != old; changed != (due && tt.cookie) {
						t.Errorf("the session cookie has changed: %t", changed)
					}
					a.WantRefreshes(t, refreshes)
					if resp := b.Get("/access"); resp.StatusCode != http.StatusOK || resp.Text == "" {
						t.Errorf("afterwards: %d, token %q", resp.StatusCode, resp.Text)
					}
					if changed := b.Cookies()[apptest.SessionCookie] != old; changed != due {
						t.Errorf("after the next answer the session cookie has changed: %t", changed)
					}
					a.WantRefreshes(t, refreshes)
				})
			})
		}
	}
}

// serveDeadlines writes until its deadline cuts it off.
func serveDeadlines(w http.ResponseWriter, _ *http.Request) {
	control := http.NewResponseController(w)
	if err := control.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
		fmt.Fprint(w, err)
		return
	}
	if err := control.SetWriteDeadline(time.Now().Add(2500 * time.Millisecond)); err != nil {
		fmt.Fprint(w, err)
		return
	}
	for err := error(nil); err == nil; err = control.Flush() {
		fmt.Fprint(w, ".")
		time.Sleep(time.Second)
	}
}

func visitDeadlines(t *testing.T, b *apptest.Browser) {
	resp, err := b.Client.Do(b.Request(http.MethodGet, "/stream", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err == nil || strings.Trim(string(body), ".") != "" {
		t.Errorf("the answer ends with %v: %q", err, body)
	}
}

func serveTrailers(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Trailer", "X-Sum")
	fmt.Fprint(w, "body")
	w.Header().Set("X-Sum", "4")
	w.Header().Set(http.TrailerPrefix+"X-More", "5")
}

func visitTrailers(t *testing.T, b *apptest.Browser) {
	resp := b.Get("/stream")
	if resp.Text != "body" || resp.Trailer.Get("X-Sum") != "4" || resp.Trailer.Get("X-More") != "5" {
		t.Errorf("answer is %q with trailers %v", resp.Text, resp.Trailer)
	}
}

// serveDuplex answers each line before it reads the next.
func serveDuplex(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	if err := control.EnableFullDuplex(); err != nil {
		fmt.Fprint(w, err)
		return
	}
	control.Flush()
	for lines := bufio.NewScanner(r.Body); lines.Scan(); control.Flush() {
		fmt.Fprintln(w, "echo of", lines.Text())
	}
}

func visitDuplex(t *testing.T, b *apptest.Browser) {
	body, lines := io.Pipe()
	resp, err := b.Client.Do(b.Request(http.MethodPost, "/stream", body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answers := bufio.NewScanner(resp.Body)
	for i := range 3 {
		fmt.Fprintln(lines, i)
		if answers.Scan(); answers.Text() != fmt.Sprint("echo of ", i) {
			t.Errorf("answer %d is %q", i, answers.Text())
		}
	}
	lines.Close()
	if answers.Scan() {
		t.Errorf("another answer: %q", answers.Text())
	}
}

// A client that hangs up while the provider takes its time over the refresh
// does not wait for it, and loses nothing.
func TestHangUpDuringRefresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		a.SlowTokens(5 * time.Second)
		b := a.Browser(t)
		b.Login("/dashboard")
		b.Client.Transport = apptest.ServePipes(t, a.Net["app.test"])
		time.Sleep(2 * time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.Client.Do(b.Request(http.MethodGet, "/access", nil).WithContext(ctx)); err == nil {
			t.Fatal("the refresh took no time")
		}
		start := time.Now()
		if resp := b.Get("/access"); resp.StatusCode != http.StatusOK || resp.Text == "" || time.Since(start) != 4*time.Second {
			t.Errorf("after %v: %d, token %q", time.Since(start), resp.StatusCode, resp.Text)
		}
		a.WantRefreshes(t, 1)
		if n := a.Provider.Count(oauthlogintest.Token); n != 2 {
			t.Errorf("%d token requests", n)
		}
	})
}
