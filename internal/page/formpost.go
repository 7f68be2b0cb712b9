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
	postTemplate = parse(`<p>Your sign-in goes on in a moment.</p>
<form method="post" action="{{.Action}}">{{range .Fields}}
<input type="hidden" name="{{.Name}}" value="{{.Value}}">{{end}}
<button class="button">Continue</button>
</form>
<script>` + postScript + `</script>`)

	onwardTemplate = parse(`<p>Your sign-in goes on in a moment.</p>
<p><a class="button" href="{{.URL}}">Continue</a></p>`)
)

// WritePost writes a page that posts fields to a path of this origin: by a script, or by a
// button without one. Its policy allows that script and that form alone.
func WritePost(w http.ResponseWriter, action string, fields []Field) {
	SameOriginReferrer(w) // with no-referrer, the form would come with "Origin: null"
	sum := sha256.Sum256([]byte(postScript))
	h := w.Header()
	h.Set("Content-Security-Policy", strings.Replace(policyFor("'self'"), "; base-uri",
		"; script-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'; base-uri", 1))
	execute(w, http.StatusOK, postTemplate, map[string]any{"Title": "Signing in", "Action": action, "Fields": fields})
}

// WriteOnward writes a page that leads to an absolute URL by itself. It stands in for a
// redirect where browsers would apply the form-action of the page before to it.
func WriteOnward(w http.ResponseWriter, location string) {
	NoReferrer(w)
	w.Header().Set("Refresh", "0;url="+location)
	write(w, http.StatusOK, onwardTemplate, "'none'", map[string]any{"Title": "Signing in", "URL": location})
}
