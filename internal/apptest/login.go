package apptest

import (
	"net/http"
	"net/url"
)

// StartLogin asks for a login, and returns the redirect to the provider with
// the parameters of its authorization request.
func (b *Browser) StartLogin(path string) (*Response, url.Values) {
	b.T.Helper()
	resp := b.Get(path)
	u, err := url.Parse(resp.Location())
	if err != nil || resp.StatusCode != http.StatusSeeOther || u.Path != "/authorize" {
		b.T.Fatalf("GET %s: %d to %q: %s", path, resp.StatusCode, resp.Location(), resp.Text)
	}
	return resp, u.Query()
}

// CallbackURL goes through a login up to the redirect to the callback, and
// returns the URL that it leads to.
func (b *Browser) CallbackURL(path string) string {
	b.T.Helper()
	resp := b.FollowOn(b.Get(path), "/auth/callback")
	if resp.Location() == "" {
		b.T.Fatalf("no redirect to the callback; last response %d %s", resp.StatusCode, resp.Text)
	}
	return resp.Location()
}

// Login signs in, and fails the test if that does not lead to path.
func (b *Browser) Login(path string) *Response {
	b.T.Helper()
	resp := b.Follow("/login?return_to=" + url.QueryEscape(path))
	if resp.StatusCode != http.StatusOK || resp.Request.URL.RequestURI() != path {
		b.T.Fatalf("login led to %s with status %d: %s", resp.Request.URL, resp.StatusCode, resp.Text)
	}
	return resp
}

// SignedIn reports whether a guarded path can be read.
func (b *Browser) SignedIn() bool {
	b.T.Helper()
	return b.Get("/api/me").StatusCode == http.StatusOK
}

// TryLogin is a login that ends at the application, one way or another.
func (b *Browser) TryLogin() *Response {
	b.T.Helper()
	return b.Follow("/login?return_to=/dashboard")
}

// LogOut ends the session as a page of the application would.
func (b *Browser) LogOut(returnTo string) *Response {
	b.T.Helper()
	out := b.Post("/logout", url.Values{"return_to": {returnTo}}, "Sec-Fetch-Site", "same-origin")
	if out.StatusCode != http.StatusSeeOther {
		b.T.Fatalf("POST /logout: %d %s", out.StatusCode, out.Text)
	}
	return out
}
