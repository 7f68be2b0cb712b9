package oauthlogin

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
)

// An Error is why a request to the login, callback or logout path failed, or
// why [Middleware.Require] refused one. Its text is for logs: it names causes,
// but no token, code, state or cookie, and nothing of an answer's body but
// protocol error codes. Code is stable:
//
//	access_denied         400  the user or the provider said no
//	authorization_failed  400  the provider answered with another error
//	invalid_request       400  the request is malformed
//	flow_not_found        400  this browser has no such login pending
//	flow_expired          400  the login took over five minutes
//	flow_used             400  the callback came before
//	issuer_mismatch       400  the answer is of another issuer (RFC 9207)
//	unknown_provider      400  no provider has the name
//	cookies_lost          400  the browser does not keep the session cookie
//	invalid_grant         400  the provider did not accept the code
//	forbidden             403  the session does not satisfy a [Policy]
//	step_up_failed        403  the user signed in otherwise than asked
//	cross_origin          403  another site asked for the logout
//	method_not_allowed    405  the Allow header says which are
//	session_too_large     500  the session fits neither cookies nor Options.Store
//	internal              500  anything else on our side
//	provider_rejected     502  the provider's answer is wrong or incomplete
//	provider_unavailable  502  the provider did not answer
type Error struct {
	Code     string
	Status   int    // of the HTTP answer
	Provider string // its name, "" if not known
	// RetryURL is a local URL that starts the login again with its return path,
	// or leads on where there is nothing to repeat; "" if neither helps.
	RetryURL string

	err error
}

func (e *Error) Error() string {
	text := "oauthlogin: " + e.Code
	if e.Provider != "" {
		text += " (provider " + strconv.Quote(e.Provider) + ")"
	}
	if e.err != nil {
		text += ": " + e.err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.err }

// logFailure logs an error and returns the reference that the page shows.
func (m *Middleware) logFailure(r *http.Request, e *Error) (id string) {
	id = rand.Text()[:8]
	log := m.log.InfoContext
	if e.Status >= http.StatusInternalServerError {
		log = m.log.ErrorContext
	}
	log(r.Context(), "oauthlogin: request failed", "code", e.Code, "provider", e.Provider, "error", e.err, "id", id)
	return id
}

// fail answers a request with an error, through Options.ErrorHandler if there
// is one.
func (m *Middleware) fail(w http.ResponseWriter, r *http.Request, e *Error) {
	noStore(w)
	w.Header().Set("Referrer-Policy", "no-referrer")
	id := m.logFailure(r, e)
	if m.opts.ErrorHandler != nil {
		m.opts.ErrorHandler(w, r, e)
		return
	}
	p := errorPage{ID: id, RetryURL: e.RetryURL, Retry: "Try again"}
	p.Title, p.Text = describe(e)
	if e.Code == "flow_used" {
		p.Retry = "Continue"
	}
	writePage(w, e.Status, errorTemplate, p)
}

// describe says it to the user: what happened, and never what went wrong inside.
func describe(e *Error) (title, text string) {
	switch e.Code {
	case "access_denied":
		return "Sign-in was cancelled", "You were not signed in, because access was denied or the sign-in was cancelled."
	case "authorization_failed", "invalid_grant", "provider_rejected", "issuer_mismatch":
		return "Sign-in did not work", "The sign-in provider did not complete the sign-in. You are welcome to try again."
	case "provider_unavailable":
		return "Sign-in is not available", "The sign-in provider cannot be reached at the moment. Please try again in a little while."
	case "flow_not_found":
		return "Sign-in could not be matched", "This browser has no such sign-in pending. It may be an old link, or the browser may not accept cookies."
	case "flow_expired":
		return "Sign-in took too long", "For your safety a sign-in has to be completed within a few minutes. Please start again."
	case "flow_used":
		return "Sign-in is already complete", "This sign-in was completed before, or was opened twice."
	case "cookies_lost":
		return "Your browser does not keep you signed in", "The sign-in worked, but the browser did not send back the cookie that keeps you signed in. Please allow cookies for this site."
	case "forbidden":
		return "No access", "You are signed in, but this page is not open to your account."
	case "step_up_failed":
		return "Please sign in again", "This page asks for a more recent or a stronger sign-in than the one you completed."
	case "cross_origin":
		return "Request refused", "Another site asked to sign you out. You are still signed in."
	case "method_not_allowed", "invalid_request", "unknown_provider":
		return "Request not understood", "This address was not opened in the way that it is meant to be."
	case "session_too_large":
		return "Sign-in could not be completed", "The provider sent more than this site can keep. Please tell the people who run it."
	}
	return "Something went wrong", "The sign-in could not be completed. Please try again in a little while."
}

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
