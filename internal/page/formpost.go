package page

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
)

// A Field is a hidden field of a form.
type Field struct{ Name, Value string }

// postScript sends the form of the page without waiting for the user.
const postScript = `document.forms[0].submit()`

var (
	postDocument = parse(actionStyle, `<main>
<h1>{{.Title}}</h1>
<p>{{.Text}}</p>
<form method="post" action="{{.Action}}">{{range .Fields}}
<input type="hidden" name="{{.Name}}" value="{{.Value}}">{{end}}
<button class="button">{{.Continue}}</button>
</form>
</main>
<script>`+postScript+`</script>`)

	onwardDocument = parse(actionStyle, `<main>
<h1>{{.Title}}</h1>
<p>{{.Text}}</p>
<a class="button" href="{{.URL}}">{{.Continue}}</a>
</main>`)
)

// signingIn are the texts of both pages.
type signingIn struct{ Lang, Title, Text, Continue string }

func (t *Texts) signingIn() signingIn {
	lang, texts := t.all("signing_in.title", "signing_in.text", "button.continue")
	return signingIn{lang, texts[0], texts[1], texts[2]}
}

// WritePost writes a page that posts fields to a path of this origin: by a script, or by a
// button without one. Its policy allows that script and that form alone.
func WritePost(w http.ResponseWriter, t *Texts, action string, fields []Field) {
	SameOriginReferrer(w) // with no-referrer, the form would come with "Origin: null"
	sum := sha256.Sum256([]byte(postScript))
	h := w.Header()
	h.Set("Content-Security-Policy", strings.Replace(postDocument.policyFor("'self'"), "; base-uri",
		"; script-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'; base-uri", 1))
	execute(w, http.StatusOK, postDocument, struct {
		signingIn
		Action string
		Fields []Field
	}{t.signingIn(), action, fields})
}

// WriteOnward writes a page that leads to an absolute URL by itself. It stands in for a
// redirect where browsers would apply the form-action of the page before to it.
func WriteOnward(w http.ResponseWriter, t *Texts, location string) {
	NoReferrer(w)
	w.Header().Set("Refresh", "0;url="+location)
	write(w, http.StatusOK, onwardDocument, "'none'", struct {
		signingIn
		URL string
	}{t.signingIn(), location})
}
