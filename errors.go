package oauthlogin

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"

	"github.com/oauthlogin/oauthlogin/internal/browser"
	"github.com/oauthlogin/oauthlogin/internal/memory"
	"github.com/oauthlogin/oauthlogin/internal/page"
	"github.com/oauthlogin/oauthlogin/internal/protocol"
	"github.com/oauthlogin/oauthlogin/internal/weburl"
)

// An Error says why a request to one of the package's paths failed, or why [Middleware.Require]
// or [Middleware.RequireAuth] refused one or cannot decide. [Options.ErrorHandler] gets one, and
// [Event.Err] may be one; [errors.As] finds it. Branch on Code, which is stable:
//
//	access_denied         400  the user or the provider denied access
//	authorization_failed  400  the provider responded with another error
//	invalid_request       400  the request is malformed
//	flow_not_found        400  this browser has no such login pending
//	flow_expired          400  the login took over five minutes
//	flow_used             400  the callback was used before
//	issuer_mismatch       400  the response is from another issuer (RFC 9207)
//	unknown_provider      400  no provider has the name
//	cookies_lost          400  the browser does not keep the session cookie
//	invalid_grant         400  the provider did not accept the code
//	unauthenticated       401  a form was sent, or HTML requested by a script, without a session
//	insufficient_user_authentication
//	                      401  the same with a session, and a Policy or an API asks for a new sign-in
//	insufficient_scope    401  the same with a session, and a Policy or an API asks for more scopes
//	                      403  a script's request, after the user or the provider denied them
//	forbidden             403  the session does not satisfy a Policy, or an API in Middleware.Challenge
//	device_not_bound      403  a Policy asks for a session that is bound to a device
//	sign_in_refused       403  Options.OnSignIn refused the login
//	step_up_failed        403  the sign-in does not meet the requested max_age or acr_values
//	cross_origin          403  a page of another origin sent the request
//	method_not_allowed    405  the Allow header says which are allowed
//	session_too_large     500  the session fits neither cookies nor Options.Store
//	internal              500  any other fault on this side
//	provider_rejected     502  the provider's response is wrong or incomplete
//	provider_unavailable  502  the provider did not respond
//	unavailable           503  Options.Store or Options.Coordinator fails, or the provider has
//	                           been unreachable for too long, or its keys cannot be read for a
//	                           logout token: try again after Retry-After
//
// Its text is for logs: it names causes, but no token, code, state or cookie, and of a provider's
// response only protocol error codes. docs/troubleshooting.md says what to do about each code.
type Error struct {
	// Code is one of the above, or one that [Options.OnSignIn] has set.
	Code string
	// Status is that of the HTTP response, 400 to 599.
	Status int
	// Provider is the [Provider.Name], "" if it is not known.
	Provider string
	// RetryURL is a local URL that starts the login again with its return path, or leads on
	// where there is nothing to repeat. It is "" if neither helps. With the code forbidden,
	// and after a refusal by [Options.OnSignIn] that names no other URL, the provider lets the
	// user choose another account (prompt=select_account). After a failure of one of several
	// providers, the user chooses among them.
	RetryURL string
	// Reference names the log line, in its key reference, so that a user can report it. The
	// package's page shows it. It is "" in an [Event].
	Reference string
	// Lang, Title, Text and RetryLabel are the language and the words of the package's page, by
	// [Options.Texts], for the page of an ErrorHandler; in an [Event] they are empty. They are
	// not HTML. RetryLabel is the text of a link to RetryURL.
	Lang, Title, Text, RetryLabel string

	err          error
	refused      bool          // by Options.OnSignIn
	subject      string        // of the user whom it refused
	otherAccount bool          // RetryURL is of otherAccountURL
	signOut      *page.SignOut // on the page, nil: none
}

// Error returns the code, the provider and the causes, for logs. A user should not see it.
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

// Unwrap returns the cause, nil if the code says it all. [errors.Is] finds the error of
// [Options.OnSignIn] or [Policy.Allow] in it.
func (e *Error) Unwrap() error { return e.err }

// errMisconfigured marks an error that every login meets until the configuration changes.
var errMisconfigured = errors.New("check the client's registration and scopes")

