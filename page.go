package oauthlogin

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
)

type errorPage struct {
	Title, Text, RetryURL, Retry, ID string
}

type chooserPage struct {
	Title   string
	Choices []choice
}

type choice struct{ Name, URL string }

const pageStyle = `:root{color-scheme:light dark}*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1rem;font:1rem/1.5 system-ui,sans-serif;color:#1a1c20;background:#f4f5f7}
main{width:100%;max-width:27rem;padding:2rem;border-radius:.75rem;background:#fff;box-shadow:0 1px 4px #0003}
h1{margin:0 0 .5rem;font-size:1.375rem;line-height:1.25}ul{list-style:none;margin:1rem 0 0;padding:0}li+li{margin-top:.5rem}
.button{display:block;padding:.65rem 1rem;border-radius:.5rem;background:#1d4ed8;color:#fff;text-align:center;text-decoration:none;font-weight:600;overflow-wrap:anywhere}
.button:focus-visible{outline:3px solid #f59e0b;outline-offset:2px}small{color:#5a6070}main>:last-child{margin-bottom:0}
@media(prefers-color-scheme:dark){body{color:#e8eaee;background:#14161a}main{background:#1f2329}small{color:#a5adba}}`

func parsePage(body string) *template.Template {
	return template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{{.Title}}</title>
<style>` + pageStyle + `</style>
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
	errorTemplate = parsePage(`<p>{{.Text}}</p>
{{with .RetryURL}}<p><a class="button" href="{{.}}">{{$.Retry}}</a></p>{{else}}<p><a class="button" href="/">Home</a></p>{{end}}
<p><small>Reference: {{.ID}}</small></p>`)

	chooserTemplate = parsePage(`<p id="with">Choose who you want to sign in with.</p>
<ul aria-labelledby="with">{{range .Choices}}
<li><a class="button" href="{{.URL}}">{{.Name}}</a></li>{{end}}
</ul>`)

	pagePolicy = fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'", styleHash())
)

func styleHash() string {
	sum := sha256.Sum256([]byte(pageStyle))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func writePage(w http.ResponseWriter, status int, page *template.Template, data any) {
	h := w.Header()
	noStore(w)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	page.Execute(w, data) // a browser that has gone away is nobody to tell
}

// choose shows a page with a link for each provider.
func (m *Middleware) choose(w http.ResponseWriter, returnTo string) {
	page := chooserPage{Title: "Sign in"}
	for _, p := range m.providers {
		page.Choices = append(page.Choices, choice{p.Name, m.loginURL(p.Name, returnTo)})
	}
	writePage(w, http.StatusOK, chooserTemplate, page)
}
