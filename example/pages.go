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

// home is public: Handler gives it the session of who is signed in.
func (a *app) home(w http.ResponseWriter, r *http.Request) {
	session, _ := oauthlogin.FromContext(r.Context())
	a.writePage(w, "home", session)
}

// dashboard is protected: RequireAuth lets nobody through without a session.
func (a *app) dashboard(w http.ResponseWriter, r *http.Request) {
	session, _ := oauthlogin.FromContext(r.Context())
	data := struct {
		User    oauthlogin.User
		Expiry  time.Time
		Expired bool
	}{User: session.User}
	if token := session.Token(); token != nil {
		data.Expiry = token.Expiry
	} else {
		data.Expired = true
	}
	a.writePage(w, "dashboard", data)
}

func (a *app) writePage(w http.ResponseWriter, name string, data any) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", a.pagePolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	// Not no-referrer: with that, browsers send forms with "Origin: null".
	h.Set("Referrer-Policy", "same-origin")
	// The back button must not bring a page back after the logout.
	h.Set("Cache-Control", "no-store")
	pages.ExecuteTemplate(w, name, data) // a browser that has gone away is nobody to tell
}

// pagePolicy allows nothing but the style, the logout form, and trying fetch
// and EventSource in the browser's console.
func pagePolicy(issuer string) string {
	hash := sha256.Sum256([]byte(style))
	// The logout goes on to the issuer, and Chromium applies form-action to
	// redirects as well.
	formAction := strings.TrimSpace("'self' " + origin(issuer))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'; connect-src 'self'; " +
		"form-action " + formAction + "; frame-ancestors 'none'; base-uri 'none'"
}
