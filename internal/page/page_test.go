package page

import (
	"crypto/sha256"
	"encoding/base64"
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

// Each code has a text of its own, or shares one where the user can do no more with
// the difference.
func TestEveryCodeHasText(t *testing.T) {
	shared := [][]string{
		{"authorization_failed", "invalid_grant", "provider_rejected", "issuer_mismatch"},
		{"invalid_request", "unknown_provider", "method_not_allowed"},
		{"internal", "a code that there is not"},
	}
	group := func(code string) int {
		return slices.IndexFunc(shared, func(codes []string) bool { return slices.Contains(codes, code) })
	}
	codes := documentedCodes(t)
	codes["a code that there is not"] = "500"
	for _, codesOfGroup := range shared {
		for _, code := range codesOfGroup {
			if codes[code] == "" {
				t.Errorf("errors.go does not document %s", code)
			}
		}
	}
	titles, texts := map[string]string{}, map[string]string{}
	for code := range codes {
		title, text := describe(code)
		if title == "" || !strings.HasSuffix(text, ".") || strings.Contains(text, code) {
			t.Errorf("%s: %q, %q", code, title, text)
		}
		for seen, of := range map[string]map[string]string{title: titles, text: texts} {
			other, taken := of[seen]
			if taken && (group(code) < 0 || group(code) != group(other)) {
				t.Errorf("%s and %s both say %q", code, other, seen)
			}
			of[seen] = code
		}
	}
	if len(texts) != len(codes)-6 {
		t.Errorf("%d texts for %d codes", len(texts), len(codes))
	}
}

// describe has no text for a code that is not documented.
func TestTextsAreOfDocumentedCodes(t *testing.T) {
	source, err := os.ReadFile("texts.go")
	if err != nil {
		t.Fatal(err)
	}
	codes, n := documentedCodes(t), 0
	for _, line := range regexp.MustCompile(`(?m)^\tcase (.*):$`).FindAllStringSubmatch(string(source), -1) {
		for _, code := range regexp.MustCompile(`"([^"]+)"`).FindAllStringSubmatch(line[1], -1) {
			if n++; codes[code[1]] == "" {
				t.Errorf("texts.go has a text for %s, which errors.go does not document", code[1])
			}
		}
	}
	if n != len(codes)-1 { // but for internal
		t.Errorf("texts.go names %d codes of %d", n, len(codes))
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
			Error{Code: "flow_expired", Status: 400, Reference: "REF12345", RetryURL: "/login?return_to=%2Fa&x=1"},
			[]string{"<title>Sign-in took too long</title>", "<h1>Sign-in took too long</h1>", "REF12345", `href="/login?return_to=%2Fa&amp;x=1"`, ">Try again<"},
			[]string{">Home<", ">Continue<", "flow_expired"},
			400, 1,
		},
		{
			"with a way on",
			Error{Code: "flow_used", Status: 400, RetryURL: "/dashboard"},
			[]string{`href="/dashboard"`, ">Continue<"},
			[]string{">Try again<", ">Home<"},
			400, 1,
		},
		{
			"without",
			Error{Code: "session_too_large", Status: 500},
			[]string{`href="/"`, ">Home<"},
			[]string{">Try again<"},
			500, 1,
		},
		{
			"hostile",
			Error{Code: "<script>", Status: 502, Reference: `"><script>alert(1)</script>`, RetryURL: `javascript:alert("1")`},
			[]string{"Something went wrong", "&#34;&gt;&lt;script&gt;"},
			[]string{"<script", "javascript:"},
			502, 1,
		},
		{
			"with a URL that ends the attribute",
			Error{Code: "forbidden", Status: 403, RetryURL: `/"><img src=x>`},
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
	WriteChooser(w, []Choice{{"Example & Sons", "/login?provider=a&return_to=%2F"}, {"<b>bold</b>", `/login?provider="><script>`}})
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
		WriteError(w, Error{Code: "forbidden", Status: 403, RetryURL: "/login", OtherAccount: true, SignOut: &SignOut{Action: `/a"&b`, LeadsTo: tt.leadsTo}})
		for _, part := range []string{`<form method="post" action="/a%22&amp;b"><button class="button second">Sign out</button>`, `href="/login">Sign in with another account<`, `href="/">Home<`} {
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
	WritePost(w, "/auth/callback", []Field{{"state", `"><script>alert(1)</script>`}, {"code", "a&amp;b c+d"}})
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
	WriteOnward(w, "https://provider.test/authorize?a=1&b=2")
	checkPage(t, "onward", w, http.StatusOK, []string{`href="https://provider.test/authorize?a=1&amp;b=2">Continue<`}, []string{"<script"}, 1)
	if refresh := w.Header().Get("Refresh"); refresh != "0;url=https://provider.test/authorize?a=1&b=2" {
		t.Errorf("Refresh is %q", refresh)
	}
}
