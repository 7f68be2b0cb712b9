package apptest

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// KeptBy returns the Cookie header that a browser sends after a response.
func KeptBy(w *httptest.ResponseRecorder) string {
	var pairs []string
	for _, c := range w.Result().Cookies() {
		if c.MaxAge > 0 {
			pairs = append(pairs, c.Name+"="+c.Value)
		}
	}
	return strings.Join(pairs, "; ")
}

// A PendingLogin is one that has come as far as the provider.
type PendingLogin struct{ State, Nonce, Cookies string }

// Begin begins a login.
func (s *Stage) Begin(t testing.TB) PendingLogin {
	t.Helper()
	w := s.Get(t, "/login", "return_to="+url.QueryEscape(ReturnPath), "")
	query := QueryOf(w.Header().Get("Location"))
	if w.Code != http.StatusSeeOther || query.Get("state") == "" {
		t.Fatalf("login: %d to %q", w.Code, w.Header().Get("Location"))
	}
	return PendingLogin{query.Get("state"), query.Get("nonce"), KeptBy(w)}
}

// Fill fills in the {placeholders} of a text.
func (l PendingLogin) Fill(text string) string {
	now := time.Now().Unix()
	return strings.NewReplacer(
		"{state}", l.State, "{nonce}", l.Nonce, "{now}", fmt.Sprint(now), "{later}", fmt.Sprint(now+3600),
		"{past}", fmt.Sprint(now-3600), "{soon}", fmt.Sprint(now+20),
	).Replace(text)
}

// Sign is the JWS compact serialization of any text at all.
func (s *Stage) Sign(header, claims string) string {
	input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	return input + "." + base64.RawURLEncoding.EncodeToString(ES256(s.Key)(input))
}

// Finish lets the provider respond to a login, and the browser come back with it.
func (s *Stage) Finish(t testing.TB, l PendingLogin, tokens Reply) *httptest.ResponseRecorder {
	t.Helper()
	s.Says["/token"] = Always(tokens)
	return s.Get(t, "/auth/callback", l.Fill(GoodCallback), l.Cookies)
}

// SignIn returns the cookies of a new session.
func (s *Stage) SignIn(t testing.TB, claims, tokens string) string {
	t.Helper()
	l := s.Begin(t)
	w := s.Finish(t, l, InJSON(strings.ReplaceAll(tokens, "{id_token}", s.Sign(GoodHeader, l.Fill(claims)))))
	if w.Code != http.StatusSeeOther {
		t.Fatalf("signing in: %d %s", w.Code, s.Log)
	}
	return KeptBy(w)
}
