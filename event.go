package oauthlogin

import (
	"context"
	"errors"
	"log/slog"
)

// An EventKind says what happened.
type EventKind string

const (
	// EventLogin is a login that has ended: well, or with Err, also when it could
	// not start because the provider was down. A callback that belongs to no
	// login is none, nor is a [Middleware.SilentLogin] that signed nobody in.
	EventLogin EventKind = "login"
	// EventLogout is a session that its user or a handler has ended.
	EventLogout EventKind = "logout"
	// EventRefresh is a refresh that brought new tokens.
	EventRefresh EventKind = "refresh"
	// EventRefreshFailed is one that did not. The session has ended if the
	// provider refused, and goes on without a new token otherwise.
	EventRefreshFailed EventKind = "refresh_failed"
	// EventDenied is a signed-in user without what [Middleware.Require] asks for.
	EventDenied EventKind = "denied"
	// EventStepUp is a user sent to sign in again, for [Middleware.Require].
	EventStepUp EventKind = "step_up"
)

// An Event is what happened to one user's sign-in. It has no secrets in it.
type Event struct {
	Kind EventKind
	// Provider and Subject name the user. Subject is empty where a login failed.
	Provider, Subject string
	// Err is why something failed; of a login, and of EventDenied, an [*Error].
	Err error
}

// event tells the hook and the log; an [*Error] is logged by fail.
func (m *Middleware) event(ctx context.Context, e Event) {
	if m.opts.OnEvent != nil {
		m.opts.OnEvent(ctx, e)
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
		attrs = append(attrs, slog.Any("error", e.Err))
	}
	m.log.LogAttrs(ctx, level, "oauthlogin: "+string(e.Kind), attrs...)
}
