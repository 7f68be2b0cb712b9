package oauthlogin_test

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
)

func TestFromContext(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	a.Guard("/claims", func(w http.ResponseWriter, r *http.Request) {
		s, _ := oauthlogin.FromContext(r.Context())
		var claims struct {
			Issuer string `json:"iss"`
			Nick   string `json:"nick"`
		}
		if err := s.User.Claims(&claims); err != nil {
			t.Error(err)
		}
		if err := s.User.Claims(&[]string{}); err == nil {
			t.Error("claims are decoded into a list")
		}
		if err := (&oauthlogin.User{}).Claims(&claims); err == nil {
			t.Error("the zero User has claims")
		}
		if token := s.Token(); token.RefreshToken != "" || token.Extra("id_token") != nil || token.Type() != "Bearer" || !token.Valid() {
			t.Error("the token is more, or less, than an access token")
		}
		u := s.User
		fmt.Fprintf(w, "%s|%s|%s|%s|%t|%s|%s", u.Provider, u.Issuer, u.Subject, u.Email, u.EmailVerified, claims.Issuer, claims.Nick)
	})
	a.Provider.EditIDToken(func(_, claims map[string]any) { claims["nick"] = "Ali" })
	b := a.Browser(t)
	b.Login("/")
	const want = "test|https://provider.test|alice|alice@example.com|true|https://provider.test|Ali"
	if got := b.Get("/claims").Text; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if s, ok := oauthlogin.FromContext(t.Context()); ok || s != nil {
		t.Error("a context without a request has a session")
	}
}

// A session belongs to its request, although the instance keeps what it has opened.
func TestHandlersCannotChangeCachedSessions(t *testing.T) {
	a := apptest.New(t, apptest.Config{})
	cookies := a.SignIn(t, "alice").Cookies()
	first, _ := apptest.Visit(t, a.Auth, cookies)
	claims, token := bytes.Clone(first.User.RawClaims), first.Token().AccessToken

	for range 3 {
		s, _ := apptest.Visit(t, a.Auth, cookies)
		if !bytes.Equal(s.User.RawClaims, claims) || s.User.Subject != "alice" || s.Token().AccessToken != token {
			t.Fatalf("session is %v with claims %s, want those of the first request", s, s.User.RawClaims)
		}
		for i := range s.User.RawClaims {
			s.User.RawClaims[i] = 'x'
		}
		s.User.RawClaims = append(s.User.RawClaims[:0], "scribble"...)
		s.User.Subject, s.User.Email, s.User.EmailVerified = "mallory", "mallory@example.com", true
		*s.Token() = oauth2.Token{AccessToken: "stolen"}
		if s.Token().AccessToken != token {
			t.Error("Token returns what a handler changed")
		}
	}
}
