package page

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
)

// A response in a Buffer takes the place of what was there, and no cache keeps it.
func TestBuffer(t *testing.T) {
	w := httptest.NewRecorder()
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("X-Frame-Options", "DENY")
	b := NewBuffer(w)
	b.Header().Del("X-Frame-Options")
	b.Header().Set("Cache-Control", "public")
	b.Header().Add("Set-Cookie", "a=b")
	b.WriteHeader(http.StatusTeapot)
	b.WriteHeader(http.StatusOK)
	b.Write([]byte("one "))
	b.Write([]byte("two"))
	if w.Header().Get("Set-Cookie") != "" || w.Header().Get("X-Frame-Options") == "" || w.Body.Len() > 0 {
		t.Errorf("before Send: %v %s", w.Header(), w.Body)
	}
	b.Send(w)
	want := http.Header{"Referrer-Policy": {"no-referrer"}, "Set-Cookie": {"a=b"}, "Cache-Control": {"no-store"}, "Expires": {"0"}}
	for name, values := range want {
		if got := w.Header()[name]; !slices.Equal(got, values) {
			t.Errorf("%s: %q, want %q", name, got, values)
		}
	}
	if w.Code != http.StatusTeapot || w.Body.String() != "one two" || len(w.Header()) != len(want) {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	w = httptest.NewRecorder()
	NewBuffer(w).Send(w)
	if w.Code != http.StatusOK {
		t.Errorf("without a status: %d", w.Code)
	}
}
