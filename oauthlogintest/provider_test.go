package oauthlogintest_test

import (
	"net/http"
	"testing"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func TestClose(t *testing.T) {
	p := start(t)
	entered, left := make(chan struct{}), make(chan struct{})
	p.Intercept(oauthlogintest.JWKS, func(_ http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
		close(entered)
		<-r.Context().Done()
		close(left)
	})
	b := newBrowser(t)
	failed := make(chan error)
	go func() {
		resp, err := b.Do(b.request("GET", p.Issuer()+"/jwks", nil))
		if err == nil {
			resp.Body.Close()
		}
		failed <- err
	}()
	<-entered
	p.Close()
	p.Close()
	if err := <-failed; err == nil {
		t.Error("the request outlived Close")
	}
	<-left
	if resp, err := b.Do(b.request("GET", p.Issuer()+"/jwks", nil)); err == nil {
		resp.Body.Close()
		t.Error("still listening after Close")
	}
}

func TestStartPanics(t *testing.T) {
	for _, issuer := range []string{"https://127.0.0.1:0", "http://op.example", "http://localhost:0/?q", "://"} {
		t.Run(issuer, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			oauthlogintest.Start(oauthlogintest.Config{Issuer: issuer}).Close()
		})
	}
}
