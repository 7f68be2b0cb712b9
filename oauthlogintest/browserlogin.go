package oauthlogintest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// SignIn signs a user in, and returns the page of the application that the login
// leads to. If the browser is at the sign-in page of the [Provider], it goes on from
// there; otherwise it begins at /login. So the login can begin anywhere:
//
//	b.Navigate("/dashboard") // ends at the sign-in page
//	b.SignIn("alice")        // ends at /dashboard
//
// Any name will do for a user: see [Config.Users]. SignIn fails the test if the login
// does not get to the sign-in page or if the application does not accept it: to test a
// login that the application refuses, see [Provider.AutoApprove]. It replaces whoever
// was signed in in this browser.
func (b *Browser) SignIn(user string) *Response {
	t := b.site.t
	t.Helper()
	if !validSubject(user) {
		t.Fatalf("oauthlogintest: the user %q must be 1 to 255 printable ASCII characters", user)
	}
	b.mu.Lock()
	page := b.page
	b.mu.Unlock()
	p := b.site.Provider
	if !p.isSignInPage(page) {
		b.jar.drop(parse(p.Issuer()).Hostname()) // or it may sign in who was there
		page = b.Navigate("/login")
	}
	if approved := p.hook().autoApprove; approved != "" && approved != user {
		t.Fatalf("oauthlogintest: cannot sign in %q: Provider.AutoApprove signs in %q", user, approved)
	} else if approved != "" && b.accepted(page) {
		return page
	}
	if !p.isSignInPage(page) {
		hint := "If the application's login is not at /login, Navigate to a page that needs one, and call Browser.SignIn there."
		if page.Status == http.StatusBadGateway && p.Count(Discovery) == 0 {
			hint = "The provider got no request. Set Options.HTTPClient to Provider.HTTPClient()."
		}
		t.Fatalf("oauthlogintest: signing in %q did not get to the sign-in page of %s\nThe browser %s\n%s", user, p.Issuer(), page.where(), hint)
	}
	at := parse(page.URL)
	form := at.Query()
	for name, value := range map[string]string{"login": user, "action": "approve"} {
		form.Set(name, value)
	}
	resp := b.navigate(formOf(at, &url.URL{Scheme: at.Scheme, Host: at.Host, Path: at.Path}, form))
	if !b.accepted(resp) {
		t.Fatalf("oauthlogintest: signing in %q: the application did not accept the login\nThe browser %s", user, resp.where())
	}
	return resp
}

// isSignInPage reports whether a response is the page with the form.
func (p *Provider) isSignInPage(page *Response) bool {
	return page != nil && withoutQuery(parse(page.URL)) == p.endpointURL(authorizationPath) &&
		strings.Contains(page.Body, `name="action" value="approve"`)
}

// accepted reports whether the browser was at the callback and has been sent on by
// the application.
func (b *Browser) accepted(resp *Response) bool {
	app, provider := origin(b.site.base), origin(parse(b.site.Provider.Issuer()))
	at := func(where string) func(*url.URL) bool { return func(u *url.URL) bool { return origin(u) == where } }
	return slices.ContainsFunc(resp.via, at(provider)) && len(resp.via) > 0 && at(app)(resp.via[len(resp.via)-1]) && at(app)(parse(resp.URL))
}

// maxExcerpt bounds the part of a page that a message quotes, in bytes.
const maxExcerpt = 500

// where says in a message where a browser is.
func (r *Response) where() string {
	body := r.Body
	if _, afterHead, ok := strings.Cut(body, "</head>"); ok {
		body = afterHead
	}
	if len(body) > maxExcerpt {
		body = body[:maxExcerpt] + " …"
	}
	return fmt.Sprintf("is at %s, with status %d: %s", withoutQuery(parse(r.URL)), r.Status, body)
}