// authorizationError is the error of an authorization response (RFC 6749 section 4.1.2.1).
func authorizationError(code string) error {
	err := fmt.Errorf("authorization endpoint responded with error %q", protocol.ErrorCode(code))
	if slices.Contains([]string{"invalid_scope", "unauthorized_client", "invalid_client"}, code) {
		return fmt.Errorf("%w: %w", err, errMisconfigured)
	}
	return err
}

// classify tells a provider that cannot be reached from one whose response is wrong,
// both from a code that should not have been sent, and all from a fault on this side.
func classify(err error) (code string, status int) {
	var credential *protocol.CredentialError
	switch {
	case errors.As(err, &credential):
		return "internal", http.StatusInternalServerError
	case protocol.RefusesCode(err):
		return "invalid_grant", http.StatusBadRequest
	case protocol.Unavailable(err):
		return "provider_unavailable", http.StatusBadGateway
	}
	return "provider_rejected", http.StatusBadGateway
}

// A responder writes the responses to requests that fail.
type responder struct {
	handler func(http.ResponseWriter, *http.Request, error) // Options.ErrorHandler
	log     *slog.Logger
	alarms  memory.Recent // error codes
	paths   *weburl.Paths
	texts   translations
}

// loudly reports whether it is time to log what as an error again: once a minute, because
// strangers can cause errors.
func (p *responder) loudly(what string) bool { return p.alarms.Add(what, "") }

// newReference names an error on the page and in the log.
func newReference() string { return rand.Text()[:8] }

// logFailure logs an error and returns a copy with the reference of the log line: events
// have the error as it was. What is the client's fault is at Info. What is not is at
// Error, once a minute for each code, and at Info in between.
func (p *responder) logFailure(r *http.Request, failed *Error) *Error {
	e := *failed
	e.Reference = cmp.Or(e.Reference, newReference())
	log := p.log.InfoContext
	kind := e.Code
	if errors.Is(e.err, errPrefixStripped) { // which strangers can cause, and which must not hide what they cannot
		kind = "prefix"
	}
	if (e.Status >= http.StatusInternalServerError || errors.Is(e.err, errMisconfigured)) && p.loudly(kind) {
		log = p.log.ErrorContext
	}
	log(r.Context(), "oauthlogin: request failed", e.attrs()...)
	return &e
}

// attrs are what the log has of an error.
func (e *Error) attrs() []any {
	attrs := []any{"code", e.Code, "provider", e.Provider, "reference", e.Reference}
	if e.subject != "" {
		attrs = append(attrs, "subject", e.subject)
	}
	if e.err != nil {
		attrs = append(attrs, "error", e.err)
	}
	return attrs
}

// fail responds with an error page, or through Options.ErrorHandler.
func (p *responder) fail(w http.ResponseWriter, r *http.Request, failed *Error) {
	page.NoStore(w)
	if page.NoReferrer(w); failed.signOut != nil { // also for forms of Options.ErrorHandler
		page.SameOriginReferrer(w)
	}
	e := p.logFailure(r, failed)
	fallback := "internal"
	if e.refused && e.Status < http.StatusInternalServerError {
		fallback = "sign_in_refused" // for a code of the application's
	}
	words := p.texts.of(r).Describe(e.Code, fallback, e.otherAccount)
	words.Title, words.Text, words.RetryLabel = cmp.Or(e.Title, words.Title), cmp.Or(e.Text, words.Text), cmp.Or(e.RetryLabel, words.RetryLabel)
	if p.handler != nil {
		e.Lang, e.Title, e.Text, e.RetryLabel = words.Lang, words.Title, words.Text, words.RetryLabel
		p.handler(w, r, e)
		return
	}
	page.WriteError(w, page.Error{Words: words, Status: e.Status, Reference: e.Reference, RetryURL: e.RetryURL, HomeURL: p.paths.Home, SignOut: e.signOut})
}

// refuse responds as fail does to whoever looks at a page, and to a script with the code in
// JSON.
func (p *responder) refuse(w http.ResponseWriter, r *http.Request, e *Error) {
	if browser.ShowsPage(r) {
		p.fail(w, r, e)
		return
	}
	p.logFailure(r, e)
	page.NoStore(w)
	page.JSON(w, e.Status, map[string]string{"error": e.Code})
}
