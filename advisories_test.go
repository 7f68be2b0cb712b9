package oauthlogin_test

import (
	"io"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/apptest"
)

var (
	forwarded                      = apptest.ForwardedHeaders
	serveEvents, visitEvents       = apptest.ServeEvents, apptest.VisitEvents
	serveWebSocket, visitWebSocket = apptest.ServeWebSocket, apptest.VisitWebSocket
)

func closed(a *apptest.App, b *apptest.Browser, line string, header ...string) *apptest.Response {
	a.T.Helper()
	return a.Closed(b, line, header...)
}

// What went wrong in software like this, one row for each cause: the advisory,
// whose it is, and what happened there. The row's function does the same to us.
//
// The attacker is mallory, and everything that is hers has "hostile" in it; the
// victim is alice. What each attack has to leave behind is an aftermath.
func TestAdvisories(t *testing.T) {
	for _, advisory := range []struct {
		name   string
		attack func(t *testing.T)
	}{
		{"CVE-2026-34454 GHSA-f24x-5g9q-753f oauth2-proxy: a session cookie that stayed", cookiesThatStay},
		{"CVE-2021-41246 GHSA-7rg2-qxmf-hhx9 express-openid-connect, mod_auth_openidc: the login went into the session that was there", sessionFixation},
		{"CVE-2025-48947 nextjs-auth0, CVE-2025-64762 authkit-nextjs: a shared cache kept a session", sharedCaches},
		{"CVE-2021-32791 GHSA-px3c-6x7j-3r9r mod_auth_openidc: a static IV", sealedTwice},
		{"CVE-2024-24814 mod_auth_openidc, CVE-2026-40303 GHSA-cpf9-ph2j-ccr9 zrok: the client said how many chunks there are", chunkCounts},
		{"CVE-2023-28625 mod_auth_openidc: a Cookie header crashed the server", cookieHeaders},
		{"CVE-2026-48058 nebula-mesh, CVE-2022-4683 memos: cookies without Secure", insecureCookies},
		{"CVE-2026-30224 OliveTin, CVE-2025-53826 File Browser: the cookie went on working after the logout", replayAfterLogout},
		{"CVE-2024-52801 SFTPGo: guessable session ids", sessionIDs},
		{"CVE-2024-6535 Skupper: the cookie secret was a constant", staticKeys},
		{"CVE-2025-24358 CVE-2025-47909 gorilla/csrf, CVE-2025-46721 nosurf: checks of the origin that did not check", crossSiteLogout},
		{"GO-2024-2730 gorilla/sessions: a session id that is a path", sessionIDAsPath},
		{"gorilla/securecookie, no advisory: every bit of every cookie counts", everyBit},
	} {
		t.Run(advisory.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, advisory.attack)
		})
	}
}

// And what costs memory. Not parallel, so that the heap is its own.
func TestAdvisoriesBounds(t *testing.T) {
	for _, advisory := range []struct {
		name   string
		attack func(t *testing.T)
	}{
		{"CVE-2021-22119 Spring Security: many authorization requests filled the session", manyFlows},
	} {
		t.Run(advisory.name, func(t *testing.T) { synctest.Test(t, advisory.attack) })
	}
}

// No such thing here: lists of allowed redirect or e-mail domains, paths that
// skip the gate, identity headers for upstreams, Redis, stored POST bodies,
// decryption of tokens, a userinfo endpoint of our own. Their rows attack what
// comes nearest.

// parameters reads a query, each name with all its values; nil if it is
// malformed.
func parameters(query string) map[string][]string {
	values := map[string][]string{}
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil || strings.Contains(pair, ";") {
			return nil
		}
		values[name] = append(values[name], value)
	}
	return values
}

const statusLine = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

func again(w io.Writer, text string, pause time.Duration) error {
	for range 1 << 10 {
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
		time.Sleep(pause)
	}
	return nil
}
