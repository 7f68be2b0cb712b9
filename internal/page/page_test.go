package page

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// documentedCodes are those of the table in the doc comment of oauthlogin.Error.
func documentedCodes(t *testing.T) map[string]string {
	t.Helper()
	source, err := os.ReadFile("../../errors.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := map[string]string{}
	for _, match := range regexp.MustCompile(`(?m)^//\t([a-z_]+)(?:\n//\t)? +(\d{3})  `).FindAllStringSubmatch(string(source), -1) {
		codes[match[1]] = match[2]
	}
	if len(codes) < 15 {
		t.Fatalf("errors.go documents %d codes", len(codes))
	}
	return codes
}

// Each code has texts of its own, or shares those of another where the user can do no
// more with the difference, and there are no texts without a code.
func TestEveryCodeHasTexts(t *testing.T) {
	codes, english := documentedCodes(t), EnglishTexts()
	titles, texts := map[string]string{}, map[string]string{}
	for code := range codes {
		of := cmp.Or(sharedTexts[code], code)
		words := english.Describe(code, "no fallback is needed", false)
		if codes[of] == "" || words.Title == "" || !strings.HasSuffix(words.Text, ".") || strings.Contains(words.Text, code) {
			t.Errorf("%s: %q, %q", code, words.Title, words.Text)
		}
		for seen, with := range map[string]map[string]string{words.Title: titles, words.Text: texts} {
			if other, taken := with[seen]; taken && other != of {
				t.Errorf("%s and %s both say %q", code, other, seen)
			}
			with[seen] = of
		}
	}
	for key := range English() {
		code, kind, _ := strings.Cut(key, ".")
		if isWord := code == "chooser" || code == "signing_in" || code == "button" || key == "reference"; !isWord && (codes[code] == "" || sharedTexts[code] != "" || kind != "title" && kind != "text") {
			t.Errorf("%s is the text of no code that errors.go documents", key)
		}
	}
	if got, want := len(texts), len(codes)-len(sharedTexts); got != want {
		t.Errorf("%d texts for %d codes", got, want)
	}
}

func TestDescribe(t *testing.T) {
	german := maps.Clone(english)
	for key := range german {
		german[key] += " (de)"
	}
	delete(german, "forbidden.text")
	de := NewTexts("de", german)
	for _, tt := range []struct {
		name           string
		texts          *Texts
		code, fallback string
		other          bool
		want           Words
	}{
		{"in its language", de, "flow_used", "internal", false, Words{"de", "Sign-in is already complete (de)", "This sign-in was completed earlier, or was opened twice. (de)", "Continue (de)", "Home (de)", "Sign out (de)", "Reference: (de)"}},
		{"with a text missing, in English as a whole", de, "forbidden", "internal", true, Words{"en", "No access", english["forbidden.text"], "Sign in with another account", "Home", "Sign out", "Reference:"}},
		{"in a variant of English", NewTexts("en-GB", map[string]string{"button.home": "Homepage"}), "unauthenticated", "internal", false, Words{"en-GB", "Please sign in", english["unauthenticated.text"], "Sign in", "Homepage", "Sign out", "Reference:"}},
		{"of a code of the application", EnglishTexts(), "over_quota", "sign_in_refused", false, Words{"en", "You cannot sign in here", english["sign_in_refused.text"], "Try again", "Home", "Sign out", "Reference:"}},
		{"of a code with the texts of another", EnglishTexts(), "invalid_grant", "internal", false, Words{"en", "Sign-in did not work", english["authorization_failed.text"], "Try again", "Home", "Sign out", "Reference:"}},
	} {
		if got := tt.texts.Describe(tt.code, tt.fallback, tt.other); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
	if got := de.Missing(); !slices.Equal(got, []string{"forbidden.text"}) {
		t.Errorf("missing: %q", got)
	}
	if got := NewTexts("en-US", nil).Missing(); len(got) > 0 {
		t.Errorf("missing in English: %q", got)
	}
	clear(English())
	if english["forbidden.title"] == "" {
		t.Error("the texts of the pages can be changed")
	}
}

func TestCheckTexts(t *testing.T) {
	for lang, ok := range map[string]bool{
		"de": true, "pt-BR": true, "zh-Hant-TW": true, "sl-rozaj-biske-1994": true,
		"": false, "deutsch_": false, "d": false, "de-": false, `de" onload="x`: false, "de-" + strings.Repeat("abcdefgh-", 4) + "x": false,
	} {
		if wrong := CheckLang(lang); (wrong == "") != ok {
			t.Errorf("%q %s", lang, wrong)
		}
	}
	got := CheckTexts(map[string]string{
		"forbidden.title": "Kein Zugriff", "button.home": " ", "chooser.title": "a\nb", "chooser.text": "\xff",
		"forbiden.text": "x", "reference": strings.Repeat("a", maxText+1), "internal.text": strings.Repeat("a", maxText),
	})
	want := []string{
		`["button.home"] is empty`, `["chooser.text"] is not UTF-8`, `["chooser.title"] has a control character`,
		`["forbiden.text"] is not a key of EnglishTexts`, `["reference"] has 2001 bytes; at most 2000 are allowed`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestErrorPage(t *testing.T) {
	for _, tt := range []struct {
		name          string
		e             Error
		has, lacks    []string
		status, links int
	}{
		{
			"with a way to repeat it",
			Error{Words: EnglishTexts().Describe("flow_expired", "internal", false), Status: 400, Reference: "REF12345", RetryURL: "/login?return_to=%2Fa&x=1"},
			[]string{"<title>Sign-in took too long</title>", "<h1>Sign-in took too long</h1>", "REF12345", `href="/login?return_to=%2Fa&amp;x=1"`, ">Try again<"},
			[]string{">Home<", ">Continue<", "flow_expired"},
			400, 1,
		},
		{
			"with a way on",
			Error{Words: EnglishTexts().Describe("flow_used", "internal", false), Status: 400, RetryURL: "/dashboard"},
			[]string{`href="/dashboard"`, ">Continue<"},
			[]string{">Try again<", ">Home<"},
			400, 1,
		},
		{
			"without",
			Error{Words: EnglishTexts().Describe("session_too_large", "internal", false), Status: 500, HomeURL: "/app/?a=1&b"},
			[]string{`href="/app/?a=1&amp;b"`, ">Home<"},
			[]string{">Try again<"},
			500, 1,
		},
		{
			"hostile",
			Error{Words: EnglishTexts().Describe("<script>", "internal", false), Status: 502, Reference: `"><script>alert(1)</script>`, RetryURL: `javascript:alert("1")`},
			[]string{"Something went wrong", "&#34;&gt;&lt;script&gt;"},
			[]string{"<script", "javascript:"},
			502, 1,
		},
		{
			"with a URL that ends the attribute",
			Error{Words: EnglishTexts().Describe("forbidden", "internal", false), Status: 403, RetryURL: `/"><img src=x>`},
			[]string{"No access"},
			[]string{"<img"},
			403, 1,
		},
	} {
		w := httptest.NewRecorder()
		WriteError(w, tt.e)
		checkPage(t, tt.name, w, tt.status, tt.has, tt.lacks, tt.links)
	}
}

func TestChooser(t *testing.T) {
	w := httptest.NewRecorder()
	WriteChooser(w, EnglishTexts(), []Choice{{"a", "Example & Sons", "/login?provider=a&return_to=%2F"}, {"b", "<b>bold</b>", `/login?provider="><script>`}})
	checkPage(t, "chooser", w, http.StatusOK,
		[]string{"<title>Sign in</title>", `href="/login?provider=a&amp;return_to=%2F">Example &amp; Sons<`, "&lt;b&gt;bold"},
		[]string{"<b>", "<script"}, 2)
}

// checkPage checks what a page says, and that no page can be framed, cached, or run
// or load anything.
func checkPage(t *testing.T, name string, w *httptest.ResponseRecorder, status int, has, lacks []string, links int) {
	t.Helper()
	body := w.Body.String()
	for _, part := range has {
		if !strings.Contains(body, part) {
			t.Errorf("%s: lacks %q: %s", name, part, body)
		}
	}
	for _, part := range lacks {
		if strings.Contains(body, part) {
			t.Errorf("%s: has %q: %s", name, part, body)
		}
	}
	if n := strings.Count(body, "<a "); w.Code != status || n != links {
		t.Errorf("%s: status %d with %d links", name, w.Code, n)
	}
	_, rest, _ := strings.Cut(body, "<style>")
	css, _, ok := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(css))
	for field, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		"Cache-Control":           "no-store",
		"Referrer-Policy":         "no-referrer",
		"X-Content-Type-Options":  "nosniff",
		"Content-Type":            "text/html; charset=utf-8",
	} {
		if got := w.Header().Get(field); !ok || got != want {
			t.Errorf("%s: %s: %q, want %q", name, field, got, want)
		}
	}
	if strings.Contains(body, "style=") || strings.Count(body, "<style") != 1 {
		t.Errorf("%s: has a style that its policy does not allow", name)
	}
}

func TestSignOutForm(t *testing.T) {
	for _, tt := range []struct {
		name       string
		leadsTo    []string
		formAction string
	}{
		{"here alone", nil, "'self'"},
		{"to a provider", []string{"https://provider.test:8443", "https://app.test"}, "'self' https://provider.test:8443 https://app.test"},
		{"to an IPv6 address", []string{"http://[::1]:9"}, "'self' http:"},
		{"to a hostile host", []string{"https://a.test;script-src"}, "'self' https:"},
	} {
		w := httptest.NewRecorder()
		WriteError(w, Error{Words: EnglishTexts().Describe("forbidden", "internal", true), Status: 403, RetryURL: "/login", HomeURL: "/app/", SignOut: &SignOut{Action: `/a"&b`, LeadsTo: tt.leadsTo}})
		for _, part := range []string{`<form method="post" action="/a%22&amp;b"><button class="button second">Sign out</button>`, `href="/login">Sign in with another account<`, `href="/app/">Home<`} {
			if !strings.Contains(w.Body.String(), part) {
				t.Errorf("%s: lacks %s: %s", tt.name, part, w.Body)
			}
		}
		csp := w.Header().Get("Content-Security-Policy")
		if !strings.HasSuffix(csp, "; base-uri 'none'; form-action "+tt.formAction+"; frame-ancestors 'none'") || w.Header().Get("Referrer-Policy") != "same-origin" {
			t.Errorf("%s: %v", tt.name, w.Header())
		}
	}
}

// html/template leaves nothing of a value out, and nothing of it in the markup.
func TestPostPage(t *testing.T) {
	w := httptest.NewRecorder()
	WritePost(w, EnglishTexts(), "/auth/callback", []Field{{"state", `"><script>alert(1)</script>`}, {"code", "a&amp;b c+d"}})
	body := w.Body.String()
	for _, part := range []string{
		`<form method="post" action="/auth/callback">`, `name="state" value="&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"`, `name="code" value="a&amp;amp;b c&#43;d"`,
		"<script>document.forms[0].submit()</script>", `<button class="button">`,
	} {
		if !strings.Contains(body, part) {
			t.Errorf("lacks %s: %s", part, body)
		}
	}
	script := sha256.Sum256([]byte("document.forms[0].submit()"))
	want := "; script-src 'sha256-" + base64.StdEncoding.EncodeToString(script[:]) + "'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
	if csp := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; style-src 'sha256-") || !strings.HasSuffix(csp, want) {
		t.Errorf("the policy is %s", csp)
	}
	if w.Header().Get("Referrer-Policy") != "same-origin" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%v", w.Header())
	}
}

