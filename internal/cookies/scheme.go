// Package cookies names the package's cookies, gives them their attributes, and
// keeps a sealed value in as many of them as it takes.
package cookies

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/oauthlogin/oauthlogin/internal/page"
)

// A Scheme has the names of all cookies. They are HttpOnly and SameSite=Lax with
// Path=/ and no Domain.
type Scheme struct {
	Session        string // the session's first cookie; the other names begin with it
	FlowPrefix     string // of the cookies of pending logins
	Rounds, Silent string
	Device         string // the bound cookie
	Secure         bool
	// Opens, if set, reports whether a sealed value opens. It decides where a request
	// without Secure cookies has a chunk twice.
	Opens func(Value) bool
	// OnLarge, if set, is told when the cookies of one response, or those that the next
	// request will send, are more bytes than common proxies let pass.
	OnLarge func(r *http.Request, set, sent int)
	chunks  [maxChunks]string // the first is Session
}

// maxExpired bounds the cookies that one response expires. A browser has room for
// fewer.
const maxExpired = 64

// IsStem reports whether name can begin all names. It is narrower than RFC 6265: '.'
// begins the suffixes of the package, and a leading '_' could spell a prefix that
// browsers give a meaning.
func IsStem(name string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	return name != "" && len(name) <= 64 && name[0] != '_' &&
		strings.IndexFunc(name, func(r rune) bool { return !strings.ContainsRune(allowed, r) }) < 0
}

// NewScheme returns names that begin with stem. Secure cookies have the prefix
// __Host-. Others are for plain http on loopback, where some browsers keep neither
// (RFC 6265bis section 4.1.3.2).
func NewScheme(stem string, secure bool) *Scheme {
	if secure {
		stem = "__Host-" + stem
	}
	s := &Scheme{
		Session: stem, FlowPrefix: stem + ".flow.", Rounds: stem + ".rounds", Silent: stem + ".silent", Device: stem + ".device",
		Secure: secure, chunks: [maxChunks]string{stem},
	}
	for i := 1; i < maxChunks; i++ {
		s.chunks[i] = stem + "." + strconv.Itoa(i)
	}
	return s
}

// IsFlow reports whether a cookie may be that of a pending login. Only an attacker
// sends a longer name, to have it sent back.
func (s *Scheme) IsFlow(name string) bool {
	return strings.HasPrefix(name, s.FlowPrefix) && len(name) <= len(s.FlowPrefix)+64
}

// isOurs reports whether the package may have set a cookie of this name.
func (s *Scheme) isOurs(name string) bool {
	switch name {
	case s.Session, s.Rounds, s.Silent, s.Device:
		return true
	}
	if s.IsFlow(name) {
		return true
	}
	return s.isChunk(name)
}

func (s *Scheme) isChunk(name string) bool {
	_, _, ok := s.parseChunk(name + "=")
	return ok
}

// SentTwice reports whether a request has a cookie of the session twice, with two
// values. Whose session it is, is unknown then (RFC 6265bis section 8.6.1).
func (s *Scheme) SentTwice(r *http.Request) bool {
	for _, name := range s.chunks {
		cookies := r.CookiesNamed(name)
		for _, cookie := range cookies {
			if cookie.Value != cookies[0].Value {
				return true
			}
		}
	}
	return false
}

// IsAmbiguous reports whether a request has a cookie of the session twice, and none of
// the values counts.
func (s *Scheme) IsAmbiguous(r *http.Request) bool {
	if !s.SentTwice(r) {
		return false
	}
	v := s.Read(r)
	return v.IsZero()
}

// What common proxies let pass, in bytes: nginx buffers that much of a response's
// header by default, and that much of one header line of a request.
const (
	maxResponseBytes = 4096
	maxRequestBytes  = 8192
)

// CheckSize tells OnLarge if the cookies of a response are too large, or those that the
// browser will send after it.
func (s *Scheme) CheckSize(w http.ResponseWriter, r *http.Request) {
	if s.OnLarge == nil {
		return
	}
	set, sent := 0, s.BytesSent(r, func(name string) bool { return !isSet(w, name) })
	for _, line := range w.Header()["Set-Cookie"] {
		pair, _, _ := strings.Cut(line, ";")
		name, value, _ := strings.Cut(pair, "=")
		set += len(name) + len(value)
		if s.isOurs(name) && value != "" {
			sent += len(pair) + len(separator)
		}
	}
	if set > maxResponseBytes || sent > maxRequestBytes {
		s.OnLarge(r, set, sent)
	}
}

const separator = "; " // between the cookies of a request

