package oauthlogin

import (
	"crypto/rand"
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
