package main_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// TestDemo follows a newcomer who runs the example without any configuration.
func TestDemo(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, start(t, nil))

	home := b.open("/").want(http.StatusOK, "/", "You are not signed in", `href="/login`)
	policy := regexp.MustCompile(`^default-src 'none'; .*form-action 'self' http://localhost:\d+; frame-ancestors 'none'; base-uri 'none'$`)
	if got := home.header.Get("Content-Security-Policy"); !policy.MatchString(got) {
		t.Errorf("Content-Security-Policy %q", got)
	}
	b.open("/nothing-here").want(http.StatusNotFound, "/nothing-here")
	b.fetch("/api/me").want(http.StatusUnauthorized, "/api/me", `"unauthenticated"`)

	signInPage := b.open("/dashboard?a=b")
	if signInPage.url.Hostname() != "localhost" || signInPage.status != http.StatusOK {
		t.Fatalf("the sign-in page is %s with status %d; want one on localhost", signInPage.url, signInPage.status)
	}
	dashboard := signInPage.signIn("bob").
		want(http.StatusOK, "/dashboard?a=b", "Bob Baker", "bob@example.com", "demo", "expires on", `action="/logout"`)
	b.open("/").want(http.StatusOK, "/", "signed in as <strong>Bob Baker</strong>")

	const bob = `{"provider":"demo","sub":"bob","name":"Bob Baker","email":"bob@example.com"}`
	if me := b.fetch("/api/me").want(http.StatusOK, "/api/me"); strings.TrimSpace(me.body) != bob {
		t.Errorf("/api/me: %s; want %s", me.body, bob)
	}
	b.fetch("/api/profile").want(http.StatusOK, "/api/profile", `"sub":"bob"`, `"email_verified":true`)
	b.fetch("/api/session").want(http.StatusOK, "/api/session", `"signed_in":true`)

	dashboard.submit(nil).want(http.StatusOK, "/", "You are not signed in")
	b.fetch("/api/me").want(http.StatusUnauthorized, "/api/me")

	// After signing out, another user can sign in.
	b.open("/dashboard").signIn("carol").want(http.StatusOK, "/dashboard", "Carol Carpenter")
	refused := b.open("/admin").want(http.StatusForbidden, "/admin")
	refused.submit(nil).want(http.StatusOK, "/", "You are not signed in")
	b.open("/admin").signIn("alice").want(http.StatusOK, "/admin", "Alice Archer")
}

// TestTwoDemoProviders follows a newcomer who wants to see how users choose.
func TestTwoDemoProviders(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, start(t, map[string]string{"DEMO_PROVIDERS": "2"}))
	chooser := b.open("/admin").want(http.StatusOK, "/login?return_to=%2Fadmin", "Demo provider", "Partner")
	for name, status := range map[string]int{"dave": http.StatusForbidden, "alice": http.StatusOK} {
		provider := map[string]string{"dave": "partner", "alice": "demo"}[name]
		link := regexp.MustCompile(`href="(/login\?[^"]*provider=` + provider + `[^"]*)"`).FindStringSubmatch(chooser.body)
		if link == nil {
			t.Fatalf("no link to %s:\n%s", provider, chooser.body)
		}
		b.open(html.UnescapeString(link[1])).signIn(name).want(status, "/admin")
		b.fetch("/api/me").want(http.StatusOK, "/api/me", `"provider":"`+provider+`","sub":"`+name+`"`)
		b.fetch("/api/profile").want(http.StatusOK, "/api/profile", `"sub":"`+name+`"`)
	}
}

// TestSessionIdleTimeout asks for the sign-in page at every login: otherwise the
// provider would sign its user in again, and the end of a session would not show.
func TestSessionIdleTimeout(t *testing.T) {
	t.Parallel()
	for timeout, path := range map[string]string{"": "/dashboard", "1h": "/authorize"} {
		b := newBrowser(t, start(t, map[string]string{"SESSION_IDLE_TIMEOUT": timeout}))
		b.open("/dashboard").signIn("alice").want(http.StatusOK, "/dashboard")
		if again := b.open("/login?return_to=%2Fdashboard"); again.url.Path != path {
			t.Errorf("with the timeout %q a second login leads to %s; want %s", timeout, again.url, path)
		}
	}
}

