package oauthlogintest

import (
	"crypto/rand"
	_ "embed"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/oauthlogin/oauthlogin/internal/page"
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string

	pages = template.Must(template.New("").Funcs(template.FuncMap{
		"style": func() template.CSS { return template.CSS(page.Style + pageCSS) },
	}).Parse(pageHTML))
)

// scopeMeanings tell the user what each scope allows the client to do.
var scopeMeanings = map[string]string{
	"openid":         "know who you are",
	"profile":        "see your name",
	"email":          "see your e-mail address",
	"offline_access": "keep access while you are away",
}

type scope struct{ Name, Meaning string }

// signInPage shows the sign-in form. problem, if not empty, says what was wrong
// with the previous submission.
func (p *Provider) signInPage(w http.ResponseWriter, status int, req *authorizationRequest, problem string) {
	params := url.Values{}
	inBrowser := req.params
	if req.pushed != "" {
		inBrowser = req.shown
	}
	for name, values := range inBrowser {
		switch name {
		case "login", "other", "action": // the form's own fields
		default:
			params[name] = values
		}
	}
	var scopes []scope
	for _, name := range req.scopes {
		scopes = append(scopes, scope{name, scopeMeanings[name]})
	}
	users := p.knownUsers()
	selected, other := req.params.Get("login_hint"), ""
	if indexUser(users, selected) < 0 {
		selected, other = "", selected
	}
	if selected == "" && other == "" && len(users) > 0 {
		selected = users[0].Subject
	}
	action := formAction(req.redirectURI)
	if req.formPost() {
		action = "'self'"
	}
	p.page(w, status, "signin", action, map[string]any{
		"Title":    "Sign in",
		"Issuer":   p.config.Issuer,
		"Action":   p.path + authorizationPath,
		"Client":   req.client.ID,
		"Scopes":   scopes,
		"Params":   params,
		"Users":    users,
		"Selected": selected,
		"Other":    other,
		"Problem":  problem,
	})
}

// messagePage shows the user a message when there is no URI to redirect to.
func (p *Provider) messagePage(w http.ResponseWriter, status int, title, message string) {
	p.page(w, status, "message", "'none'", map[string]any{
		"Issuer":  p.config.Issuer,
		"Title":   title,
		"Message": message,
	})
}

// formPage posts an authorization response to the client.
func (p *Provider) formPage(w http.ResponseWriter, redirectURI string, params url.Values) {
	p.page(w, http.StatusOK, "form_post", formAction(redirectURI), map[string]any{
		"Title":  "Back to the application",
		"Issuer": p.config.Issuer,
		"Action": redirectURI,
		"Params": params,
	})
}

func (p *Provider) page(w http.ResponseWriter, status int, name, formAction string, data map[string]any) {
	nonce := rand.Text()
	data["Nonce"] = nonce
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'nonce-"+nonce+"'; script-src 'nonce-"+nonce+"'; form-action "+formAction+
		"; frame-ancestors 'none'; base-uri 'none'")
	// With no-referrer, browsers would post the form with "Origin: null".
	h.Set("Referrer-Policy", "same-origin")
	w.WriteHeader(status)
	_ = pages.ExecuteTemplate(w, name, data)
}

// formAction returns the sources of the form-action directive for a page whose
// form leads to a redirect to the URI. Chromium applies the directive to the
// redirect too.
func formAction(redirectURI string) string {
	u, err := url.Parse(redirectURI)
	if err != nil {
		return "'self'"
	}
	// A URI with a private-use scheme (RFC 8252 section 7.1) has no host, and CSP
	// has no syntax for IPv6 addresses.
	if u.Host == "" || strings.Contains(u.Host, "[") {
		return "'self' " + u.Scheme + ":"
	}
	return "'self' " + u.Scheme + "://" + u.Host
}
