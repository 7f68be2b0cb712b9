package oauthlogin_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// A boundAPI is an API at https://api.test that wants bound tokens, with a nonce of its own.
type boundAPI struct {
	t      *testing.T
	nonce  string          // that proofs need; "": none
	stale  map[string]bool // tokens that are rejected
	says   http.HandlerFunc
	sent   []http.Header
	bodies []string
	paths  []string
}

func newBoundAPI(t *testing.T, a *apptest.App) *boundAPI {
	api := &boundAPI{t: t, stale: map[string]bool{}}
	a.Net["api.test"] = api
	a.Guard("/call", callThrough(a, "https://api.test/thing?x=1"))
	return api
}

func (api *boundAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	api.sent, api.paths = append(api.sent, r.Header.Clone()), append(api.paths, r.URL.Path)
	body, _ := io.ReadAll(r.Body)
	api.bodies = append(api.bodies, string(body))
	token, isDPoP := strings.CutPrefix(r.Header.Get("Authorization"), "DPoP ")
	_, claims := proofOf(api.t, r.Header)
	if !isDPoP || claims["htu"] != "https://api.test"+r.URL.Path || claims["htm"] != r.Method || claims["ath"] == nil {
		api.t.Errorf("%s %s with %.8q and the proof %v", r.Method, r.URL.Path, r.Header.Get("Authorization"), claims)
	}
	refuse := func(code string) {
		w.Header().Set("WWW-Authenticate", `DPoP algs="ES256", error="`+code+`"`)
		w.WriteHeader(http.StatusUnauthorized)
	}
	if api.nonce != "" {
		w.Header().Set("DPoP-Nonce", api.nonce)
	}
	switch {
	case api.nonce != "" && claims["nonce"] != api.nonce:
		refuse("use_dpop_nonce")
	case api.stale[token]:
		refuse("invalid_token")
	case api.says != nil:
		api.says(w, r)
	default:
		w.Write([]byte("thing"))
	}
}

// The OpenID Foundation's
// fapi2-security-profile-final-client-test-rs-dpop-auth-scheme-case-insensitivity: the
// scheme of a challenge may be written in any case.
//
// RFC 9449 section 9: a 401 for a nonce is no reason to refresh, and one for the token is.
// Nonce, then invalid_token, then a refresh, then success: one retry for each.
func TestAPIWantsNonceAndRefresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := bound(t, apptest.Config{})
		api := newBoundAPI(t, a)
		b := a.Browser(t)
		b.Login("/dashboard")

		api.nonce = "n1"
		if resp := b.Get("/call"); resp.Text != "thing" || len(api.sent) != 2 {
			t.Errorf("%d %s after %d calls", resp.StatusCode, resp.Text, len(api.sent))
		}
		a.WantRefreshes(t, 0)
		if resp := b.Get("/call"); resp.Text != "thing" || len(api.sent) != 3 { // the nonce is known
			t.Errorf("%d %s after %d calls", resp.StatusCode, resp.Text, len(api.sent))
		}

		time.Sleep(time.Minute)
		token := b.Get("/access").Text
		api.stale[token], api.nonce, api.sent = true, "n2", nil
		if resp := b.Get("/call"); resp.Text != "thing" || len(api.sent) != 3 {
			t.Errorf("%d %s after %d calls", resp.StatusCode, resp.Text, len(api.sent))
		}
		a.WantRefreshes(t, 1)
		if got := b.Get("/access").Text; got == token {
			t.Error("the token is the old one")
		}

		// And a nonce that is new once more after the refresh.
		time.Sleep(time.Minute)
		api.stale[b.Get("/access").Text], api.sent = true, nil
		a.RespondToRefreshes(func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
			api.nonce = "n3"
			next(w, r)
		})
		if resp := b.Get("/call"); resp.Text != "thing" || len(api.sent) != 3 {
			t.Errorf("%d %s after %d calls", resp.StatusCode, resp.Text, len(api.sent))
		}
		a.WantRefreshes(t, 2)
	})
}

