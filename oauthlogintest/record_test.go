package oauthlogintest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func TestRequests(t *testing.T) {
	p := start(t)
	b := newBrowser(t)
	b.post(p.Issuer()+"/token?q=1", url.Values{"client_id": {"x"}}, "X-Test", "yes")
	b.get(p.Issuer() + "/token")
	requests := p.Requests(oauthlogintest.Token)
	if len(requests) != 2 || p.Count(oauthlogintest.Token) != 2 || p.Count(oauthlogintest.UserInfo) != 0 {
		t.Fatalf("%d requests, counts %d and %d", len(requests), p.Count(oauthlogintest.Token), p.Count(oauthlogintest.UserInfo))
	}
	r := requests[0]
	if r.Method != "POST" || r.Status != http.StatusUnauthorized || r.Query.Get("q") != "1" || r.Form.Get("client_id") != "x" ||
		len(r.Form) != 1 || r.Header.Get("X-Test") != "yes" || r.Time.IsZero() {
		t.Errorf("recorded %+v", r)
	}
	if r := requests[1]; r.Method != "GET" || r.Status != http.StatusMethodNotAllowed {
		t.Errorf("recorded %+v", r)
	}
}

func TestRequestsAreBounded(t *testing.T) {
	p, err := oauthlogintest.New(oauthlogintest.Config{Issuer: "http://op.example"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1003 {
		p.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", fmt.Sprintf("/userinfo?n=%d", i), nil))
	}
	requests := p.Requests(oauthlogintest.UserInfo)
	if len(requests) != 1000 || p.Count(oauthlogintest.UserInfo) != 1003 {
		t.Fatalf("%d requests of %d", len(requests), p.Count(oauthlogintest.UserInfo))
	}
	if first, last := requests[0].Query.Get("n"), requests[999].Query.Get("n"); first != "3" || last != "1002" {
		t.Errorf("kept %s to %s, want 3 to 1002", first, last)
	}
	big := httptest.NewRequest("POST", "/token", strings.NewReader(strings.Repeat("x", 1<<20+1)))
	w := httptest.NewRecorder()
	p.ServeHTTP(w, big)
	if w.Code != http.StatusBadRequest || p.Requests(oauthlogintest.Token)[0].Status != http.StatusBadRequest {
		t.Errorf("more than a megabyte: %d", w.Code)
	}
}
