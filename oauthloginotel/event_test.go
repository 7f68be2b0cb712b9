package oauthloginotel_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
	"go.opentelemetry.io/otel/codes"
)

// untilDue is how long after a login its tokens are to be refreshed.
const untilDue = 59*time.Minute + 30*time.Second

// Events are counted by kind, provider and outcome, and logins and refreshes timed.
func TestEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := runApp(t)
		b := a.Browser()
		b.Navigate("/dashboard")
		time.Sleep(20 * time.Second) // on the sign-in page
		a.slowly(3 * time.Second)
		b.SignIn("alice")
		b.Fetch("/admin")
		time.Sleep(untilDue)
		b.Fetch("/dashboard")
		time.Sleep(untilDue)
		a.failWith(http.StatusServiceUnavailable, "down")
		b.Fetch("/dashboard")
		b.PostForm("/logout", nil)

		a.Provider.AutoApprove("bob")
		a.failWith(http.StatusBadRequest, `{"error":"invalid_grant"}`)
		a.Browser().Navigate("/dashboard")

		a.Provider.Intercept(oauthlogintest.Token, nil)
		bob := a.Browser()
		bob.Navigate("/dashboard")
		time.Sleep(untilDue)
		a.failWith(http.StatusBadRequest, `{"error":"invalid_grant"}`)
		bob.Fetch("/dashboard")

		a.want("oauthlogin.events",
			"oauthlogin.events{oauthlogin.event=login,oauthlogin.provider=idp,oauthlogin.session.ended=false} 2",
			"oauthlogin.events{error.type=invalid_grant,oauthlogin.event=login,oauthlogin.provider=idp,oauthlogin.session.ended=false} 1",
			"oauthlogin.events{error.type=forbidden,oauthlogin.event=denied,oauthlogin.provider=idp,oauthlogin.session.ended=false} 1",
			"oauthlogin.events{oauthlogin.event=refresh,oauthlogin.provider=idp,oauthlogin.session.ended=false} 1",
			"oauthlogin.events{error.type=provider_unavailable,oauthlogin.event=refresh_failed,oauthlogin.provider=idp,oauthlogin.session.ended=false} 1",
			"oauthlogin.events{error.type=invalid_grant,oauthlogin.event=refresh_failed,oauthlogin.provider=idp,oauthlogin.session.ended=true} 1",
			"oauthlogin.events{oauthlogin.event=logout,oauthlogin.provider=idp,oauthlogin.session.ended=true} 1",
		)
		a.want("oauthlogin.login.",
			"oauthlogin.login.duration{oauthlogin.provider=idp} 2, 23 s",
			"oauthlogin.login.duration{error.type=invalid_grant,oauthlogin.provider=idp} 1, 0 s",
		)
		a.want("oauthlogin.refresh.",
			"oauthlogin.refresh.duration{oauthlogin.provider=idp} 1, 3 s",
			"oauthlogin.refresh.duration{error.type=provider_unavailable,oauthlogin.provider=idp} 1, 0 s",
			"oauthlogin.refresh.duration{error.type=invalid_grant,oauthlogin.provider=idp} 1, 0 s",
		)
	})
}

// A refresh is a span as long as the refresh, below the request's. Other events are on the span
// of the request.
func TestEventSpans(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := runApp(t)
		b := a.SignIn("alice")
		a.slowly(3 * time.Second)
		time.Sleep(untilDue)
		b.Fetch("/dashboard")
		time.Sleep(untilDue)
		a.failWith(http.StatusBadRequest, `{"error":"invalid_grant"}`)
		b.Fetch("/dashboard")

		logins := a.ended("GET /auth/callback")
		if len(logins) != 1 || len(logins[0].Events()) != 1 || logins[0].Events()[0].Name != "oauthlogin.login" {
			t.Errorf("callbacks %v; want one with the event oauthlogin.login", logins)
		}
		pages, refreshes := a.ended("GET /dashboard"), a.ended("oauthlogin.refresh")
		if len(refreshes) != 2 || len(pages) != 2 {
			t.Fatalf("%d refreshes of %d requests; want two of two", len(refreshes), len(pages))
		}
		good, bad := refreshes[0], refreshes[1]
		if d := good.EndTime().Sub(good.StartTime()); d != 3*time.Second || good.Parent().SpanID() != pages[0].SpanContext().SpanID() || good.Status().Code != codes.Unset {
			t.Errorf("the refresh took %v, below %v, with status %v; want 3s, below the request's span, without an error", d, good.Parent().SpanID(), good.Status())
		}
		if bad.Status().Code != codes.Error || bad.Status().Description != "" {
			t.Errorf("the failed refresh has the status %v; want an error without a text", bad.Status())
		}
	})
}

// An event of a kind that is not known here, whose error has no code, is counted all the same.
func TestUnknownEvent(t *testing.T) {
	t.Parallel()
	r := record(t)
	r.OnEvent(t.Context(), oauthlogin.Event{Kind: "device_refused", Provider: "idp", Subject: "alice", Err: errors.New("s3cret")})
	r.want("oauthlogin.", "oauthlogin.events{error.type=_OTHER,oauthlogin.event=device_refused,oauthlogin.provider=idp,oauthlogin.session.ended=false} 1")
}

// No user, no URL's query and no text of an error is in a metric or in a span.
func TestNothingPersonal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := runApp(t)
		a.Provider.SetUser(oauthlogintest.User{Subject: "sub-of-alice", Email: "mail-of-alice@example.com", EmailVerified: true})
		b := a.SignIn("sub-of-alice")
		b.Fetch("/admin")
		time.Sleep(untilDue)
		b.Fetch("/dashboard")
		time.Sleep(untilDue)
		a.failWith(http.StatusBadRequest, `{"error":"invalid_grant","error_description":"text-of-error"}`)
		b.Fetch("/dashboard")
		a.coordinator.SetDown(true)
		b.Fetch("/dashboard")
		b.PostForm("/logout", nil)

		secrets := []string{"alice", "text-of-error", "?"}
		for _, r := range a.Provider.Requests(oauthlogintest.Token) {
			for _, name := range []string{"code", "code_verifier", "refresh_token"} {
				if value := r.Form.Get(name); value != "" {
					secrets = append(secrets, value)
				}
			}
		}
		if len(secrets) < 7 {
			t.Errorf("looks for %d secrets", len(secrets))
		}
		recorded := a.metrics("")
		for _, span := range a.spans.Ended() {
			recorded = append(recorded, span.Name(), span.Status().Description)
			for _, kv := range span.Attributes() {
				recorded = append(recorded, string(kv.Key)+"="+kv.Value.String())
			}
			for _, event := range span.Events() {
				recorded = append(recorded, event.Name)
				for _, kv := range event.Attributes {
					recorded = append(recorded, string(kv.Key)+"="+kv.Value.String())
				}
			}
		}
		if len(recorded) < 50 {
			t.Errorf("recorded %d texts", len(recorded))
		}
		for _, text := range recorded {
			for _, secret := range secrets {
				if strings.Contains(text, secret) {
					t.Errorf("%q contains %q", text, secret)
				}
			}
		}
	})
}
