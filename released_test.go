package oauthlogin_test

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/internal/devicetest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

var recordRelease = flag.String("record-release", "", "the version whose values TestReleases writes to testdata/releases")

// A release is what browsers and the Coordinator of an application have at one moment, of a
// released version: docs/compatibility.md promises that this version goes on from there.
type release struct {
	After    time.Duration                // since the bubble began
	Cookies  map[string]map[string]string // of browsers, by what they did
	URLs     map[string]string
	Key      []byte // of a device
	Identity string // of its session
	Proofs   map[string]string
	Engine   map[string][]byte // the Coordinator's keys
}

// releaseFleet is an application with everything that a release may have sealed.
func releaseFleet(t *testing.T, stored bool) *fleet {
	provider := oauthlogintest.Config{JWTAccessTokens: true, Resources: []string{ordersAPI}}
	f := newFleet(t, 1, apptest.Config{Provider: provider, Change: func(opts *oauthlogin.Options) {
		opts.BindDevices = true
		if stored {
			opts.Store = oauthlogin.NewStore(opts.Coordinator)
		}
	}})
	serveAPIs(f.App)
	f.GuardBy(oauthlogin.Policy{ACR: []string{"phr"}})
	return f
}

// TestReleases goes on from the values of releases. To record those of a version:
//
//	go test -run 'TestReleases|TestReleasedFields' -record-release 0.9 .
func TestReleases(t *testing.T) {
	for _, stored := range []bool{false, true} {
		suffix := ".json"
		if stored {
			suffix = "-store.json"
		}
		if *recordRelease != "" {
			synctest.Test(t, func(t *testing.T) { writeRelease(t, releaseFleet(t, stored), *recordRelease+suffix) })
		}
		files, err := filepath.Glob("testdata/releases/*[0-9]" + suffix)
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			t.Run(filepath.Base(name), func(t *testing.T) {
				for what, check := range releaseChecks {
					t.Run(what, func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							var rel release
							if err := json.Unmarshal(text, &rel); err != nil {
								t.Fatal(err)
							}
							f := releaseFleet(t, stored)
							time.Sleep(rel.After)
							for key, value := range rel.Engine {
								ttl := time.Hour
								if strings.HasPrefix(key, "lock:") {
									ttl = 2 * time.Second // the pause after a failure
								}
								if ok, err := f.shared.Coordinator.Swap(t.Context(), key, nil, value, ttl, false); !ok || err != nil {
									t.Fatal(key, err)
								}
							}
							check(t, f, &rel)
							f.close()
						})
					})
				}
			})
		}
	}
}

