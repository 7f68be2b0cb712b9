package weburl

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Paths are the local paths that a Middleware serves and sends browsers to.
type Paths struct {
	Login, Logout string
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

// ReturnPath is the function of that name with a guard against loops: the login page,
// the callback and the logout are not pages to return to.
func (p *Paths) ReturnPath(path string) string {
	path = ReturnPath(path)
	if path == "/" {
		return path
	}
	if u, err := url.ParseRequestURI(path); err != nil || p.isOwn(u.Path) {
		return "/"
	}
	return path
}

func (p *Paths) isOwn(path string) bool {
	leadsTo := func(own string) bool { return resolves(path, own) }
	return leadsTo(p.Login) || leadsTo(p.Logout) || slices.ContainsFunc(p.Callbacks, leadsTo)
}

// Request returns the path and query of a request, byte for byte, as a return path.
func (p *Paths) Request(r *http.Request) string {
	// RequestURI is what the browser asked for, also below http.StripPrefix. Only
	// proxies and attackers send an absolute form, and only tests leave it out.
	if strings.HasPrefix(r.RequestURI, "/") {
		return p.ReturnPath(r.RequestURI)
	}
	return p.ReturnPath(r.URL.RequestURI())
}

// Caller is the return path of a login that a script has to ask for: the page that it
// runs on if the browser says so, and the request's own path otherwise.
func (p *Paths) Caller(r *http.Request) string {
	if page := p.Page(r); page != "" {
		return page
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return p.Request(r)
	}
	return "/"
}

// Page is the return path of the page that sent a request, "" if the browser does not
// name one of the same host.
func (p *Paths) Page(r *http.Request) string {
	page, err := url.Parse(r.Referer())
	if err != nil || page.Host == "" || page.Host != r.Host {
		return ""
	}
	return p.ReturnPath(page.RequestURI())
}
