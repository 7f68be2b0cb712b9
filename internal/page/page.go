package page

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"regexp"
	"strings"
)

const style = `:root{color-scheme:light dark}*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1rem;font:1rem/1.5 system-ui,sans-serif;color:#1a1c20;background:#f4f5f7}
main{width:100%;max-width:27rem;padding:2rem;border-radius:.75rem;background:#fff;box-shadow:0 1px 4px #0003}
h1{margin:0 0 .5rem;font-size:1.375rem;line-height:1.25}ul{list-style:none;margin:1rem 0 0;padding:0}li+li{margin-top:.5rem}
.button{display:block;padding:.65rem 1rem;border-radius:.5rem;background:#1d4ed8;color:#fff;text-align:center;text-decoration:none;font-weight:600;overflow-wrap:anywhere}
button.button{width:100%;font:inherit;font-weight:600;cursor:pointer}.button.second{border:1px solid;background:none;color:inherit}
.button:focus-visible{outline:3px solid #f59e0b;outline-offset:2px}small{color:#5a6070}main>:last-child{margin-bottom:0}
@media(prefers-color-scheme:dark){body{color:#e8eaee;background:#14161a}main{background:#1f2329}small{color:#a5adba}}`

func parse(body string) *template.Template {
	return template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{{.Title}}</title>
<style>` + style + `</style>
</head>
<body>
<main>
<h1>{{.Title}}</h1>
` + body + `
</main>
</body>
</html>
`))
}

var (
	errorTemplate = parse(`<p>{{.Text}}</p>
{{with .RetryURL}}<p><a class="button" href="{{.}}">{{$.Retry}}</a></p>{{else}}<p><a class="button" href="/">Home</a></p>{{end}}
{{with .SignOut}}<form method="post" action="{{.Action}}"><button class="button second">Sign out</button></form>
<p><a class="button second" href="/">Home</a></p>{{end}}
<p><small>Reference: {{.Reference}}</small></p>`)

	chooserTemplate = parse(`<p id="with">Choose a provider to sign in with.</p>
<ul aria-labelledby="with">{{range .Choices}}
<li><a class="button" href="{{.URL}}">{{.Label}}</a></li>{{end}}
</ul>`)

	policy = fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action %%s; frame-ancestors 'none'", styleHash())
)

func styleHash() string {
	sum := sha256.Sum256([]byte(style))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// An Error is what a page says of a request that failed.
type Error struct {
	Code      string // chooses title and text
	Status    int
	Reference string // of the log line
	RetryURL  string // "": the page leads to /
	// OtherAccount says that RetryURL lets the user choose another account.
	OtherAccount bool
	SignOut      *SignOut // nil: no form
}

// A SignOut is a form that ends the session.
type SignOut struct {
	Action  string
	LeadsTo []string // origins that the response redirects to
}

// formAction returns the sources of the form-action directive, which browsers apply to
// redirects as well.
func (s *SignOut) formAction() string {
	if s == nil {
		return "'none'"
	}
	var sources strings.Builder
	sources.WriteString("'self'")
	for _, origin := range s.LeadsTo {
		if !hostSource.MatchString(origin) {
			scheme, _, _ := strings.Cut(origin, ":")
			origin = scheme + ":"
		}
		sources.WriteString(" " + origin)
	}
	return sources.String()
}

// hostSource matches origins that a Content-Security-Policy can name: it has no syntax
// for IPv6 addresses, and a host may contain a semicolon.
var hostSource = regexp.MustCompile(`^https?://[a-zA-Z0-9.-]+(:[0-9]+)?$`)

// WriteError writes an error page. It shows a text for the code and nothing of the
// cause.
func WriteError(w http.ResponseWriter, e Error) {
	retry := "Try again"
	switch {
	case e.OtherAccount:
		retry = "Sign in with another account"
	case e.Code == "flow_used":
		retry = "Continue"
	case e.Code == "unauthenticated" || e.Code == "insufficient_user_authentication" || e.Code == "insufficient_scope":
		retry = "Sign in"
	}
	title, text := describe(e.Code)
	if NoReferrer(w); e.SignOut != nil {
		SameOriginReferrer(w)
	}
	write(w, e.Status, errorTemplate, e.SignOut.formAction(), map[string]any{
		"Title": title, "Text": text, "RetryURL": e.RetryURL, "Retry": retry, "Reference": e.Reference, "SignOut": e.SignOut,
	})
}

// A Choice is a link of the chooser page.
type Choice struct{ Label, URL string }

// WriteChooser writes the page on which a user chooses a provider.
func WriteChooser(w http.ResponseWriter, choices []Choice) {
	NoReferrer(w)
	write(w, http.StatusOK, chooserTemplate, "'none'", struct {
		Title   string
		Choices []Choice
	}{"Sign in", choices})
}

func write(w http.ResponseWriter, status int, page *template.Template, formAction string, data any) {
	w.Header().Set("Content-Security-Policy", policyFor(formAction))
	execute(w, status, page, data)
}

// policyFor is the Content-Security-Policy of a page with these sources of form-action.
func policyFor(formAction string) string { return fmt.Sprintf(policy, formAction) }

func execute(w http.ResponseWriter, status int, page *template.Template, data any) {
	h := w.Header()
	NoStore(w)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	page.Execute(w, data) // fails only when the browser has gone
}
