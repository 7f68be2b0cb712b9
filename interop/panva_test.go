package interop_test

import (
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// panva is oidc-provider, the strictest of the providers, in a Node.js process. See panva/server.mjs.
type panva struct {
	port    string
	app     string
	env     []string
	process *process
}

func newPanva(t *testing.T, app string) provider {
	t.Helper()
	return &panva{port: freePort(t), app: app}
}

func (p *panva) issuer() string { return "http://localhost:" + p.port }

func (p *panva) start(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("panva/node_modules/oidc-provider"); err != nil {
		t.Fatalf("run npm ci in panva first: %v", err)
	}
	cmd := exec.Command("node", "server.mjs")
	cmd.Dir = "panva"
	cmd.Env = append([]string{
		"PORT=" + p.port,
		"CLIENT_ID=" + clientID,
		"CLIENT_SECRET=" + clientSecret,
		"REDIRECT_URI=" + p.app + "/auth/callback",
		"POST_LOGOUT_URI=" + p.app + "/",
		"PATH=" + os.Getenv("PATH"),
	}, p.env...)
	p.process = startProcess(t, cmd, p.issuer())
}

func (p *panva) stop(t *testing.T) {
	t.Helper()
	p.process.stop(t)
}

func (p *panva) shortTokens() { p.env = append(p.env, "ACCESS_TOKEN_TTL=5") }

func (p *panva) tokenCalls(t *testing.T) int {
	t.Helper()
	return p.calls(t)["POST /token"]
}

func (p *panva) revocations(t *testing.T) int {
	t.Helper()
	return p.calls(t)["POST /token/revocation"]
}

func (p *panva) calls(t *testing.T) (calls map[string]int) {
	t.Helper()
	newVisitor(t).open(p.issuer() + "/calls").json(&calls)
	return calls
}

// signIn submits the login form, unless there is a session, and the consent form, unless consent was given before.
func (p *panva) signIn(first *page) *page {
	first.v.t.Helper()
	current := first
	for strings.HasPrefix(current.url.String(), p.issuer()+"/interaction/") && current.next == nil {
		if current.status != http.StatusOK {
			first.v.t.Fatalf("%s: status %d:\n%s", current.url, current.status, current.body)
		}
		current = current.submit(map[string]string{"login": "ada", "password": "any"})
	}
	return current
}

func (p *panva) cancel(first *page) *page {
	first.v.t.Helper()
	return first.click("/abort")
}

// signOut confirms the sign-out at the provider.
func (p *panva) signOut(first *page) *page {
	first.v.t.Helper()
	return first.submit(map[string]string{"logout": "yes"})
}

func (p *panva) wants() identity {
	return identity{Subject: "ada", Name: "Ada Example", Email: "ada@example.com"}
}