// Sent fills values with those that a request has for a cookie, in the order of the header,
// and returns how many there are, at most as many as fit. It costs no allocation.
func Sent(r *http.Request, name string, values []string) (n int) {
	for _, line := range r.Header["Cookie"] {
		for rest := line; n < len(values); {
			i := strings.Index(rest, name)
			if i < 0 {
				break
			}
			before, after := line[:len(line)-len(rest)+i], rest[i+len(name):]
			rest = after
			if before = strings.TrimRight(before, " \t"); after == "" || after[0] != '=' || before != "" && before[len(before)-1] != ';' {
				continue
			}
			value, _, _ := strings.Cut(after[1:], ";")
			values[n] = strings.TrimRight(value, " \t")
			n++
		}
	}
	return n
}

// HasSent reports whether a request has a cookie.
func HasSent(r *http.Request, name string) bool {
	var first [1]string
	return Sent(r, name, first[:]) > 0
}

// BytesSent returns how many bytes of a request's header are cookies of the package
// with such names.
func (s *Scheme) BytesSent(r *http.Request, counts func(name string) bool) (n int) {
	for _, line := range r.Header["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			pair = strings.Trim(pair, " \t")
			if name, _, _ := strings.Cut(pair, "="); s.isOurs(name) && counts(name) {
				n += len(pair) + len(separator)
			}
		}
	}
	return n
}

func isSet(w http.ResponseWriter, name string) bool {
	return slices.ContainsFunc(w.Header()["Set-Cookie"], func(line string) bool {
		return strings.HasPrefix(line, name) && strings.HasPrefix(line[len(name):], "=")
	})
}

// Set writes one cookie, in place of an earlier one of this response: there is one
// Set-Cookie for each name (RFC 6265 section 4.1.1). The response becomes no-store,
// because a shared cache would give the cookie to other users. maxAge is in seconds.
func (s *Scheme) Set(w http.ResponseWriter, name, value string, maxAge int) {
	s.Unset(w, name)
	// Neither name nor value needs quoting: net/http has parsed the names that New did
	// not make, and all values are digits and base64url.
	line := name + "=" + value + "; Path=/; Max-Age=" + strconv.Itoa(max(maxAge, 0)) + "; HttpOnly; SameSite=Lax"
	if s.Secure {
		line += "; Secure"
	}
	w.Header().Add("Set-Cookie", line)
	page.NoStore(w)
}

// Attributes are those of Set, but for Max-Age.
func (s *Scheme) Attributes() string {
	if s.Secure {
		return "Path=/; Secure; HttpOnly; SameSite=Lax"
	}
	return "Path=/; HttpOnly; SameSite=Lax"
}

// Unset takes back what this response was to set under a name.
func (s *Scheme) Unset(w http.ResponseWriter, name string) {
	unset(w, func(set string) bool { return set == name })
}

// UnsetSession takes back every cookie of the session that this response was to set.
func (s *Scheme) UnsetSession(w http.ResponseWriter) { unset(w, s.isChunk) }

// UnsetAll takes back every cookie of the package that this response was to set.
func (s *Scheme) UnsetAll(w http.ResponseWriter) { unset(w, s.isOurs) }

// Expire removes one cookie from the browser.
func (s *Scheme) Expire(w http.ResponseWriter, name string) { s.Set(w, name, "", -1) }

// Clear expires every cookie of the package that the browser sent, and the session
// cookie in any case. It takes back what this response was to set.
func (s *Scheme) Clear(w http.ResponseWriter, r *http.Request) { s.clear(w, r, s.isOurs) }

// ClearSession is Clear for the session's cookies: logins that are pending in other tabs
// go on.
func (s *Scheme) ClearSession(w http.ResponseWriter, r *http.Request) {
	s.clear(w, r, func(name string) bool { return s.isChunk(name) || name == s.Device })
}

func (s *Scheme) clear(w http.ResponseWriter, r *http.Request, match func(name string) bool) {
	unset(w, match)
	s.Expire(w, s.Session)
	expired := map[string]bool{s.Session: true}
	for _, cookie := range r.Cookies() {
		if match(cookie.Name) && !expired[cookie.Name] && len(expired) < maxExpired {
			expired[cookie.Name] = true
			s.Expire(w, cookie.Name)
		}
	}
}

func unset(w http.ResponseWriter, match func(name string) bool) {
	if lines := w.Header()["Set-Cookie"]; len(lines) > 0 {
		w.Header()["Set-Cookie"] = slices.DeleteFunc(lines, func(line string) bool {
			name, _, _ := strings.Cut(line, "=")
			return match(name)
		})
	}
}
