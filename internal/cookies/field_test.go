package cookies_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin/internal/cookies"
)

// written returns the cookies of a sealed text, "name=value; name=value".
func written(t *testing.T, s *cookies.Scheme, sealed string) string {
	t.Helper()
	w := httptest.NewRecorder()
	if err := s.Write(w, httptest.NewRequest(http.MethodGet, "/", nil), sealed, 60); err != nil {
		t.Fatal(err)
	}
	var pairs []string
	for _, c := range w.Result().Cookies() {
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	return strings.Join(pairs, "; ")
}

func TestTheOneThatOpensCounts(t *testing.T) {
	one, two, garbage := strings.Repeat("one.", 2000)+"signature-of-one", strings.Repeat("two", 20)+"signature-2", strings.Repeat("x", 5000)+"nothing"
	for _, secure := range []bool{false, true} {
		s := cookies.NewScheme("app", secure)
		opened := 0
		opens := map[string]bool{one: true}
		s.Opens = func(v cookies.Value) bool {
			opened++
			sealed, ok := v.Sealed()
			return ok && opens[sealed]
		}
		first, second, third := written(t, s, one), written(t, s, two), written(t, s, garbage)
		read := func(header ...string) string {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header["Cookie"] = header
			v := s.Read(r)
			if v.IsZero() {
				if s.SentTwice(r) != s.IsAmbiguous(r) {
					t.Errorf("%.20q: not ambiguous", header)
				}
				return ""
			}
			if s.IsAmbiguous(r) {
				t.Errorf("%.20q: ambiguous", header)
			}
			sealed, _ := v.Sealed()
			return sealed
		}
		want := one
		if secure {
			want = "" // __Host- leaves nothing to guess
		}
		for _, header := range [][]string{
			{first + "; " + second},
			{second + "; " + first},
			{second, third, first},
			{third + "; " + first + "; " + second},
			{s.Session + "=junk; " + second + "; " + first},
			{first + "; " + first + "; " + second},
		} {
			if got := read(header...); got != want {
				t.Errorf("secure %v: read %.20q", secure, got)
			}
		}
		if secure && opened > 0 {
			t.Error("opened values of an ambiguous request")
		}
		opens[two] = true
		if got := read(first + "; " + second); got != "" {
			t.Errorf("both open: %.20q", got)
		}
		clear(opens)
		if got := read(first + "; " + second); got != "" {
			t.Errorf("none opens: %.20q", got)
		}
		opened = 0
		if got := read(first + strings.ReplaceAll("; app=2; app=3; app=4; app=5; app=6", "app", s.Session)); got != "" || opened > 4 {
			t.Errorf("many: %.20q, %d opened", got, opened)
		}
		opened = 0
		if got := read(first); got != one || opened > 0 {
			t.Errorf("an ordinary request: %.20q, %d opened", got, opened)
		}
	}
}

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
		s := cookies.NewScheme("app", false)
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