func TestOnwardPage(t *testing.T) {
	w := httptest.NewRecorder()
	WriteOnward(w, EnglishTexts(), "https://provider.test/authorize?a=1&b=2")
	checkPage(t, "onward", w, http.StatusOK, []string{`href="https://provider.test/authorize?a=1&amp;b=2">Continue<`}, []string{"<script"}, 1)
	if refresh := w.Header().Get("Refresh"); refresh != "0;url=https://provider.test/authorize?a=1&b=2" {
		t.Errorf("Refresh is %q", refresh)
	}
}

// Texts are text, whatever they contain, and their language is that of the page.
func TestTranslatedPages(t *testing.T) {
	texts := English()
	for key := range texts {
		texts[key] = `<b>"` + key + `"</b>`
	}
	hostile := NewTexts("ar", texts)
	errorPage, chooser, post, onward := httptest.NewRecorder(), httptest.NewRecorder(), httptest.NewRecorder(), httptest.NewRecorder()
	WriteError(errorPage, Error{Words: hostile.Describe("forbidden", "internal", true), Status: 403, Reference: "REF", RetryURL: "/login", SignOut: &SignOut{Action: "/logout"}})
	WriteChooser(chooser, hostile, []Choice{{"a", "A", "/login"}})
	WritePost(post, hostile, "/auth/callback", nil)
	WriteOnward(onward, hostile, "https://provider.test")
	for _, tt := range []struct {
		w    *httptest.ResponseRecorder
		keys []string
	}{
		{errorPage, []string{"forbidden.title", "forbidden.text", "button.other_account", "button.sign_out", "button.home", "reference"}},
		{chooser, []string{"chooser.title", "chooser.text"}},
		{post, []string{"signing_in.title", "signing_in.text", "button.continue"}},
		{onward, []string{"signing_in.title", "signing_in.text", "button.continue"}},
	} {
		body := tt.w.Body.String()
		for _, key := range tt.keys {
			if !strings.Contains(body, "&lt;b&gt;&#34;"+key+"&#34;&lt;/b&gt;") {
				t.Errorf("lacks %s: %s", key, body)
			}
		}
		if strings.Contains(body, "<b>") || !strings.Contains(body, `<html lang="ar" dir="auto">`) || !strings.HasSuffix(body, "</html>\n") {
			t.Error(body)
		}
	}
}
