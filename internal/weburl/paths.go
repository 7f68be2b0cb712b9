package weburl

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Paths are the local paths that a Middleware serves and sends browsers to.
type Paths struct {
	Origin        string // the public one, that of the redirect URLs
	Home          string // the return path in place of one that is missing or dropped
	Login, Logout string
	Device        string // "": not served
	BackChannel   string // where a provider sends logout tokens
	Callbacks     []string
	AfterLogout   []string // where a provider's logout leads back to
	Choice        bool     // there are several providers
}

// LoginURL is the local URL that starts a login at a provider, "" for any, and leads
// to returnTo afterwards.
func (p *Paths) LoginURL(provider, returnTo string) string {
	query := ""
	if provider != "" && p.Choice {
		query = "provider=" + url.QueryEscape(provider) + "&"
	}
	return p.Login + "?" + query + "return_to=" + url.QueryEscape(returnTo)
}

// ReturnPath is the function of that name with Home in place of "/", and with a guard
// against loops: the login page, the callback and the logout are not pages to return to.
func (p *Paths) ReturnPath(path string) string {
	path, ok := local(path)
	if ok && path != "/" {
		u, err := url.ParseRequestURI(path)
		ok = err == nil && !p.isOwn(u.Path)
	}
	if !ok {
		return p.Home
	}
	return path
}

func (p *Paths) isOwn(path string) bool {
	leadsTo := func(own string) bool { return resolves(path, own) }
	return leadsTo(p.Login) || leadsTo(p.Logout) || leadsTo(p.BackChannel) || p.Device != "" && leadsTo(p.Device) || slices.ContainsFunc(p.Callbacks, leadsTo)
}

// Request returns the path and query of a request, byte for byte, as a return path.
func (p *Paths) Request(r *http.Request) string { return p.ReturnPath(Target(r)) }

// Target is the path and query that a request asks for, unchecked.
func Target(r *http.Request) string {
	// RequestURI is what the browser asked for, also below http.StripPrefix. Only
	// proxies and attackers send an absolute form, and only tests leave it out.
	if strings.HasPrefix(r.RequestURI, "/") {
		return r.RequestURI
	}
	return r.URL.RequestURI()
}

// Caller is the return path of a login that a script has to ask for: the page that it
// runs on if the browser or htmx says so, and the request's own path otherwise.
func (p *Paths) Caller(r *http.Request) string {
	if r.Header.Get("HX-Request") != "" {
		if page := p.ofPage(r.Header.Get("HX-Current-URL")); page != "" {
			return page
		}
	}
	if page := p.Page(r); page != "" {
		return page
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return p.Request(r)
	}
	return p.Home
}

// Page is the return path of the page that sent a request, "" if the browser does not
// name one of the public origin. Host does not matter: proxies rewrite it.
func (p *Paths) Page(r *http.Request) string { return p.ofPage(r.Referer()) }

// ofPage returns the return path of a page, "" if it is on another origin.
func (p *Paths) ofPage(rawURL string) string {
	page, err := url.Parse(rawURL)
	if err != nil || page.Host == "" || Origin(page) != p.Origin {
		return ""
	}
	return p.ReturnPath(page.RequestURI())
}

// PublicHost is the host of the public origin, with its port if it is not the default.
func (p *Paths) PublicHost() string {
	_, host, _ := strings.Cut(p.Origin, "://")
	return host
}

// WithoutPrefix reports whether a request is one for a path of the package that has
// lost its beginning on the way: a proxy strips it. No page has the parameters of a
// callback.
func (p *Paths) WithoutPrefix(r *http.Request) bool {
	path, asked := r.URL.Path, r.URL.Path
	if strings.HasPrefix(r.RequestURI, "/") { // http.StripPrefix leaves it as it was
		asked, _, _ = strings.Cut(r.RequestURI, "?")
	}
	isEnd := func(own string) bool {
		return len(path) > 1 && path != own && strings.HasSuffix(own, path) && strings.HasSuffix(own, asked)
	}
	if isEnd(p.Login) {
		return true
	}
	if !slices.ContainsFunc(p.Callbacks, isEnd) {
		return false
	}
	query := r.URL.Query()
	return query.Has("state") && (query.Has("code") || query.Has("error"))
}
