package oauthlogin

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/flight"
	"github.com/oauthlogin/oauthlogin/internal/instances"
	"github.com/oauthlogin/oauthlogin/internal/memory"
	"github.com/oauthlogin/oauthlogin/internal/page"
	"github.com/oauthlogin/oauthlogin/internal/protocol"
)

const (
	// maxLogoutTokens bounds the logout tokens that are remembered to have come, of which
	// the last half are remembered for as long as they are accepted. They take about 7 MiB.
	maxLogoutTokens = 1 << 17
	// backChannelTimeout bounds what a provider waits for its own keys.
	backChannelTimeout = 10 * time.Second
)

// logoutTokens are the logout tokens that have come.
type logoutTokens struct {
	accepted memory.Recent // by client and jti
	flights  flight.Group[struct{}]
}

// BackChannelLogout ends sessions that an OpenID Connect provider says are over: the user has
// signed out there or at another application, or an administrator has ended the session (OpenID
// Connect Back-Channel Logout 1.0). [Middleware.Handler] serves it at [Options.LogoutPath] +
// "/backchannel". Register that URL at the provider, "https://app.example/logout/backchannel",
// as backchannel_logout_uri, and set backchannel_logout_session_required if you can: the
// provider then names the session.
//
// The provider sends a logout token in a POST request. It is verified in full (section 2.6): it
// has to be issued and signed by one of [Options.Providers] for this client, in the last ten
// minutes, and it is accepted once. A token with a sid ends the sessions whose ID tokens had
// that sid at the login. One with only a sub ends all sessions of that user. A login that
// begins after that stands; one whose code was sent to the provider before does not.
//
// The response is 200 once the sessions have ended, or if there were none; 400 with a JSON
// object for every token that is not accepted, also one that comes again; and 503 if the
// provider's keys cannot be read or [Options.Coordinator] does not respond: then the token can
// be sent again. No response is stored.
//
// With a Coordinator it ends sessions at all instances, and otherwise on this one and until it
// restarts: see [Middleware.SignOutUser]. It revokes no token, which is for the provider that
// has ended the session, except one that a refresh brings afterwards.
func (m *Middleware) BackChannelLogout(w http.ResponseWriter, r *http.Request) {
	if !m.ready(w) {
		return
	}
	page.NoStore(w) // section 2.8
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		m.responses.refuseProvider(w, r, &Error{Code: "method_not_allowed", Status: http.StatusMethodNotAllowed})
		return
	}
	raw, err := logoutToken(w, r)
	if err != nil {
		m.responses.refuseProvider(w, r, &Error{Code: "invalid_request", Status: http.StatusBadRequest, err: err})
		return
	}
	p, err := m.providers.claimedBy(raw)
	if err != nil {
		m.responses.refuseProvider(w, r, &Error{Code: "invalid_request", Status: http.StatusBadRequest, err: err})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), backChannelTimeout)
	defer cancel()
	if failed := m.acceptLogoutToken(ctx, p, raw); failed != nil {
		m.responses.refuseProvider(w, r, failed)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// logoutToken returns the logout token of a request (section 2.5).
func logoutToken(w http.ResponseWriter, r *http.Request) (string, error) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/x-www-form-urlencoded" {
		return "", errors.New("the body is not a form")
	}
	body := *r
	body.URL = &url.URL{} // whose query counts for nothing
	body.Body = http.MaxBytesReader(w, r.Body, maxLogoutBody)
	if body.ParseForm() != nil {
		return "", errors.New("the form cannot be read, or is too large")
	}
	if tokens := body.PostForm["logout_token"]; len(tokens) == 1 && tokens[0] != "" {
		return tokens[0], nil
	}
	return "", errors.New("the form does not have exactly one logout_token")
}

// claimedBy returns the provider that a logout token says it is from. With several clients
// at one issuer, that is the one in the audience.
func (ps providers) claimedBy(raw string) (p *provider, err error) {
	for _, candidate := range ps {
		issuer, audience := candidate.Client.ClaimsToBeFor(raw)
		switch {
		case audience:
			return candidate, nil
		case issuer && p == nil:
			p = candidate
		}
	}
	if p == nil {
		return nil, errors.New("logout token is of none of the providers (iss)")
	}
	return p, nil
}

// acceptLogoutToken verifies a logout token and ends the sessions that it names. The same
// token at the same time is one.
func (m *Middleware) acceptLogoutToken(ctx context.Context, p *provider, raw string) *Error {
	token, err := p.Client.VerifyLogoutToken(ctx, raw)
	switch {
	case protocol.KeysUnavailable(err):
		return &Error{Code: "unavailable", Status: http.StatusServiceUnavailable, Provider: p.Name, err: err}
	case err != nil:
		return &Error{Code: "invalid_request", Status: http.StatusBadRequest, Provider: p.Name, err: err}
	}
	id := string(p.Tag[:]) + token.ID
	_, err = m.logoutTokens.flights.Do(ctx, id, func(ctx context.Context) (struct{}, error) {
		// A token that could not be recorded has not been used: it is looked for before, and
		// claimed afterwards.
		key := instances.Key(instances.KindJTI, id)
		used, err := m.sessions.Grants.Value(ctx, key)
		switch {
		case err != nil:
			return struct{}{}, fmt.Errorf("look for the logout token: %w", err)
		case used != nil || m.logoutTokens.accepted.Value(id) != "":
			return struct{}{}, errTokenUsed
		}
		if err := m.sessions.EndAll(ctx, ownerIn(&token)); err != nil {
			return struct{}{}, fmt.Errorf("record the end of sessions: %w", err)
		}
		m.logoutTokens.accepted.Add(id, "1")
		claim := func(ctx context.Context) error {
			_, err := m.sessions.Grants.Once(ctx, key, []byte("1"), protocol.LogoutTokenLifetime)
			return err
		}
		if claim(ctx) != nil { // or a token that comes again would end a later login
			m.sessions.Grants.Later(key, claim)
		}
		m.events.report(ctx, Event{Kind: EventLogout, Provider: p.Name, Subject: token.Subject, Ended: true})
		return struct{}{}, nil
	})
	switch {
	case errors.Is(err, errTokenUsed):
		return &Error{Code: "invalid_request", Status: http.StatusBadRequest, Provider: p.Name, err: err}
	case err != nil:
		return &Error{Code: "unavailable", Status: http.StatusServiceUnavailable, Provider: p.Name, err: err}
	}
	return nil
}

// errTokenUsed is the error of section 2.6, step 8.
var errTokenUsed = errors.New("logout token was accepted before (jti)")

// ownerIn returns whose sessions a logout token ends: sid goes before sub (section 2.4).
func ownerIn(token *protocol.LogoutToken) memory.Owner {
	if token.SessionID != "" {
		return memory.OwnerOf(memory.OfSID, token.Issuer, token.SessionID)
	}
	return memory.OwnerOf(memory.OfUser, token.Issuer, token.Subject)
}

// refuseProvider responds to a provider with an error object (section 2.8). It shows nothing
// of the cause: strangers can ask, too.
func (p *responder) refuseProvider(w http.ResponseWriter, r *http.Request, e *Error) {
	text := "the logout token is not accepted"
	if e.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", page.RetryAfter)
		text = "the logout token cannot be processed at the moment"
	}
	logged := p.logFailure(r, e)
	page.JSON(w, e.Status, map[string]string{"error": e.Code, "error_description": text + "; reference " + logged.Reference + " in the application's log"})
}