func TestDenied(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, start(t, nil))
	denied := b.open("/dashboard").submit(map[string]string{"action": "deny"})
	if denied.status != http.StatusBadRequest || denied.url.Path != "/auth/callback" || !strings.Contains(denied.body, "cancelled") {
		t.Errorf("denied login ends at %s with status %d:\n%s", denied.url, denied.status, denied.body)
	}
	b.fetch("/api/me").want(http.StatusUnauthorized, "/api/me")
}

func TestAddr(t *testing.T) {
	t.Parallel()
	for addr, prefix := range map[string]string{
		":0":          "http://localhost:",
		"0.0.0.0:0":   "http://localhost:",
		"localhost:0": "http://localhost:",
		"127.0.0.1:0": "http://127.0.0.1:",
	} {
		t.Run(addr, func(t *testing.T) {
			t.Parallel()
			p := start(t, map[string]string{"ADDR": addr, "SESSION_SECRET": ""})
			if !strings.HasPrefix(p.url, prefix) || strings.HasSuffix(p.url, ":0") {
				t.Errorf("URL %q; want %s and a port", p.url, prefix)
			}
			b := newBrowser(t, p)
			if got := b.redirect("/login").Query().Get("redirect_uri"); got != p.url+"/auth/callback" {
				t.Errorf("redirect_uri %q; want the callback of %s", got, p.url)
			}
			b.open("/dashboard").signIn("alice").want(http.StatusOK, "/dashboard", "Alice Archer")
		})
	}
}

// TestEngineAway starts the application without the engine that it agrees through. Sessions in cookies work.
func TestEngineAway(t *testing.T) {
	t.Parallel()
	for _, env := range []map[string]string{
		{"REDIS_URL": "redis://127.0.0.1:1"},
		{"DATABASE_URL": "postgres://127.0.0.1:1/app?sslmode=disable"},
	} {
		b := newBrowser(t, start(t, env))
		b.open("/dashboard").signIn("alice").want(http.StatusOK, "/dashboard", "Alice Archer")
		b.fetch("/api/me").want(http.StatusOK, "/api/me")
	}
	b := newBrowser(t, start(t, map[string]string{"REDIS_URL": "redis://127.0.0.1:1", "SESSION_STORE": "redis"}))
	b.open("/").want(http.StatusOK, "/")
	b.fetch("/api/me").want(http.StatusUnauthorized, "/api/me")
	if later := b.open("/dashboard").signIn("alice"); later.status != http.StatusServiceUnavailable || later.header.Get("Retry-After") == "" {
		t.Errorf("a login ends at %s with status %d %v", later.url, later.status, later.header)
	}
}

// TestEvents stops the application while an event stream is open.
func TestEvents(t *testing.T) {
	t.Parallel()
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			p := start(t, nil)
			b := newBrowser(t, p)
			b.open("/dashboard").signIn("alice").want(http.StatusOK, "/dashboard")

			resp, err := b.client.Get(p.url + "/events")
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
				t.Fatalf("Content-Type %q", got)
			}
			stream := bufio.NewScanner(resp.Body)
			for n := 0; n < 2 && stream.Scan(); {
				data, ok := strings.CutPrefix(stream.Text(), "data: ")
				if !ok {
					continue
				}
				var event struct{ Now time.Time }
				if err := json.Unmarshal([]byte(data), &event); err != nil || event.Now.IsZero() {
					t.Fatalf("event %q: %v", data, err)
				}
				n++
			}
			p.stop(signal)
			for stream.Scan() { // read what was sent before the end
			}
			if err := stream.Err(); err != nil {
				t.Errorf("the stream was cut off: %v", err)
			}
		})
	}
}

