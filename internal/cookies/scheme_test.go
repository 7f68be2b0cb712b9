package cookies

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// ages are the cookies that a response sets, with their ages; -1 expires one.
func ages(w *httptest.ResponseRecorder) string {
	var set []string
	for _, cookie := range (&http.Response{Header: w.Header()}).Cookies() {
		set = append(set, fmt.Sprintf("%s=%d", cookie.Name, cookie.MaxAge))
	}
	return strings.Join(set, " ")
}

func TestIsStem(t *testing.T) {
	for stem, want := range map[string]bool{
		"oauthlogin": true, "a": true, "my-app_2": true, "-": true, "0": true, strings.Repeat("a", 64): true,
		"": false, strings.Repeat("a", 65): false, "_a": false, "__Host-a": false, "__Secure-a": false, "a.b": false, "a b": false,
		"a=b": false, "a;b": false, "a,b": false, `a"b`: false, "a\tb": false, "a\nb": false, "a\x00": false, "é": false, "a\xff": false, "a%41": false, "$a": false,
	} {
		if got := IsStem(stem); got != want {
			t.Errorf("%q: %t, want %t", stem, got, want)
		}
	}
}

// What the package may have set, it takes back and expires; nothing else.
func TestNames(t *testing.T) {
	for _, secure := range []bool{true, false} {
		s := NewScheme("app", secure)
		prefix := map[bool]string{true: "__Host-", false: ""}[secure]
		for name, want := range map[string]bool{
			"app": true, "app.1": true, "app.4": true, "app.rounds": true, "app.silent": true, "app.flow.x": true, "app.flow.": true,
			"app.flow." + strings.Repeat("x", 64): true, "app.flow." + strings.Repeat("x", 65): false,
			"app.0": false, "app.5": false, "app.11": false, "app.": false, "app.flow": false, "app.roundsx": false, "app2": false, "ap": false, "APP": false,
		} {
			if got := s.isOurs(prefix + name); got != want {
				t.Errorf("secure: %t: %s: %t, want %t", secure, prefix+name, got, want)
			}
		}
		other := map[bool]string{true: "app", false: "__Host-app"}[secure]
		if s.Secure != secure || s.Session != prefix+"app" || s.isOurs(other) || s.isOurs("__Secure-app") {
			t.Errorf("secure: %t: a cookie with another prefix counts", secure)
		}
	}
}

func TestAttributes(t *testing.T) {
	for _, tt := range []struct {
		secure bool
		age    int
		want   string
	}{
		{true, 60, "__Host-app=v; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure"},
		{true, 0, "__Host-app=v; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"},
		{true, -1, "__Host-app=v; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"},
		{false, 60, "app=v; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"},
	} {
		s := NewScheme("app", tt.secure)
		w := httptest.NewRecorder()
		w.Header().Set("Cache-Control", "public, max-age=60")
		s.Set(w, s.Session, "v", tt.age)
		if got := w.Header()["Set-Cookie"]; len(got) != 1 || got[0] != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
		if got := w.Header()["Cache-Control"]; len(got) != 1 || got[0] != "no-store" || w.Header().Get("Expires") != "0" {
			t.Errorf("a response that sets a cookie has Cache-Control %q", got)
		}
		if _, err := http.ParseSetCookie(tt.want); err != nil {
			t.Error(err)
		}
	}
}

// RFC 6265 section 4.1.1: one Set-Cookie for each name, the last that was set.
// Cookies of the application stay as they are.
func TestSetAndUnset(t *testing.T) {
	s := NewScheme("app", false)
	w := httptest.NewRecorder()
	w.Header().Add("Set-Cookie", "app2=theirs; Max-Age=9")
	s.Set(w, "app", "first", 1)
	s.Set(w, "app.1", "first", 2)
	s.Set(w, "app", "second", 3)
	s.Expire(w, "app.flow.x")
	if got := ages(w); got != "app2=9 app.1=2 app=3 app.flow.x=-1" {
		t.Errorf("set: %s", got)
	}
	s.Unset(w, "app")
	s.Unset(w, "app.never")
	if got := ages(w); got != "app2=9 app.1=2 app.flow.x=-1" {
		t.Errorf("after Unset: %s", got)
	}
	s.UnsetAll(w)
	if got := ages(w); got != "app2=9" {
		t.Errorf("after UnsetAll: %s", got)
	}
	s.Unset(httptest.NewRecorder(), "app") // nothing is set
}

// A large session that is taken back leaves no part of it in the response.
func TestUnsetSession(t *testing.T) {
	s := NewScheme("app", false)
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	if err := s.Write(w, r, strings.Repeat("x", 6000), 60); err != nil {
		t.Fatal(err)
	}
	s.Set(w, s.Rounds, "1", 60)
	if n := len(w.Result().Cookies()); n < 3 {
		t.Fatalf("%d cookies, want two of the session and another", n)
	}
	s.UnsetSession(w)
	if left := w.Header()["Set-Cookie"]; len(left) != 1 || !strings.HasPrefix(left[0], s.Rounds+"=") {
		t.Errorf("left in the response: %q", left)
	}
}

