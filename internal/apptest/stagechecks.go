package apptest

import (
	"fmt"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// shape is a response without what differs each time: the reference on the page
// and the values of cookies.
func shape(w *httptest.ResponseRecorder) string {
	var b strings.Builder
	h := w.Header()
	fmt.Fprintln(&b, w.Code)
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			if name == "Set-Cookie" { // whose attributes CookieFaults looks at
				value, _, _ = strings.Cut(value, ";")
				cookie, content, _ := strings.Cut(value, "=")
				if strings.HasPrefix(cookie, FlowPrefix) {
					cookie = FlowPrefix
				}
				if cookie == SessionCookie+".rounds" {
					continue // depends on the logins before
				}
				value = fmt.Sprint(cookie, " ", content != "")
			}
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	before, after, _ := strings.Cut(w.Body.String(), "Reference: ")
	b.WriteString(before)
	b.WriteString(after[min(8, len(after)):])
	return b.String()
}

// Learn makes the response one that ordinary inputs get.
func (s *Stage) Learn(w *httptest.ResponseRecorder) { s.known[shape(w)] = true }

// Plain fails the test unless w is, to the byte, a response that an ordinary
// input gets: nothing of the fuzzer's is in it.
func (s *Stage) Plain(t testing.TB, w *httptest.ResponseRecorder) {
	t.Helper()
	if got := shape(w); !s.known[got] {
		t.Errorf("a response of its own: %s\n%s", got, s.Log)
	}
	for _, fault := range CookieFaults(w.Header(), true) {
		t.Error(fault)
	}
}

// Quiet fails the test if a secret, or a panic that was caught, is in the log.
func (s *Stage) Quiet(t testing.TB, secrets ...string) {
	t.Helper()
	log := s.Log.String()
	for _, secret := range append(secrets, "debug.Stack") {
		if strings.Contains(log, secret) {
			t.Errorf("log has %q: %s", secret, log)
		}
	}
}