// writeRelease records the values of this version.
func writeRelease(t *testing.T, f *fleet, name string) {
	rel := &release{Cookies: map[string]map[string]string{}, URLs: map[string]string{}, Proofs: map[string]string{}, Engine: map[string][]byte{}}
	began := time.Now()
	refreshed, paused := f.SignIn(t, "alice"), f.SignIn(t, "paul")
	rel.Cookies["refreshed elsewhere"], rel.Cookies["refused elsewhere"] = refreshed.Cookies(), paused.Cookies()
	time.Sleep(refreshDue)
	refreshed.WantUser("/api/me", "alice")

	b := f.SignIn(t, "bob")
	if resp := b.Get("/orders"); resp.StatusCode != http.StatusOK {
		t.Fatal(resp.StatusCode, resp.Text)
	}
	rel.Cookies["signed in"] = b.Cookies()
	challenge := b.Get("/guarded", apptest.AsScript...)
	var asks struct {
		LoginURL string `json:"login_url"`
	}
	if err := json.Unmarshal([]byte(challenge.Text), &asks); err != nil || !strings.Contains(asks.LoginURL, "step_up=") {
		t.Fatal(challenge.StatusCode, challenge.Text)
	}
	rel.URLs["step-up"] = asks.LoginURL

	out := f.SignIn(t, "carol")
	rel.Cookies["logged out"] = out.Cookies()
	location, err := url.Parse(out.LogOut("/goodbye").Location())
	if err != nil {
		t.Fatal(err)
	}
	rel.URLs["after the logout"] = "/?state=" + url.QueryEscape(location.Query().Get("state"))

	rel.Cookies["signed out everywhere"] = f.SignIn(t, "dave").Cookies()
	if err := f.Auth.SignOutUser(t.Context(), f.Provider.Issuer(), "dave"); err != nil {
		t.Fatal(err)
	}
	erin := f.SignIn(t, "erin")
	rel.Cookies["logged out at the provider"] = erin.Cookies()
	if w := f.SendLogoutToken(f.Provider.LogoutToken("app", "", erin.SID())); w.Code != http.StatusOK {
		t.Fatal(w.Code, w.Body)
	}
	b = f.SignIn(t, "frank")
	rel.Cookies["replaced"] = b.Cookies()
	f.Provider.AutoApprove("grace")
	b.Get(b.CallbackURL("/login"))

	b = f.Browser(t)
	rel.URLs["pending"] = b.CallbackURL("/login?return_to=%2Fdashboard%3Fx%3D1")
	rel.Cookies["pending"] = b.Cookies()
	authorization := f.Provider.Requests(oauthlogintest.Authorization)
	rel.Proofs["code challenge"] = authorization[len(authorization)-1].Query.Get("code_challenge")
	b = f.Browser(t)
	rel.URLs["finished"] = b.CallbackURL("/login?return_to=%2Fdashboard%3Fx%3D2")
	b.Get(rel.URLs["finished"])
	rel.Cookies["finished"] = b.Cookies()

	b = f.Browser(t).WithDevice()
	b.Login("/dashboard")
	b.Get("/api/me")
	bound := b.Device.Sessions[0]
	rel.Cookies["bound"], rel.Identity, rel.Proofs["renewal"] = b.Cookies(), bound.Identifier, bound.Challenge
	if rel.Key, err = x509.MarshalPKCS8PrivateKey(bound.Key); err != nil {
		t.Fatal(err)
	}
	b = f.Browser(t)
	resp := b.Get(b.CallbackURL("/login"))
	var ok bool
	if _, rel.Proofs["registration"], ok = (&devicetest.Device{}).Offer(resp.Header); !ok {
		t.Fatal("no offer")
	}

	f.RespondToRefreshes(func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	f.ask(0, rel.Cookies["refused elsewhere"])
	synctest.Wait()
	rel.After = time.Since(began)
	for key := range f.shared.keys {
		values, err := f.shared.Coordinator.Load(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if values[0] != nil {
			rel.Engine[key] = values[0]
		}
	}
	f.close()
	text, err := json.MarshalIndent(rel, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("testdata/releases", name), append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// get sends a request for a page with the cookies of one of the release's browsers.
func (rel *release) get(f *fleet, browser, target string) *http.Response {
	r := f.request("https://app.test"+strings.TrimPrefix(target, "https://app.test"), rel.Cookies[browser])
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	return f.record(f.App, r).Result()
}

var releaseChecks = map[string]func(t *testing.T, f *fleet, rel *release){
	"sessions": func(t *testing.T, f *fleet, rel *release) {
		for browser, want := range map[string]string{
			"signed in": "bob", "refreshed elsewhere": "alice", "finished": "grace", "bound": "grace",
			"logged out": "", "signed out everywhere": "", "logged out at the provider": "", "replaced": "",
		} {
			w := f.ask(0, rel.Cookies[browser])
			if (w.Code == http.StatusOK) != (want != "") || want != "" && w.Body.String() != want {
				t.Errorf("%s: %d %s", browser, w.Code, w.Body)
			}
		}
		f.WantRefreshes(t, 0)
	},
	"a token for an API": func(t *testing.T, f *fleet, rel *release) {
		if w := f.callAt(0, rel.Cookies["signed in"], ordersAPI, orders); w.Code != http.StatusOK {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		f.WantRefreshes(t, 0)
	},
	"a pause after a failed refresh": func(t *testing.T, f *fleet, rel *release) {
		f.ask(0, rel.Cookies["refused elsewhere"])
		f.WantRefreshes(t, 0)
		time.Sleep(3 * time.Second)
		f.ask(0, rel.Cookies["refused elsewhere"])
		f.WantRefreshes(t, 1)
	},
	"a pending login": func(t *testing.T, f *fleet, rel *release) {
		resp := rel.get(f, "pending", rel.URLs["pending"])
		page, err := io.ReadAll(resp.Body)
		sent := f.Provider.Requests(oauthlogintest.Token)
		if err != nil || len(sent) != 1 || !strings.Contains(string(page), "/login?return_to=%2Fdashboard%3Fx%3D1") {
			t.Fatalf("%d requests, %v: %s", len(sent), err, page)
		}
		sum := sha256.Sum256([]byte(sent[0].Form.Get("code_verifier")))
		if got := base64.RawURLEncoding.EncodeToString(sum[:]); got != rel.Proofs["code challenge"] {
			t.Errorf("the code challenge is %s", got)
		}
	},
	"a login that has come back": func(t *testing.T, f *fleet, rel *release) {
		if resp := rel.get(f, "finished", rel.URLs["finished"]); resp.Header.Get("Location") != "/dashboard?x=2" {
			t.Errorf("%d %v", resp.StatusCode, resp.Header)
		}
		if n := f.Provider.Count(oauthlogintest.Token); n != 0 {
			t.Errorf("the code is sent %d times", n)
		}
	},
	"a step-up": func(t *testing.T, f *fleet, rel *release) {
		location, err := rel.get(f, "signed in", rel.URLs["step-up"]).Location()
		if err != nil || location.Query().Get("acr_values") != "phr" {
			t.Errorf("%v, %v", location, err)
		}
	},
	"the return from a logout": func(t *testing.T, f *fleet, rel *release) {
		if resp := rel.get(f, "", rel.URLs["after the logout"]); resp.Header.Get("Location") != "/goodbye" {
			t.Errorf("%d %v", resp.StatusCode, resp.Header)
		}
	},
	"a device": func(t *testing.T, f *fleet, rel *release) {
		parsed, err := x509.ParsePKCS8PrivateKey(rel.Key)
		if err != nil {
			t.Fatal(err)
		}
		key := parsed.(crypto.Signer)
		for what, header := range map[string][]string{
			"renewal":      {"Sec-Secure-Session-Id", rel.Identity, "Secure-Session-Response", devicetest.Proof(key, rel.Proofs["renewal"], false)},
			"registration": {"Secure-Session-Response", devicetest.Proof((&devicetest.Device{}).NewKey(), rel.Proofs["registration"], true)},
		} {
			if resp := proves(t, f.App, header...); resp.StatusCode != http.StatusOK || resp.Header.Get("Set-Cookie") == "" {
				t.Errorf("%s: %d %s", what, resp.StatusCode, resp.Text)
			}
		}
		delete(rel.Cookies["bound"], apptest.BoundCookie)
		time.Sleep(time.Minute)
		if w := f.ask(0, rel.Cookies["bound"]); w.Code == http.StatusOK {
			t.Error("the session does not need its bound cookie")
		}
	},
}
