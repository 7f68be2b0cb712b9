package oauthlogin

import (
	"context"
	"errors"
	"log/slog"

	"github.com/oauthlogin/oauthlogin/internal/protocol"
)

// An EventKind says what happened.
type EventKind string

const (
	// EventLogin reports a finished login attempt. Err is nil on success. It also reports a
	// login that could not start because the provider was down, but neither a callback that
	// belongs to no login nor a [Middleware.SilentLogin] that signed no user in, unless
	// Options.OnSignIn refused it.
	EventLogin EventKind = "login"
	// EventLogout reports a session that its user or a handler has ended, and all sessions of
	// a user, or of a session at the provider, that [Middleware.SignOutUser] or
	// [Middleware.BackChannelLogout] has ended.
	EventLogout EventKind = "logout"
	// EventRefresh reports a refresh that brought new tokens.
	EventRefresh EventKind = "refresh"
	// EventRefreshFailed reports a refresh that failed. If the provider says that the grant
	// has ended, the session has ended, too. If it refuses otherwise, the session ends with
	// its access token. After any other failure it goes on without a new token.
	EventRefreshFailed EventKind = "refresh_failed"
	// EventDenied reports a signed-in user who does not satisfy a [Policy].
	EventDenied EventKind = "denied"
	// EventStepUp reports a user who is sent to sign in again, or to grant scopes, for
	// [Middleware.Require].
	EventStepUp EventKind = "step_up"
)

// An Event is something that happened to one user's sign-in. It contains no secret.
type Event struct {
	Kind EventKind
	// Provider and Subject identify the user. Subject is empty if a login failed, and if a
	// provider ends a session without naming the user.
	Provider, Subject string
	// Err says why something failed. It is an [*Error] for EventLogin and EventDenied, and
	// has no RetryURL for the latter.
	Err error
}

// A reporter tells the application and the log of events.
type reporter struct {
	onEvent func(context.Context, Event) // Options.OnEvent
	log     *slog.Logger
}

// report passes e on. An [*Error] is logged where it is answered.
func (p *reporter) report(ctx context.Context, e Event) {
	if p.onEvent != nil {
		p.onEvent(ctx, e)
	}
	var failed *Error
	if errors.As(e.Err, &failed) {
		return
	}
	level := slog.LevelInfo
	attrs := []slog.Attr{slog.String("event", string(e.Kind)), slog.String("provider", e.Provider), slog.String("subject", e.Subject)}
	if e.Kind == EventRefresh {
		level = slog.LevelDebug // one an hour for each session
	}
	if e.Err != nil {
		level = slog.LevelWarn
		if protocol.Misconfigured(e.Err) { // it fails for every user
			level = slog.LevelError
		}
		attrs = append(attrs, slog.Any("error", e.Err))
	}
	p.log.LogAttrs(ctx, level, "oauthlogin: "+string(e.Kind), attrs...)
}