// startProvider starts a provider with a client registration for the application
// at appURL. It returns the registration as environment variables.
func startProvider(t *testing.T, appURL string) (*oauthlogintest.Provider, map[string]string) {
	t.Helper()
	provider := oauthlogintest.Start(oauthlogintest.Config{Clients: []oauthlogintest.Client{{
		ID: "app", Secret: "secret of the app", RedirectURIs: []string{appURL + "/auth/callback"},
	}}})
	t.Cleanup(provider.Close)
	return provider, map[string]string{"OAUTH_CLIENT_ID": "app", "OAUTH_CLIENT_SECRET": "secret of the app"}
}

// freeAddr returns an address for an application that starts more than once.
// Its port is below the range that the kernel uses for outgoing connections, so
// that it stays free between two starts.
func freeAddr(t *testing.T) string {
	t.Helper()
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(10000))
		if listener, err := net.Listen("tcp", addr); err == nil {
			listener.Close()
			return addr
		}
	}
	t.Fatal("no free port")
	return ""
}

// TestIssuer also restarts the application in the middle of a login.
func TestIssuer(t *testing.T) {
	t.Parallel()
	addr := freeAddr(t)
	provider, env := startProvider(t, "http://"+addr)
	maps.Copy(env, map[string]string{"ADDR": addr, "OAUTH_ISSUER": provider.Issuer()})

	p := start(t, env)
	b := newBrowser(t, p)
	signInPage := b.open("/dashboard")
	p.stop(syscall.SIGTERM)
	start(t, env)
	signInPage.signIn("alice").want(http.StatusOK, "/dashboard", "Alice Archer")

	b.fetch("/api/profile").want(http.StatusOK, "/api/profile", `"email":"alice@example.com"`)
	b.fetch("/api/me").want(http.StatusOK, "/api/me", `"sub":"alice"`)
}

// TestProviderHangs stops the application while it waits for the provider.
func TestProviderHangs(t *testing.T) {
	t.Parallel()
	addr := freeAddr(t)
	provider, env := startProvider(t, "http://"+addr)
	maps.Copy(env, map[string]string{"ADDR": addr, "OAUTH_ISSUER": provider.Issuer()})
	p := start(t, env)
	b := newBrowser(t, p)
	b.open("/dashboard").signIn("alice").want(http.StatusOK, "/dashboard")

	asked := make(chan struct{})
	provider.Intercept(oauthlogintest.UserInfo, func(_ http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
		close(asked)
		<-r.Context().Done()
	})
	var waiting sync.WaitGroup
	waiting.Go(func() {
		if resp, err := b.client.Get(p.url + "/api/profile"); err == nil {
			resp.Body.Close()
			t.Errorf("/api/profile: status %d", resp.StatusCode)
		}
	})
	<-asked
	p.stop(syscall.SIGTERM)
	waiting.Wait()
}

func TestGitHub(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]string{"GITHUB_CLIENT_ID": "app", "GITHUB_CLIENT_SECRET": "secret"})
	location := newBrowser(t, p).redirect("/login")
	query := location.Query()
	if location.Host != "github.com" || query.Get("client_id") != "app" || query.Get("redirect_uri") != p.url+"/auth/callback" {
		t.Errorf("/login leads to %s", location)
	}
}

// TestRedirectURI sets another callback URL, as behind a proxy.
func TestRedirectURI(t *testing.T) {
	t.Parallel()
	const callback = "https://app.example.com/signed-in"
	location := newBrowser(t, start(t, map[string]string{"OAUTH_REDIRECT_URI": callback})).redirect("/login")
	if got := location.Query().Get("redirect_uri"); got != callback {
		t.Errorf("redirect_uri %q; want %q", got, callback)
	}
}

