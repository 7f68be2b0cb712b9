package apptest

import (
	"maps"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"
)

// Cookies returns the application's cookies, without those of a provider on
// the same host.
func (b *Browser) Cookies() map[string]string {
	b.T.Helper()
	u, _ := url.Parse(b.Origin)
	cookies := map[string]string{}
	for _, c := range b.jar().Cookies(u) {
		if !strings.HasPrefix(c.Name, "oauthlogintest") {
			cookies[c.Name] = c.Value
		}
	}
	return cookies
}

// CookieNames returns the names that have the prefix.
func (b *Browser) CookieNames(prefix string) (names []string) {
	b.T.Helper()
	for name := range b.Cookies() {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	return names
}

// SetCookie puts a cookie like the ones we set into the browser; "" removes it.
// It is whoever owns the browser, to whom none of its rules applies.
func (b *Browser) SetCookie(name, value string) {
	b.T.Helper()
	u, _ := url.Parse(b.Origin)
	now := time.Now()
	c := &keptCookie{
		name: name, value: value, domain: u.Hostname(), path: "/", sameSite: "lax",
		hostOnly: true, secure: u.Scheme == "https", httpOnly: true, created: now, used: now,
	}
	if value == "" {
		c.expires = now
	}
	jar := b.jar()
	jar.mu.Lock()
	defer jar.mu.Unlock()
	jar.put(c, false, now)
}

// Kept returns the cookies as a browser has them after a response.
func Kept(cookies map[string]string, w *httptest.ResponseRecorder) map[string]string {
	cookies = maps.Clone(cookies)
	for _, c := range w.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(cookies, c.Name)
		} else {
			cookies[c.Name] = c.Value
		}
	}
	return cookies
}

// SetsSession reports whether a response sets a session cookie that is not
// empty.
func SetsSession(w *httptest.ResponseRecorder) bool {
	return Kept(map[string]string{}, w)[SessionCookie] != ""
}

// OldestCookie returns the name of the cookie with this prefix that was set first.
func (b *Browser) OldestCookie(prefix string) string {
	jar := b.jar()
	jar.mu.Lock()
	defer jar.mu.Unlock()
	for _, c := range jar.cookies {
		if strings.HasPrefix(c.name, prefix) {
			return c.name
		}
	}
	return ""
}

// KeepForever has the browser forget when its cookies expire.
func (b *Browser) KeepForever() {
	jar := b.jar()
	jar.mu.Lock()
	defer jar.mu.Unlock()
	for _, c := range jar.cookies {
		c.expires = time.Time{}
	}
}

// SkewClock sets how far the browser's clock is ahead.
func (b *Browser) SkewClock(d time.Duration) {
	jar := b.jar()
	jar.mu.Lock()
	defer jar.mu.Unlock()
	jar.skew = d
}

func (b *Browser) jar() *cookieJar { return b.Client.Jar.(*cookieJar) }