// What is about the proof alone causes no refresh, however often it is said.
func TestProofsThatAnAPIRefuses(t *testing.T) {
	t.Parallel()
	for code, calls := range map[string]int{"use_dpop_nonce": 2, "invalid_dpop_proof": 1} {
		a := bound(t, apptest.Config{})
		api := newBoundAPI(t, a)
		api.says = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `dpop error="`+code+`"`)
			w.Header().Set("DPoP-Nonce", "never")
			w.WriteHeader(http.StatusUnauthorized)
		}
		b := a.Browser(t)
		b.Login("/dashboard")
		if resp := b.Get("/call"); resp.StatusCode != http.StatusUnauthorized || len(api.sent) != calls {
			t.Errorf("%s: %d after %d calls", code, resp.StatusCode, len(api.sent))
		}
		a.WantRefreshes(t, 0)
		if !b.SignedIn() {
			t.Errorf("%s ends the session", code)
		}
	}
}

// A redirect on the same origin gets a proof of its own, and one to another origin gets
// neither token nor proof.
func TestBoundRedirects(t *testing.T) {
	t.Parallel()
	a := bound(t, apptest.Config{})
	api := newBoundAPI(t, a)
	api.nonce = "n1"
	var elsewhere []http.Header
	a.Net["other.test"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		elsewhere = append(elsewhere, r.Header.Clone())
		w.Header().Set("DPoP-Nonce", "hostile")
		w.Write([]byte("other"))
	})
	api.says = func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/thing":
			http.Redirect(w, r, "/moved?y=2", http.StatusTemporaryRedirect)
		case "/moved":
			http.Redirect(w, r, "https://other.test/", http.StatusTemporaryRedirect)
		}
	}
	b := a.Browser(t)
	b.Login("/dashboard")
	if resp := b.Get("/call"); resp.Text != "other" {
		t.Errorf("%d %s", resp.StatusCode, resp.Text)
	}
	if len(api.sent) != 3 || len(elsewhere) != 1 { // one for the nonce; boundAPI has checked htu
		t.Errorf("%d calls, %d elsewhere", len(api.sent), len(elsewhere))
	}
	for _, h := range elsewhere {
		if h.Get("Authorization") != "" || h.Get("DPoP") != "" {
			t.Errorf("elsewhere: %v", h)
		}
	}
}

// A body is sent again for a nonce if it can be had again, and otherwise the caller gets the
// 401, without a refresh.
func TestBoundBodies(t *testing.T) {
	t.Parallel()
	for _, replayable := range []bool{true, false} {
		a := bound(t, apptest.Config{})
		api := newBoundAPI(t, a)
		api.nonce = "n1"
		a.Guard("/post", func(w http.ResponseWriter, r *http.Request) {
			var body io.Reader = strings.NewReader("payload")
			if !replayable {
				body = io.NopCloser(body)
			}
			call, err := http.NewRequestWithContext(r.Context(), http.MethodPost, "https://api.test/post", body)
			if err != nil {
				t.Error(err)
				return
			}
			resp, err := a.Auth.Client(r.Context()).Do(call)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			w.WriteHeader(resp.StatusCode)
		})
		b := a.Browser(t)
		b.Login("/dashboard")
		resp := b.Get("/post")
		want := map[bool]int{true: http.StatusOK, false: http.StatusUnauthorized}[replayable]
		if resp.StatusCode != want || len(api.bodies) != map[bool]int{true: 2, false: 1}[replayable] || api.bodies[len(api.bodies)-1] != "payload" {
			t.Errorf("replayable %t: %d, bodies %q", replayable, resp.StatusCode, api.bodies)
		}
		if resp := b.Get("/post"); resp.StatusCode != http.StatusOK { // the nonce is known
			t.Errorf("replayable %t: then %d", replayable, resp.StatusCode)
		}
		a.WantRefreshes(t, 0)
	}
}

// Identify at a plain OAuth 2.0 provider, and the client of OnSignIn, send proofs as well.
func TestBoundIdentify(t *testing.T) {
	t.Parallel()
	a := bound(t, apptest.Config{Change: func(opts *oauthlogin.Options) {
		apptest.PlainOAuth(opts)
		opts.Providers[0].Identify = apptest.ByUserInfo
		opts.OnSignIn = func(ctx context.Context, in *oauthlogin.SignIn) error {
			_, err := apptest.Read(ctx, in.Client, "https://provider.test/userinfo")
			return err
		}
	}})
	b := a.Browser(t)
	b.Login("/dashboard")
	for range 2 {
		if resp := b.Get("/profile"); resp.StatusCode != http.StatusOK {
			t.Errorf("%d %s", resp.StatusCode, resp.Text)
		}
	}
	for _, r := range a.Provider.Requests(oauthlogintest.UserInfo) {
		proofOf(t, r.Header)
	}
}