func TestConfigFaults(t *testing.T) {
	t.Parallel()
	busy := start(t, nil)
	busyURL, err := url.Parse(busy.url)
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range []struct {
		name string
		env  map[string]string
		says []string
	}{
		{"a short secret", map[string]string{"SESSION_SECRET": "short"}, []string{"SESSION_SECRET has 5 bytes"}},
		{"a secret of one repeated byte", map[string]string{"SESSION_SECRET": strings.Repeat("x", 40)}, []string{"Options.Keys[0]"}},
		{"no port", map[string]string{"ADDR": "localhost"}, []string{"ADDR", "missing port"}},
		{"a port that is taken", map[string]string{"ADDR": busyURL.Host}, []string{"ADDR", busyURL.Host}},
		{"no client ID", map[string]string{"OAUTH_ISSUER": "https://op.example"}, []string{"OAUTH_CLIENT_ID is not set"}},
		{
			"two of three endpoints",
			map[string]string{"OAUTH_AUTH_URL": "https://op.example/a", "OAUTH_TOKEN_URL": "https://op.example/t", "OAUTH_CLIENT_ID": "app"},
			[]string{"OAUTH_USERINFO_URL is not set"},
		},
		{"one endpoint", map[string]string{"OAUTH_USERINFO_URL": "https://op.example/u"}, []string{
			"OAUTH_AUTH_URL is not set", "OAUTH_TOKEN_URL is not set", "OAUTH_CLIENT_ID is not set",
		}},
		{
			"an issuer and endpoints",
			map[string]string{"OAUTH_ISSUER": "https://op.example", "OAUTH_AUTH_URL": "https://op.example/a", "OAUTH_CLIENT_ID": "app"},
			[]string{"OAUTH_AUTH_URL is set", "OAUTH_ISSUER"},
		},
		{
			"an issuer and GitHub",
			map[string]string{"OAUTH_ISSUER": "https://op.example", "OAUTH_CLIENT_ID": "app", "GITHUB_CLIENT_ID": "app"},
			[]string{"GITHUB_CLIENT_ID is set", "OAUTH_ISSUER"},
		},
		{"half of GitHub", map[string]string{"GITHUB_CLIENT_ID": "app"}, []string{"GITHUB_CLIENT_SECRET is not set"}},
		{"the other half", map[string]string{"GITHUB_CLIENT_SECRET": "secret"}, []string{"GITHUB_CLIENT_ID is not set"}},
		{"three demo providers", map[string]string{"DEMO_PROVIDERS": "3"}, []string{`DEMO_PROVIDERS "3"`}},
		{
			"a demo provider and GitHub",
			map[string]string{"DEMO_PROVIDERS": "2", "GITHUB_CLIENT_ID": "app", "GITHUB_CLIENT_SECRET": "secret"},
			[]string{"DEMO_PROVIDERS is set", "GitHub"},
		},
		{"a timeout without a unit", map[string]string{"SESSION_IDLE_TIMEOUT": "20"}, []string{`SESSION_IDLE_TIMEOUT "20"`}},
		{"no time at all", map[string]string{"SESSION_IDLE_TIMEOUT": "0s"}, []string{`SESSION_IDLE_TIMEOUT "0s"`}},
		{"a timeout longer than any session", map[string]string{"SESSION_IDLE_TIMEOUT": "1000h"}, []string{"Options.IdleTimeout"}},
		{"a registration without a provider", map[string]string{"OAUTH_CLIENT_ID": "app"}, []string{"OAUTH_CLIENT_ID is set", "demo provider", "OAUTH_ISSUER"}},
		{"a key that is not there", map[string]string{"OAUTH_ISSUER": "https://op.example", "OAUTH_CLIENT_ID": "app", "OAUTH_CLIENT_KEY": "/none.pem"}, []string{"OAUTH_CLIENT_KEY: open /none.pem", "openssl genpkey"}},
		{"a key without a provider", map[string]string{"OAUTH_CLIENT_KEY": "client.pem"}, []string{"OAUTH_CLIENT_KEY is set", "demo provider"}},
		{"a key and a secret", map[string]string{
			"OAUTH_ISSUER": "https://op.example", "OAUTH_CLIENT_ID": "app", "OAUTH_CLIENT_SECRET": "x", "OAUTH_CLIENT_KEY": writeKey(t, "EC PRIVATE KEY"),
		}, []string{"Options.Providers[0].ClientAssertion is set, and so is OAuth2.ClientSecret"}},
		{"devices in other words", map[string]string{"BIND_DEVICES": "true"}, []string{`BIND_DEVICES is "true"`}},
		{"form_post in other words", map[string]string{"OAUTH_FORM_POST": "yes"}, []string{`OAUTH_FORM_POST is "yes"`}},
		{"DPoP in other words", map[string]string{"OAUTH_DPOP": "true"}, []string{`OAUTH_DPOP is "true"`}},
		{"DPoP at GitHub", map[string]string{"GITHUB_CLIENT_ID": "app", "GITHUB_CLIENT_SECRET": "secret", "OAUTH_DPOP": "1"}, []string{"OAUTH_DPOP is set", "GitHub"}},
		{"form_post at GitHub", map[string]string{"GITHUB_CLIENT_ID": "app", "GITHUB_CLIENT_SECRET": "secret", "OAUTH_FORM_POST": "1"}, []string{"OAUTH_FORM_POST is set", "GitHub"}},
		{"two engines and no secret", map[string]string{"REDIS_URL": "redis://127.0.0.1", "DATABASE_URL": "postgres://127.0.0.1/a", "SESSION_SECRET": ""}, []string{
			"REDIS_URL and DATABASE_URL are both set",
		}},
		{"an engine and no secret", map[string]string{"REDIS_URL": "redis://127.0.0.1", "SESSION_SECRET": ""}, []string{"SESSION_SECRET is not set"}},
		{"URLs of other kinds", map[string]string{"REDIS_URL": "http://127.0.0.1", "DATABASE_URL": "postgres://%"}, []string{"REDIS_URL is not", "DATABASE_URL is not"}},
		{"sessions nowhere", map[string]string{"SESSION_STORE": "redis"}, []string{"REDIS_URL is not set"}},
		{"sessions elsewhere", map[string]string{"SESSION_STORE": "postgres", "REDIS_URL": "redis://127.0.0.1"}, []string{"DATABASE_URL is not set"}},
		{"sessions in files", map[string]string{"SESSION_STORE": "files"}, []string{`SESSION_STORE "files"`}},
		{"a relative redirect URI", map[string]string{"OAUTH_REDIRECT_URI": "/auth/callback"}, []string{`OAUTH_REDIRECT_URI "/auth/callback"`}},
		{"user info over http", map[string]string{
			"OAUTH_AUTH_URL": "https://op.example/a", "OAUTH_TOKEN_URL": "https://op.example/t",
			"OAUTH_USERINFO_URL": "http://op.example/u", "OAUTH_CLIENT_ID": "app",
		}, []string{`OAUTH_USERINFO_URL "http://op.example/u"`}},
		{"faults that New reports", map[string]string{
			"OAUTH_ISSUER": "http://op.example", "OAUTH_CLIENT_ID": "app", "OAUTH_REDIRECT_URI": "http://app.example/cb",
		}, []string{"Options.Providers[0].Issuer", "Options.Providers[0].OAuth2.RedirectURL"}},
	} {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			env := map[string]string{"ADDR": "127.0.0.1:0"}
			maps.Copy(env, fault.env)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			cmd := command(ctx, env)
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			_ = cmd.Run() // the exit code is checked below
			if code := cmd.ProcessState.ExitCode(); code != 1 || stdout.Len() > 0 {
				t.Errorf("exit code %d, stdout %q; want 1 and an empty stdout", code, stdout.String())
			}
			for _, text := range fault.says {
				if !strings.Contains(stderr.String(), text) {
					t.Errorf("stderr does not contain %q", text)
				}
			}
			if strings.Contains(stderr.String(), "goroutine") {
				t.Error("the example panicked")
			}
			if t.Failed() {
				t.Log(stderr.String())
			}
		})
	}
}