// Clear expires what the browser sent, once each, and no more than a browser keeps.
func TestClear(t *testing.T) {
	s := NewScheme("app", false)
	w := httptest.NewRecorder()
	s.Set(w, "app.1", "new", 60)
	w.Header().Add("Set-Cookie", "theirs=x; Max-Age=9")
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Cookie", "app=a; theme=dark; app.3=b; app.3=c; app2=d; app.flow.x=e; app.silent=off; app.7=f")
	s.Clear(w, r)
	if got := ages(w); got != "theirs=9 app=-1 app.3=-1 app.flow.x=-1 app.silent=-1" {
		t.Error(got)
	}
	if w.Header().Get("Cache-Control") != "no-store" {
		t.Error("a cache may keep the response")
	}

	w = httptest.NewRecorder()
	if s.Clear(w, httptest.NewRequest(http.MethodGet, "/", nil)); ages(w) != "app=-1" {
		t.Errorf("without cookies: %s", ages(w))
	}

	w = httptest.NewRecorder()
	r.Header.Del("Cookie")
	for i := range 500 {
		r.AddCookie(&http.Cookie{Name: fmt.Sprint("app.flow.", i), Value: "x"})
	}
	if s.Clear(w, r); len(w.Header()["Set-Cookie"]) != maxExpired {
		t.Errorf("expires %d cookies", len(w.Header()["Set-Cookie"]))
	}
}

// RFC 6265bis section 8.6.1: weak integrity.
func TestSentTwice(t *testing.T) {
	s := NewScheme("app", false)
	for header, want := range map[string]bool{
		"": false, "app=a": false, "app=a; app=a": false, "app=a; app.1=b": false, "x=a; x=b": false, "app.flow.x=a; app.flow.x=b": false, "app.7=a; app.7=b": false,
		"app=a; app=b": true, "app=a; x=y; app=a; app=": true, "app=a; app.4=b; app.4=c": true,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Cookie", header)
		if got := s.SentTwice(r); got != want {
			t.Errorf("%q: %t, want %t", header, got, want)
		}
	}
}

// Proxies refuse large headers without saying why.
func TestLargeCookiesAreTold(t *testing.T) {
	for _, tt := range []struct {
		name   string
		sealed int
		sent   string
		told   bool
	}{
		{"small", 1000, "", false},
		{"a response of 4,096 bytes", 4096 - len("app") - len("app.1") - 1 - 2*6, "", false},
		{"a response of one byte more", 4097 - len("app") - len("app.1") - 1 - 2*6, "", true},
		{"a request of 8,192 bytes", 4000, "app.flow.a=" + strings.Repeat("x", 8192-4000-len("app=1; app.1=; ")-2*6-len("app.flow.a=; ")), false},
		{"a request of one byte more", 4000, "app.flow.a=" + strings.Repeat("x", 8193-4000-len("app=1; app.1=; ")-2*6-len("app.flow.a=; ")), true},
		{"cookies of others", 1000, "other=" + strings.Repeat("x", 9000), false},
		{"a session in place of a larger one", 1000, "app=" + strings.Repeat("x", 3000) + "; app.1=" + strings.Repeat("x", 3000) + "; app.2=" + strings.Repeat("x", 3000), false},
	} {
		s := NewScheme("app", false)
		told := false
		s.OnLarge = func(_ *http.Request, set, sent int) { told = set > 4096 || sent > 8192 }
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Cookie", tt.sent)
		if err := s.Write(httptest.NewRecorder(), r, strings.Repeat("s", tt.sealed), 60); err != nil {
			t.Fatal(err)
		}
		if told != tt.told {
			t.Errorf("%s: told %v", tt.name, told)
		}
	}
}

// Cookies are found by their whole name, wherever they stand.
func TestSent(t *testing.T) {
	for _, tt := range []struct {
		header []string
		want   string
	}{
		{nil, ""},
		{[]string{""}, ""},
		{[]string{"app.device=a"}, "a"},
		{[]string{"app=1; app.device=a; app.1=b"}, "a"},
		{[]string{"app.device=a;app.device=b ; app.device="}, "a b "},
		{[]string{"app.device=a", "x=y; \tapp.device=b"}, "a b"},
		{[]string{"xapp.device=a; app.device2=b; x=app.device=c; app.device"}, ""},
		{[]string{"app.deviceapp.device=a; app.device app.device=b"}, ""},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Cookie"] = tt.header
		for _, most := range []int{4, 1} {
			got := make([]string, most)
			got = got[:Sent(r, "app.device", got)]
			want := strings.Split(tt.want, " ")
			if want = want[:min(most, len(want))]; strings.Join(got, " ") != strings.Join(want, " ") || HasSent(r, "app.device") != (len(got) > 0) {
				t.Errorf("%q: %q, want %q", tt.header, got, want)
			}
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Cookie", "app=1; app.device=a; app.device=b")
	if n := testing.AllocsPerRun(10, func() {
		var values [4]string
		if Sent(r, "app.device", values[:]) != 2 {
			t.Error("not found")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// Browsers compare what a session of Device Bound Session Credentials says with Set-Cookie.
func TestAttributesAreThoseOfSet(t *testing.T) {
	for _, secure := range []bool{true, false} {
		s := NewScheme("app", secure)
		w := httptest.NewRecorder()
		s.Set(w, s.Device, "v", 60)
		set := strings.Split(w.Header().Get("Set-Cookie"), "; ")
		said := append(strings.Split(s.Attributes(), "; "), s.Device+"=v", "Max-Age=60")
		slices.Sort(set)
		slices.Sort(said)
		if !slices.Equal(set, said) {
			t.Errorf("set %q, said %q", set, said)
		}
	}
}
