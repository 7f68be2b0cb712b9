package oauthlogintest

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
)

// noAssurance is the acr of a sign-in without acr_values. It is below level 1 of
// ISO/IEC 29115 (OpenID Connect Core 1.0 section 2).
const noAssurance = "0"

// serveSignInForm handles the submitted sign-in form.
func (p *Provider) serveSignInForm(w http.ResponseWriter, r *http.Request, req *authorizationRequest) {
	// Any site may post an authorization request, but not the decision.
	if err := p.crossOrigin.Check(r); err != nil {
		p.messagePage(w, http.StatusForbidden, "Cross-site request", "The sign-in form was submitted from another site.")
		return
	}
	if r.PostForm.Get("action") != "approve" {
		p.authorizationError(w, r, req, &oauthError{Code: "access_denied", Description: "the user denied the request"})
		return
	}
	subject := cmp.Or(strings.TrimSpace(r.PostForm.Get("other")), r.PostForm.Get("login"))
	if !validSubject(subject) {
		p.signInPage(w, http.StatusUnprocessableEntity, req, "Choose a user or enter a name of at most 255 ASCII characters.")
		return
	}
	p.authorizationResponse(w, r, req, p.signIn(w, r, req, subject))
}

// signIn starts a session that replaces the browser's current one.
func (p *Provider) signIn(w http.ResponseWriter, r *http.Request, req *authorizationRequest, subject string) session {
	now := p.config.Now()
	s := session{
		subject:  subject,
		authTime: now,
		acr:      noAssurance,
		sid:      rand.Text(),
		expires:  now.Add(sessionTTL),
	}
	if len(req.acrValues) > 0 {
		s.acr = req.acrValues[0]
	}
	// When the same user signs in again, the sid stays the same but the cookie
	// changes.
	if old, ok := p.currentSession(r); ok && old.subject == subject {
		s.sid = old.sid
	}
	p.forgetSession(r)
	id := rand.Text()
	p.store.update(now, func() { p.store.sessions[id] = s })
	http.SetCookie(w, p.sessionCookie(id, int(sessionTTL.Seconds())))
	return s
}

// currentSession returns the browser's session.
func (p *Provider) currentSession(r *http.Request) (s session, ok bool) {
	cookie, err := r.Cookie(p.sessionCookieName())
	if err != nil {
		return session{}, false
	}
	now := p.config.Now()
	p.store.update(now, func() {
		s, ok = p.store.sessions[cookie.Value]
		ok = ok && now.Before(s.expires)
	})
	return s, ok
}

// forgetSession deletes the browser's session, if there is one.
func (p *Provider) forgetSession(r *http.Request) {
	if cookie, err := r.Cookie(p.sessionCookieName()); err == nil {
		p.store.update(p.config.Now(), func() { delete(p.store.sessions, cookie.Value) })
	}
}

func (p *Provider) sessionCookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name:     p.sessionCookieName(),
		Value:    value,
		Path:     cmp.Or(p.path, "/"),
		MaxAge:   maxAge,
		Secure:   strings.HasPrefix(p.config.Issuer, "https:"),
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	}
}

// sessionCookieName is different for each issuer, because browsers share cookies
// between the ports of a host.
func (p *Provider) sessionCookieName() string {
	sum := sha256.Sum256([]byte(p.config.Issuer))
	return "oauthlogintest_" + hex.EncodeToString(sum[:4])
}
