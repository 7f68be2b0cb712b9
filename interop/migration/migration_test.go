package migration

import (
	"bytes"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// applications are the same application, the one with oauthlogin last. gothic has its store and
// its providers in variables, so one test after the other runs it.
var applications = []struct {
	name, file string
	new        func(c config, key []byte) (http.Handler, error)
}{
	{"by hand", "byhand.go", newByHand},
	{"gothic", "gothic.go", newGothic},
	{"oauthlogin", "oauthlogin.go", newOauthlogin},
}

// A site is an application with its provider, and a browser.
type site struct {
	t      *testing.T
	base   string
	client *http.Client
}

func startSite(t *testing.T, newApp func(c config, key []byte) (http.Handler, error)) *site {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	base := "http://" + server.Listener.Addr().String()
	provider := oauthlogintest.Start(oauthlogintest.Config{
		Issuer: "http://localhost:0",
		Clients: []oauthlogintest.Client{{
			ID: "app", Secret: "app-secret", RedirectURIs: []string{base + "/auth/callback"}, PostLogoutRedirectURIs: []string{base + "/"},
		}},
	})
	t.Cleanup(provider.Close)
	provider.AutoApprove("alice")
	acceptWithoutPKCE(provider)
	app, err := newApp(config{provider.Issuer(), "app", "app-secret", base}, []byte("a key of 32 bytes, for the tests"))
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = app
	server.Start()
	t.Cleanup(server.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &site{t, base, &http.Client{Jar: jar}}
}

// acceptWithoutPKCE adds what gothic does not send, and the provider requires.
func acceptWithoutPKCE(p *oauthlogintest.Provider) {
	const verifier = "a-code-verifier-of-the-test-for-gothic-alone"
	var without atomic.Bool
	p.Intercept(oauthlogintest.Authorization, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		query := r.URL.Query()
		without.Store(query.Get("code_challenge") == "")
		if without.Load() {
			query.Set("code_challenge", oauth2.S256ChallengeFromVerifier(verifier))
			query.Set("code_challenge_method", "S256")
			r.URL.RawQuery = query.Encode()
		}
		next(w, r)
	})
	p.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		if body, err := io.ReadAll(r.Body); err == nil {
			if without.Load() {
				body = append(body, "&code_verifier="+verifier...)
			}
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		}
		next(w, r)
	})
}

// get follows redirects, and returns where they have led and what is there.
func (s *site) get(path string) (url, body string) {
	s.t.Helper()
	resp, err := s.client.Get(s.base + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.Request.URL.String(), string(text)
}

func TestApplications(t *testing.T) {
	for _, application := range applications {
		t.Run(application.name, func(t *testing.T) {
			s := startSite(t, application.new)
			if _, body := s.get("/"); !strings.Contains(body, "Sign in") {
				t.Errorf("home without a session: %s", body)
			}
			if url, body := s.get("/dashboard"); url != s.base+"/dashboard" || !strings.Contains(body, "Hello, Alice Archer") {
				t.Errorf("dashboard: %s %s", url, body)
			}
			if _, body := s.get("/"); body != "<p>Home of Alice Archer</p>" {
				t.Errorf("home: %s", body)
			}
			resp, err := s.client.PostForm(s.base+"/logout", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if _, body := s.get("/"); !strings.Contains(body, "Sign in") {
				t.Errorf("home after the logout: %s", body)
			}
		})
	}
}

// What the page says that oauthlogin does beyond that, and the others do not.
func TestWhatIsNew(t *testing.T) {
	for _, application := range applications {
		t.Run(application.name, func(t *testing.T) {
			s := startSite(t, application.new)
			ours := application.name == "oauthlogin"
			if url, _ := s.get("/dashboard?tab=2"); (url == s.base+"/dashboard?tab=2") != ours {
				t.Errorf("the login leads to %s", url)
			}
			r, err := http.NewRequest(http.MethodPost, s.base+"/logout", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Sec-Fetch-Site", "same-site")
			r.Header.Set("Origin", "https://sibling.example")
			resp, err := s.client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if (resp.StatusCode == http.StatusForbidden) != ours {
				t.Errorf("a logout by another origin: %d", resp.StatusCode)
			}
			s.client.Jar, _ = cookiejar.New(nil)
			r, err = http.NewRequest(http.MethodGet, s.base+"/dashboard", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Sec-Fetch-Mode", "cors")
			if resp, err = s.client.Do(r); err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if (resp.StatusCode == http.StatusUnauthorized) != ours {
				t.Errorf("a script without a session: %d", resp.StatusCode)
			}
		})
	}
}

// The last application is the shortest, in lines that are neither blank nor comments.
func TestLines(t *testing.T) {
	lines := map[string]int{}
	for _, application := range applications {
		source, err := os.ReadFile(application.file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(source)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
				lines[application.name]++
			}
		}
	}
	t.Log(lines)
	if 3*lines["oauthlogin"] > lines["by hand"] || lines["oauthlogin"] >= lines["gothic"] {
		t.Error("not the shortest: ", lines)
	}
}
