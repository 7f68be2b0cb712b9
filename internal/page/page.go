package page

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"regexp"
	"strings"
)

// Style is the style sheet of the pages. Those of oauthlogintest have it as well, and the
// example's begins with it.
//
//go:embed style.css
var Style string

// chooserStyle is what the chooser has in addition.
const chooserStyle = `ul { list-style: none; margin: 1.25rem 0 0; padding: 0; display: grid; gap: .625rem; }
.choice { display: flex; align-items: center; justify-content: space-between; gap: 1rem; text-align: start; }
.choice::after {
	content: ""; flex: none; width: .5rem; height: .5rem; margin-inline-end: .25rem;
	border: solid var(--soft); border-width: 2px 2px 0 0; transform: rotate(45deg);
}
.choice:dir(rtl)::after { transform: rotate(-135deg); }
`

// actionStyle is what the pages of errors and of sign-ins under way have in addition.
const actionStyle = `.actions { display: grid; gap: .625rem; margin-top: 1.5rem; }
form { margin: 0; }
`

// A document is a kind of page and its Content-Security-Policy, whose form-action is left
// open.
type document struct {
	template *template.Template
	policy   string
}

// parse makes a document. dir="auto" follows the first letter of the title.
func parse(style, body string) document {
	style = Style + style
	sum := sha256.Sum256([]byte(style))
	return document{
		template.Must(template.New("page").Parse(`<!doctype html>
<html lang="{{.Lang}}" dir="auto">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{{.Title}}</title>
<style>` + style + `</style>
</head>
<body>
` + body + `
</body>
</html>
`)),
		"default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action %s; frame-ancestors 'none'",
	}
}

// policyFor is the Content-Security-Policy with these sources of form-action.
func (d document) policyFor(formAction string) string { return fmt.Sprintf(d.policy, formAction) }

var (
	errorDocument = parse(actionStyle, `<main>
<h1>{{.Title}}</h1>
<p>{{.Text}}</p>
<div class="actions">
{{with .RetryURL}}<a class="button" href="{{.}}">{{$.RetryLabel}}</a>
{{else}}<a class="button" href="{{.HomeURL}}">{{.HomeLabel}}</a>
{{end}}{{with .SignOut}}<form method="post" action="{{.Action}}"><button class="button second">{{$.SignOutLabel}}</button></form>
<a class="button second" href="{{$.HomeURL}}">{{$.HomeLabel}}</a>
{{end}}</div>
</main>
<footer>{{.ReferenceLabel}} {{.Reference}}</footer>`)

	chooserDocument = parse(chooserStyle, `<main>
<h1>{{.Title}}</h1>
<p id="with">{{.Text}}</p>
<ul aria-labelledby="with">{{range .Choices}}
<li><a class="button second choice" href="{{.URL}}">{{.Label}}</a></li>{{end}}
</ul>
</main>`)
)

// An Error is what a page says of a request that failed.
type Error struct {
	Words
	Status    int
	Reference string   // of the log line
	RetryURL  string   // "": the page leads to HomeURL
	HomeURL   string   // a local path
	SignOut   *SignOut // nil: no form
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

// WriteError writes an error page, which shows nothing of the cause.
func WriteError(w http.ResponseWriter, e Error) {
	if NoReferrer(w); e.SignOut != nil {
		SameOriginReferrer(w)
	}
	write(w, e.Status, errorDocument, e.SignOut.formAction(), e)
}

// A Choice is a link of the chooser page.
type Choice struct{ Provider, Label, URL string }

// WriteChooser writes the page on which a user chooses a provider.
func WriteChooser(w http.ResponseWriter, t *Texts, choices []Choice) {
	NoReferrer(w)
	lang, texts := t.all("chooser.title", "chooser.text")
	write(w, http.StatusOK, chooserDocument, "'none'", struct {
		Lang, Title, Text string
		Choices           []Choice
	}{lang, texts[0], texts[1], choices})
}

func write(w http.ResponseWriter, status int, d document, formAction string, data any) {
	w.Header().Set("Content-Security-Policy", d.policyFor(formAction))
	execute(w, status, d, data)
}

func execute(w http.ResponseWriter, status int, d document, data any) {
	h := w.Header()
	NoStore(w)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	d.template.Execute(w, data) // fails only when the browser has gone
}
