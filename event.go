package oauthlogin

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/protocol"
	"github.com/oauthlogin/oauthlogin/internal/record"
)

// An EventKind says what happened. New versions may add kinds.
type EventKind string

const (
	// EventLogin reports a finished login attempt. Err is nil on success. It also reports a
	// login that could not start because the provider was down, but no request that belongs to
	// no login, such as those with the codes flow_not_found, cookies_lost and unknown_provider:
	// strangers can cause them. Nor does it report a [Middleware.SilentLogin] that signed no user
	// in, unless [Options.OnSignIn] refused it.
	EventLogin EventKind = "login"
	// EventLogout reports a session that its user or a handler has ended, and all sessions of
	// a user, or of a session at the provider, that [Middleware.SignOutUser] or
	// [Middleware.BackChannelLogout] has ended.
	EventLogout EventKind = "logout"
	// EventRefresh reports a refresh that brought new tokens.
	EventRefresh EventKind = "refresh"
	// EventRefreshFailed reports a refresh that failed. If the provider says that the grant
	// has ended, the session has ended, too. If it refuses otherwise, the session ends with
	// its access token. After any other failure it goes on without a new token. The request
	// for the token of a [Resource] counts if it fails for reasons other than the resource.
	EventRefreshFailed EventKind = "refresh_failed"
	// EventDenied reports a signed-in user who does not satisfy a [Policy], or an API whose
	// challenge no login satisfies.
	EventDenied EventKind = "denied"
	// EventStepUp reports a user who is sent to sign in again, or to grant scopes, for
	// [Middleware.Require] or [Middleware.Challenge].
	EventStepUp EventKind = "step_up"
	// EventDeviceBound reports a session that is bound to a device from now on: see
	// [Options.BindDevices].
	EventDeviceBound EventKind = "device_bound"
	// EventDeviceRefused reports a proof for a session that is not one of its device, at
	// most once a minute for each session. Err says what is wrong with it.
	EventDeviceRefused EventKind = "device_refused"
	// EventDeviceMissing reports a request with the cookies of a bound session and without
	// its bound cookie, at most once a minute for each session: a copy of the cookies, or a
	// browser that could not renew the bound cookie. Err has the browser's reason if it gives
	// one.
	EventDeviceMissing EventKind = "device_missing"
)

// An Event is something that happened to one user's sign-in: see [Options.OnEvent]. It contains
// no secret and no e-mail address. Kind, Provider and Code have few values, as labels of
// metrics need; Subject has many.
type Event struct {
	_ [0]func() // keyed literals only

	// Kind is one of the constants below [EventKind].
	Kind EventKind
	// Provider and Subject identify the user, as [User.Provider] and [User.Subject] do. Subject
	// is empty if a login failed, unless Options.OnSignIn refused it, and if a provider ends a
	// session without naming the user. Provider is empty for a [Middleware.SignOutUser] whose
	// issuer no provider has.
	Provider, Subject string
	// Err says why something failed; it is nil on success. It is an [*Error] for EventLogin and
	// EventDenied, and has no RetryURL for the latter.
	Err error
	// Code names the cause of Err in one stable word. Of an [*Error] it is Error.Code. For
	// EventRefreshFailed it is one of invalid_grant, provider_unavailable, provider_rejected
	// and internal, which mean what they mean for an Error. It is "" without an Err, and for
	// errors of other kinds.
	Code string
	// Ended says that the event ended the session. It is true for EventLogout, and for an
	// EventRefreshFailed with which the session ended.
	Ended bool
	// Duration is how long a login or a refresh took, and zero for other kinds. That of an
	// EventLogin begins with the redirect to the provider and includes what the user did
	// there, to the millisecond. That of a login that could not start is the time of the
	// attempt. That of EventRefresh and EventRefreshFailed includes the calls to the provider
	// and to [Options.Coordinator], and the wait for another instance's refresh.
	Duration time.Duration
}

// A reporter tells the application and the log of events.
type reporter struct {
	onEvent func(context.Context, Event) // Options.OnEvent
	log     *slog.Logger
}

// report passes e on. An [*Error] is logged with its response.
func (p *reporter) report(ctx context.Context, e Event) {
	e.Code = codeOf(e)
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
	if e.Duration > 0 {
		attrs = append(attrs, slog.Duration("duration", e.Duration))
	}
	if e.Err != nil {
		level = slog.LevelWarn
		if protocol.Misconfigured(e.Err) { // it fails for every user
			level = slog.LevelError
		}
		if e.Code != "" {
			attrs = append(attrs, slog.String("code", e.Code))
		}
		attrs = append(attrs, slog.Any("error", e.Err))
	}
	p.log.LogAttrs(ctx, level, "oauthlogin: "+string(e.Kind), attrs...)
}

// Refreshed and RefreshFailed make reporter a [tokens.Reporter].

func (p *reporter) Refreshed(ctx context.Context, rec *record.Record, took time.Duration) {
	p.report(ctx, Event{Kind: EventRefresh, Provider: rec.User.Provider, Subject: rec.User.Subject, Duration: took})
}

func (p *reporter) RefreshFailed(ctx context.Context, rec *record.Record, err error, ended bool, took time.Duration) {
	p.report(ctx, Event{Kind: EventRefreshFailed, Provider: rec.User.Provider, Subject: rec.User.Subject, Err: err, Ended: ended, Duration: took})
}

// DeviceBound, DeviceMissing and DeviceRefused make reporter a [binding.Reporter].

func (p *reporter) DeviceBound(ctx context.Context, rec *record.Record) {
	p.report(ctx, Event{Kind: EventDeviceBound, Provider: rec.User.Provider, Subject: rec.User.Subject})
}

func (p *reporter) DeviceMissing(ctx context.Context, rec *record.Record, err error) {
	p.report(ctx, Event{Kind: EventDeviceMissing, Provider: rec.User.Provider, Subject: rec.User.Subject, Err: err})
}

func (p *reporter) DeviceRefused(ctx context.Context, rec *record.Record, err error) {
	p.report(ctx, Event{Kind: EventDeviceRefused, Provider: rec.User.Provider, Subject: rec.User.Subject, Err: err})
}

func codeOf(e Event) string {
	var failed *Error
	switch {
	case errors.As(e.Err, &failed):
		return failed.Code
	case e.Kind != EventRefreshFailed:
		return ""
	case protocol.RefusalOf(e.Err) == protocol.GrantEnded:
		return "invalid_grant"
	}
	code, _ := classify(e.Err)
	if code == "invalid_grant" { // invalid_request, which says nothing of the grant
		return "provider_rejected"
	}
	return code
}

// since is the time since began, which the clock of another instance may have given.
func since(began time.Time) time.Duration { return max(time.Since(began), 0) }
