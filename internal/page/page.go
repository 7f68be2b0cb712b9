package page

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
)

const style = `:root{color-scheme:light dark}*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1rem;font:1rem/1.5 system-ui,sans-serif;color:#1a1c20;background:#f4f5f7}
main{width:100%;max-width:27rem;padding:2rem;border-radius:.75rem;background:#fff;box-shadow:0 1px 4px #0003}
h1{margin:0 0 .5rem;font-size:1.375rem;line-height:1.25}ul{list-style:none;margin:1rem 0 0;padding:0}li+li{margin-top:.5rem}
.button{display:block;padding:.65rem 1rem;border-radius:.5rem;background:#1d4ed8;color:#fff;text-align:center;text-decoration:none;font-weight:600;overflow-wrap:anywhere}
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
<p><small>Reference: {{.Reference}}</small></p>`)

	chooserTemplate = parse(`<p id="with">Choose a provider to sign in with.</p>
<ul aria-labelledby="with">{{range .Choices}}
<li><a class="button" href="{{.URL}}">{{.Label}}</a></li>{{end}}
</ul>`)

	policy = fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'", styleHash())
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
}

// WriteError writes an error page. It shows a text for the code and nothing of the
// cause.
func WriteError(w http.ResponseWriter, e Error) {
	retry := "Try again"
	switch e.Code {
	case "flow_used":
		retry = "Continue"
	case "unauthenticated", "insufficient_user_authentication", "insufficient_scope":
		retry = "Sign in"
	}
	title, text := describe(e.Code)
	write(w, e.Status, errorTemplate, map[string]string{
		"Title": title, "Text": text, "RetryURL": e.RetryURL, "Retry": retry, "Reference": e.Reference,
	})
}

// A Choice is a link of the chooser page.
type Choice struct{ Label, URL string }

// WriteChooser writes the page on which a user chooses a provider.
func WriteChooser(w http.ResponseWriter, choices []Choice) {
	write(w, http.StatusOK, chooserTemplate, struct {
		Title   string
		Choices []Choice
	}{"Sign in", choices})
}

func write(w http.ResponseWriter, status int, page *template.Template, data any) {
	h := w.Header()
	NoStore(w)
	NoReferrer(w)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	page.Execute(w, data) // fails only when the browser has gone
}
