package apptest

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// A recorder that finds nothing proves nothing.
func TestRecorder(t *testing.T) {
	t.Parallel()
	rec := &Recorder{}
	for _, r := range []*http.Request{
		httptest.NewRequest(http.MethodGet, EvilSite+"/?x=sec%2Fret", nil),
		httptest.NewRequest(http.MethodPost, EvilSite+"/", strings.NewReader("a sec/ret body")),
	} {
		rec.ServeHTTP(httptest.NewRecorder(), r)
	}
	header := httptest.NewRequest(http.MethodGet, EvilSite+"/", nil)
	header.Header.Set("Cookie", "a=sec/ret")
	rec.ServeHTTP(httptest.NewRecorder(), header)
	if found := rec.Has([]string{"sec/ret"}); len(found) != 3 {
		t.Errorf("found %q", found)
	}
	if found := rec.Has([]string{"another"}); len(found) > 0 {
		t.Errorf("found %q", found)
	}
	a := NewSurrounded(t, Config{})
	b := a.Browser(t)
	b.Login("/dashboard")
	if secrets := a.Evil.Secrets(); !slices.Contains(secrets, b.Cookies()[SessionCookie]) || len(secrets) < 9 {
		t.Errorf("knows %d secrets, and not the cookie", len(secrets))
	}
}
