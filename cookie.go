package oauthlogin

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gorilla/sessions"
)

// A cookieScheme names our cookies and gives them their attributes.
type cookieScheme struct {
	session                    string // name of the session cookie; all others add to it
	flowPrefix, rounds, silent string
	chunks                     [maxChunks]string // the first is session
	secure                     bool
}

// newCookieScheme is __Host- and Secure, unless the redirect URL is plain http on
// loopback: some browsers keep neither there (RFC 6265bis section 4.1.3.2).
func newCookieScheme(stem string, secure bool) *cookieScheme {
	if secure {
		stem = "__Host-" + stem
	}
	c := &cookieScheme{
		session: stem, flowPrefix: stem + ".flow.", rounds: stem + ".rounds", silent: stem + ".silent",
		chunks: [maxChunks]string{stem}, secure: secure,
	}
	for i := 1; i < maxChunks; i++ {
		c.chunks[i] = stem + "." + strconv.Itoa(i)
	}
	return c
}

// isFlow reports whether a cookie may be that of a flow. Only an attacker sends
// a longer name, to have it sent back.
func (c *cookieScheme) isFlow(name string) bool {
	return strings.HasPrefix(name, c.flowPrefix) && len(name) <= len(c.flowPrefix)+64
}

// isOurs reports whether we may have set a cookie of this name.
func (c *cookieScheme) isOurs(name string) bool {
	switch name {
	case c.session, c.rounds, c.silent:
		return true
	}
	if c.isFlow(name) {
		return true
	}
	_, _, ok := c.parseChunk(name + "=")
	return ok
}

// sentTwice reports whether a cookie of the session is there twice, with two
// values: whose session it is cannot be told (RFC 6265bis section 8.6.1).
func (c *cookieScheme) sentTwice(r *http.Request) bool {
	for _, name := range c.chunks {
		cookies := r.CookiesNamed(name)
		for _, cookie := range cookies {
			if cookie.Value != cookies[0].Value {
				return true
			}
		}
	}
	return false
}

// parseChunk reads name=value if the name is that of a chunk.
func (c *cookieScheme) parseChunk(pair string) (i int, value string, ok bool) {
	rest, ok := strings.CutPrefix(pair, c.session)
	if ok && len(rest) > 2 && rest[0] == '.' && rest[1] >= '1' && rest[1] < '0'+maxChunks {
		i, rest = int(rest[1]-'0'), rest[2:]
	}
	if !ok || rest == "" || rest[0] != '=' {
		return 0, "", false
	}
	return i, rest[1:], true
}

// options are the attributes of every cookie of ours, in gorilla's words.
func (c *cookieScheme) options(maxAge int) *sessions.Options {
	return &sessions.Options{Path: "/", MaxAge: maxAge, Secure: c.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// set writes one cookie. Whatever sets a cookie of ours may not be cached:
// a shared cache would hand it to others.
func (c *cookieScheme) set(w http.ResponseWriter, name, value string, maxAge int) {
	c.unset(w, name)
	// Neither names nor values need quoting: net/http has read the names that New
	// did not make, and all that we write is digits and base64url.
	line := name + "=" + value + "; Path=/; Max-Age=" + strconv.Itoa(max(maxAge, 0)) + "; HttpOnly; SameSite=Lax"
	if c.secure {
		line += "; Secure"
	}
	w.Header().Add("Set-Cookie", line)
	noStore(w)
}

// unset takes back what this response was to set: there is one Set-Cookie for
// each name (RFC 6265 section 4.1.1).
func (c *cookieScheme) unset(w http.ResponseWriter, name string) {
	unsetFunc(w, func(set string) bool { return set == name })
}

func (c *cookieScheme) unsetAll(w http.ResponseWriter) { unsetFunc(w, c.isOurs) }

func unsetFunc(w http.ResponseWriter, match func(name string) bool) {
	if lines := w.Header()["Set-Cookie"]; len(lines) > 0 {
		w.Header()["Set-Cookie"] = slices.DeleteFunc(lines, func(line string) bool {
			name, _, _ := strings.Cut(line, "=")
			return match(name)
		})
	}
}

func (c *cookieScheme) expire(w http.ResponseWriter, name string) { c.set(w, name, "", -1) }

// noStore sets Expires too: http.FileServer and http.ServeContent take
// Cache-Control off their errors, and leave Set-Cookie.
func noStore(w http.ResponseWriter) {
	h := w.Header()
	if h.Get("Cache-Control") == "no-store" && h.Get("Expires") == "0" {
		return
	}
	values := [...]string{"no-store", "0"} // one allocation for both
	h["Cache-Control"], h["Expires"] = values[0:1:1], values[1:2:2]
}

// clearCookies expires every cookie of ours that the browser sent, and the
// session cookie in any case, with no value in them.
func (m *Middleware) clearCookies(w http.ResponseWriter, r *http.Request) {
	expired := map[string]bool{}
	m.cookies.unsetAll(w)
	m.cookies.expire(w, m.cookies.session)
	expired[m.cookies.session] = true
	for _, cookie := range r.Cookies() {
		if m.cookies.isOurs(cookie.Name) && !expired[cookie.Name] && len(expired) < maxExpired {
			expired[cookie.Name] = true
			m.cookies.expire(w, cookie.Name)
		}
	}
}
