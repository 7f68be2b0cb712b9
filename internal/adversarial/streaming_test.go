package adversarial_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/apptest"
)

// RequireAuth does not wrap the ResponseWriter, and what handlers do with connections
// works behind it as it does without, whether or not a refresh comes first. This is
// here because clients that hang up, send late or never stop are how servers run out
// of goroutines: the bubble ends only when all of them have.
func TestStreaming(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		handle http.HandlerFunc
		visit  func(t *testing.T, b *apptest.Browser)
		cookie bool // the response carries the new cookie, if there is one
	}{
		{"server-sent events", apptest.ServeEvents, apptest.VisitEvents, true},
		{"a WebSocket", apptest.ServeWebSocket, apptest.VisitWebSocket, false},
		{"deadlines", serveDeadlines, visitDeadlines, true},
		{"trailers", serveTrailers, visitTrailers, true},
		{"both directions at once", serveDuplex, visitDuplex, true},
	} {
		for _, due := range []bool{false, true} {
			name := test.name
			if due {
				name += " after a refresh"
			}
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					a := apptest.New(t, apptest.Config{})
					served := make(chan struct{})
					a.Guard("/stream", func(w http.ResponseWriter, r *http.Request) {
						defer close(served)
						test.handle(w, r)
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
					test.visit(t, b)
					<-served
					if changed := b.Cookies()[apptest.SessionCookie] != old; changed != (due && test.cookie) {
						t.Errorf("the session cookie has changed: %t", changed)
					}
					a.WantRefreshes(t, refreshes)
					if resp := b.Get("/access"); resp.StatusCode != http.StatusOK || resp.Text == "" {
						t.Errorf("afterwards: %d, token %q", resp.StatusCode, resp.Text)
					}
					if changed := b.Cookies()[apptest.SessionCookie] != old; changed != due {
						t.Errorf("after the next response the session cookie has changed: %t", changed)
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
	if err := errors.Join(control.SetReadDeadline(time.Now().Add(time.Hour)), control.SetWriteDeadline(time.Now().Add(2500*time.Millisecond))); err != nil {
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
		t.Errorf("the response ends with %v: %q", err, body)
	}
}

func serveTrailers(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Trailer", "X-Sum")
	if _, ok := w.(io.ReaderFrom); !ok {
		return
	}
	io.Copy(w, io.LimitReader(strings.NewReader(strings.Repeat("x", 9000)), 9000))
	w.Header().Set("X-Sum", "9000")
	w.Header().Set(http.TrailerPrefix+"X-More", "5")
}

func visitTrailers(t *testing.T, b *apptest.Browser) {
	resp := b.Get("/stream")
	if len(resp.Text) != 9000 || resp.Trailer.Get("X-Sum") != "9000" || resp.Trailer.Get("X-More") != "5" {
		t.Errorf("%d bytes with trailers %v", len(resp.Text), resp.Trailer)
	}
	if resp := b.Do(b.Request(http.MethodHead, "/dashboard", nil)); resp.StatusCode != http.StatusOK || resp.Text != "" {
		t.Errorf("HEAD: %d %q", resp.StatusCode, resp.Text)
	}
}

// serveDuplex echoes each line before it reads the next.
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
	echoes := bufio.NewScanner(resp.Body)
	for i := range 3 {
		fmt.Fprintln(lines, i)
		if echoes.Scan(); echoes.Text() != fmt.Sprint("echo of ", i) {
			t.Errorf("line %d is %q", i, echoes.Text())
		}
	}
	lines.Close()
	if echoes.Scan() {
		t.Errorf("another line: %q", echoes.Text())
	}
}
