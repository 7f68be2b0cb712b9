package main

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/oauthlogin/oauthlogin"
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed style.css
	style string

	pages = template.Must(template.New("").Funcs(template.FuncMap{
		"style": func() template.CSS { return template.CSS(style) },
	}).Parse(pageHTML))
)

// home is public. Handler puts the session, if there is one, into the request's
// context.
func (a *app) home(w http.ResponseWriter, r *http.Request) {
	session, _ := oauthlogin.FromContext(r.Context())
	a.writePage(w, "home", session)
}

// dashboard is protected: RequireAuth lets only signed-in users through.
func (a *app) dashboard(w http.ResponseWriter, r *http.Request) {
	session, _ := oauthlogin.FromContext(r.Context())
	data := struct {
		User        oauthlogin.User
		SessionEnds time.Time
		Expiry      time.Time // of the access token
		Expired     bool
		BindDevices bool // BIND_DEVICES=1
		Bound       bool // to a device
	}{User: session.User, SessionEnds: session.Expires(), BindDevices: a.bindDevices, Bound: session.Bound()}
	if token := session.Token(); token != nil {
		data.Expiry = token.Expiry
	} else {
		data.Expired = true
	}
	a.writePage(w, "dashboard", data)
}

// admin is behind a policy: Require lets only administrators through.
func (a *app) admin(w http.ResponseWriter, r *http.Request) {
	session, _ := oauthlogin.FromContext(r.Context())
	a.writePage(w, "admin", session)
}

func (a *app) writePage(w http.ResponseWriter, name string, data any) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", a.pagePolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	// Not no-referrer, which makes browsers post forms with "Origin: null".
	h.Set("Referrer-Policy", "same-origin")
	// After a logout, the back button must not show the page again.
	h.Set("Cache-Control", "no-store")
	pages.ExecuteTemplate(w, name, data) // an error means that the browser has disconnected
}

// pagePolicy returns a Content-Security-Policy that allows the style sheet, the
// logout form, and fetch and EventSource from the browser's console.
func pagePolicy(issuers ...string) string {
	hash := sha256.Sum256([]byte(style))
	// The logout redirects to the issuer, and Chromium also applies form-action to
	// redirects.
	formAction := "'self'"
	for _, issuer := range issuers {
		formAction = strings.TrimSpace(formAction + " " + origin(issuer))
	}
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'; connect-src 'self'; " +
		"form-action " + formAction + "; frame-ancestors 'none'; base-uri 'none'"
}
