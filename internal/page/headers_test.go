package page

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
)

func TestNoStore(t *testing.T) {
	for _, before := range []http.Header{
		{},
		{"Cache-Control": {"public, max-age=60"}, "Expires": {"Fri, 01 Jan 2100 00:00:00 GMT"}},
		{"Cache-Control": {"private", "max-age=60"}},
		{"Cache-Control": {"no-store"}},
		{"Cache-Control": {"no-store"}, "Expires": {"0"}},
	} {
		w := httptest.NewRecorder()
		for name, values := range before {
			w.Header()[name] = slices.Clone(values)
		}
		NoStore(w)
		// Appending to one of them does not change the other.
		w.Header().Add("Cache-Control", "private")
		if got := w.Header(); !slices.Equal(got["Cache-Control"], []string{"no-store", "private"}) || !slices.Equal(got["Expires"], []string{"0"}) {
			t.Errorf("%v became %v", before, got)
		}
	}
	w := httptest.NewRecorder()
	NoStore(w)
	if n := testing.AllocsPerRun(10, func() { NoStore(w) }); n > 0 {
		t.Errorf("%v allocations for a header that is there", n)
	}
}

func TestPrivate(t *testing.T) {
	for _, tt := range []struct {
		before                  http.Header
		wantControl, wantVaries []string
	}{
		{http.Header{}, []string{"private"}, []string{"Cookie"}},
		{http.Header{"Cache-Control": {"public, max-age=60"}}, []string{"private"}, []string{"Cookie"}},
		{http.Header{"Cache-Control": {"no-store"}}, []string{"no-store"}, []string{"Cookie"}},
		{http.Header{"Vary": {"Accept"}}, []string{"private"}, []string{"Accept", "Cookie"}},
	} {
		w := httptest.NewRecorder()
		for name, values := range tt.before {
			w.Header()[name] = slices.Clone(values)
		}
		Private(w)
		got := w.Header()
		if !slices.Equal(got["Cache-Control"], tt.wantControl) || !slices.Equal(got["Vary"], tt.wantVaries) {
			t.Errorf("%v became %v", tt.before, got)
		}
		got.Add("Cache-Control", "x")
		if slices.Contains(got["Vary"], "x") {
			t.Error("appending to Cache-Control changes Vary")
		}
	}
}

// CVE-2020-4037 of oauth2-proxy: http.Redirect would clean the path.
func TestRedirect(t *testing.T) {
	w := httptest.NewRecorder()
	NoReferrer(w)
	Redirect(w, "/a/../b//c?x=%zz#d")
	if got := w.Header().Get("Location"); w.Code != http.StatusSeeOther || got != "/a/../b//c?x=%zz#d" || w.Body.Len() > 0 {
		t.Errorf("%d to %q with %q", w.Code, got, w.Body)
	}
	if got := w.Header().Get("Referrer-Policy"); got != "no-referrer" {
		t.Errorf("Referrer-Policy: %q", got)
	}
}

func TestJSON(t *testing.T) {
	w := httptest.NewRecorder()
	JSON(w, http.StatusUnauthorized, map[string]string{"error": "</script>&"})
	want := `{"error":"\u003c/script\u003e\u0026"}` + "\n"
	if h := w.Header(); w.Code != 401 || h.Get("Content-Type") != "application/json" || h.Get("X-Content-Type-Options") != "nosniff" || w.Body.String() != want {
		t.Errorf("%d %v %s", w.Code, h, w.Body)
	}
}

// What is written to a Discard goes nowhere, and no header stays.
func TestDiscard(t *testing.T) {
	var w http.ResponseWriter = Discard{}
	w.Header().Set("Set-Cookie", "a=b")
	w.WriteHeader(http.StatusTeapot)
	if n, err := w.Write([]byte("text")); n != 4 || err != nil || len(w.Header()) > 0 {
		t.Errorf("%d, %v, %v", n, err, w.Header())
	}
}
