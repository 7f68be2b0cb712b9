package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func run(t *testing.T) *oauthlogintest.Site {
	t.Helper()
	return oauthlogintest.Run(t, oauthlogintest.Config{}, func(base string, p *oauthlogintest.Provider) http.Handler {
		app, err := newApp("a secret of the tests, over 32 bytes long", p.Registration(base), p.HTTPClient())
		if err != nil {
			t.Fatal(err)
		}
		return app
	})
}

// send sends a request as a script of the page does.
func send(b *oauthlogintest.Browser, method, path, form string, header ...string) *oauthlogintest.Response {
	r, _ := http.NewRequest(method, path, strings.NewReader(form))
	r.Header.Set("Referer", "https://app.test/")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return b.Do(r)
}

var htmx = []string{"HX-Request", "true", "HX-Current-URL", "https://app.test/", "Accept", "text/html", "Content-Type", "application/x-www-form-urlencoded"}

func wantBody(t *testing.T, resp *oauthlogintest.Response, status int, body string) {
	t.Helper()
	if resp.Status != status || !strings.Contains(resp.Body, body) {
		t.Errorf("%s: status %d, %s; want %d, %s", resp.URL, resp.Status, resp.Body, status, body)
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	visitor := run(t).Browser()
	for path, text := range map[string]string{"/": "app.js", "/app.js": "/scripts.js", "/scripts.js": "authFetch", "/htmx.min.js": "htmx"} {
		wantBody(t, visitor.Navigate(path), 200, text)
	}
}

func TestSessionRunsOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		alice := run(t).SignIn("alice")
		wantBody(t, send(alice, "GET", "/api/me", ""), 200, `{"name":"Alice Archer","sub":"alice"}`)
		wantBody(t, send(alice, "POST", "/notes", "note=%3Cb%3E", htmx...), 200, "Alice Archer has saved <q>&lt;b&gt;</q>.")

		// The page asks every second, which does not prolong the session, and nor does the stream.
		before := time.Now()
		stream := send(alice, "GET", "/events", "", "Accept", "text/event-stream")
		if took := time.Since(before); stream.Status != 200 || took < 25*time.Second || took > 31*time.Second || strings.Count(stream.Body, "\n\n") < 25 {
			t.Errorf("the stream has status %d and ends after %v with\n%s", stream.Status, took, stream.Body)
		}
		before = time.Now()
		for strings.Contains(send(alice, "GET", "/api/session", "").Body, `"signed_in":true`) && time.Since(before) < time.Minute {
			time.Sleep(time.Second)
		}
		if took := time.Since(before); took > 5*time.Second {
			t.Errorf("the session is there %v after its stream ended", took)
		}
		wantBody(t, send(alice, "GET", "/api/session", ""), 200, `{"signed_in":false,"login_url":"/login?return_to=%2F"}`)

		// Scripts get the way to the login, and no redirect.
		refused := `{"error":"unauthenticated","login_url":"/login?return_to=%2F"}`
		wantBody(t, send(alice, "GET", "/api/me", ""), 401, refused)
		wantBody(t, send(alice, "GET", "/events", "", "Accept", "text/event-stream"), 401, refused)
		saving := send(alice, "POST", "/notes", "note=kept", htmx...)
		wantBody(t, saving, 401, refused)
		var says struct {
			LoginURL string `json:"login_url"`
		}
		if err := json.Unmarshal([]byte(saving.Body), &says); err != nil || saving.Header.Get("HX-Redirect") != says.LoginURL {
			t.Errorf("HX-Redirect is %q, login_url %q, %v", saving.Header.Get("HX-Redirect"), says.LoginURL, err)
		}
		alice.Navigate(says.LoginURL)
		if landed := alice.SignIn("alice"); landed.URL != "https://app.test/" {
			t.Errorf("the login leads to %s", landed.URL)
		}
		wantBody(t, send(alice, "POST", "/notes", "note=kept", htmx...), 200, "<q>kept</q>")
	})
}
