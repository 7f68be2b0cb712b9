package oauthlogin

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/cookies"
	"github.com/oauthlogin/oauthlogin/internal/device"
	"github.com/oauthlogin/oauthlogin/internal/memory"
)

const (
	// bindingGrace is how long a session that was bound goes on without a bound cookie, for
	// requests that were under way, and how far clocks of instances may differ for that.
	bindingGrace     = 10 * time.Second
	bindingClockSkew = 45 * time.Second
	// registrationTime is how long a registration may take before it counts as lost, and is
	// offered again.
	registrationTime = 10 * time.Second
)

// bindings decide whether a session that is bound to a device comes from there.
type bindings struct {
	sealer  *device.Sealer
	cookies *cookies.Scheme
	events  *reporter
	known   memory.Bindings
	// By session: keys that were registered, offers to register one, and reports of requests
	// without a bound cookie.
	registered, offered, reported memory.Recent
}

// newBindings returns nil if opts do not ask for bindings.
func newBindings(opts *Options, scheme *cookies.Scheme, events *reporter) (*bindings, error) {
	if !opts.BindDevices {
		return nil, nil
	}
	sealer, err := device.NewSealer(opts.Keys, scheme.Device)
	if err != nil {
		return nil, fmt.Errorf("oauthlogin: %w", err)
	}
	return &bindings{
		sealer: sealer, cookies: scheme, events: events, known: memory.Bindings{Lifetime: opts.MaxLifetime},
		registered: memory.Recent{MaxAge: registrationTime}, offered: memory.Recent{MaxAge: registrationTime}, reported: memory.Recent{MaxAge: time.Minute},
	}, nil
}

// A shownCookie is the last good bound cookie of a session. Opening it again would cost
// more than everything else that a request needs.
type shownCookie struct {
	text string
	device.Cookie
}

// saw remembers that a session is bound, if a record that is not shared yet says so. If the
// session is known to be bound to another key since before, that one counts.
func (b *bindings) saw(rec *record, now time.Time) {
	if x := &rec.extra; b != nil && len(x.deviceKey) > 0 {
		counts, _ := b.known.Add(rec.id, x.binding(rec.generation), now)
		x.bind(&counts)
	}
}

func (x *extra) binding(generation uint64) memory.Binding {
	b := memory.Binding{At: x.boundAt, Generation: generation}
	copy(b.Key[:], x.deviceKey)
	return b
}

func (x *extra) bind(b *memory.Binding) { x.deviceKey, x.boundAt = bytes.Clone(b.Key[:]), b.At }

// admit returns the session of a request as that request may use it, and whether it is time
// to seal it again. The record has a key only if the request shows the session's bound
// cookie. It is nil if the session is bound and the request does not.
func (b *bindings) admit(r *http.Request, o opened, rec *record, now time.Time) (admitted *record, reseal bool) {
	admitted, isNew := b.judge(r, o, rec, now)
	switch {
	case admitted == nil:
		b.reportMissing(r, rec)
	case isNew:
		b.events.report(r.Context(), Event{Kind: EventDeviceBound, Provider: rec.user.Provider, Subject: rec.user.Subject})
	}
	return admitted, admitted != nil && len(admitted.extra.deviceKey) > 0 && !bytes.Equal(admitted.extra.deviceKey, rec.extra.deviceKey)
}

// judge is admit without reports. It says whether the request is the first to show the
// session's bound cookie.
func (b *bindings) judge(r *http.Request, o opened, rec *record, now time.Time) (admitted *record, isNew bool) {
	cookie := b.good(r, o, now)
	bound, isBound := b.of(rec)
	if !isBound && len(o.record.extra.deviceKey) > 0 { // tokens whose refresh began before the binding
		bound, isBound = o.record.extra.binding(0), true
	}
	if !isBound && cookie != nil { // of two keys at one time, the first
		bound, isNew = b.known.Add(rec.id, memory.Binding{Key: cookie.Key, At: now}, now)
		isBound = true
	}
	switch {
	case !isBound:
		return rec, false
	case cookie == nil || bound.Key != cookie.Key:
		if age := now.Sub(bound.At); age >= bindingGrace || age < -bindingClockSkew {
			return nil, false
		}
		under := *rec
		under.extra.deviceKey = nil
		return &under, false
	case bytes.Equal(rec.extra.deviceKey, bound.Key[:]):
		return rec, false
	}
	fresh := *rec
	fresh.extra.bind(&bound)
	return &fresh, isNew
}

// of returns the earliest binding of a session, by its record and by what this instance
// has seen; ok is false if there is none.
func (b *bindings) of(rec *record) (bound memory.Binding, ok bool) {
	x := &rec.extra
	sealed := len(x.deviceKey) > 0
	if sealed && !b.known.Disputed() { // see saw
		return x.binding(rec.generation), true
	}
	bound, ok = b.known.Of(rec.id)
	if sealed && (!ok || x.boundAt.Before(bound.At)) {
		return x.binding(rec.generation), true
	}
	return bound, ok
}

// refuses reports whether admit would refuse the session of a request. It tells no one.
func (b *bindings) refuses(r *http.Request, o opened) bool {
	if b == nil {
		return false
	}
	rec, _ := b.judge(r, o, o.record, time.Now())
	return rec == nil
}

// good returns the bound cookie of a request if it is one of its session.
func (b *bindings) good(r *http.Request, o opened, now time.Time) *device.Cookie {
	var sent [4]string // on plain http, other applications of the host may have set some
	for _, text := range sent[:cookies.Sent(r, b.cookies.Device, sent[:])] {
		if last := o.shown.Load(); last != nil && last.text == text {
			if now.Before(last.End) {
				return &last.Cookie
			}
			continue
		}
		cookie, ok := b.sealer.ReadCookie(text)
		if ok && memory.ID(cookie.Session) == o.record.id && now.Before(cookie.End) {
			shown := &shownCookie{strings.Clone(text), cookie}
			o.shown.Store(shown)
			return &shown.Cookie
		}
	}
	return nil
}

// complete returns a record as it is sealed: with its binding, also if the request or the
// refresh that it is of began before that.
func (b *bindings) complete(rec *record) *record {
	if b == nil {
		return rec
	}
	bound, ok := b.of(rec)
	if !ok || bytes.Equal(rec.extra.deviceKey, bound.Key[:]) {
		return rec
	}
	fresh := *rec
	fresh.extra.bind(&bound)
	return &fresh
}

var errNotBound = errors.New("the session is bound to a device, and the request has no good bound cookie")

// reportMissing tells of a request that has the cookies of a bound session alone: once a
// minute for each session, as pages poll.
func (b *bindings) reportMissing(r *http.Request, rec *record) {
	if !b.reported.Add(string(rec.id[:]), "") {
		return
	}
	err := errNotBound
	if reason := device.Skipped(r.Header); reason != "" {
		err = fmt.Errorf("%w; the browser could not renew it: %s", err, reason)
	}
	b.events.report(r.Context(), Event{Kind: EventDeviceMissing, Provider: rec.user.Provider, Subject: rec.user.Subject, Err: err})
}

// mayOffer reports whether it is time to offer a session's browser to bind it: not while it
// is bound or being bound, and not a moment after the last offer.
func (b *bindings) mayOffer(s *Session) bool {
	if b == nil || s.bound {
		return false
	}
	rec, now := s.current(), time.Now()
	if now.Sub(rec.extra.boundAt) < registrationTime {
		return false
	}
	last, _ := strconv.ParseInt(b.offered.Value(string(rec.id[:])), 10, 64)
	if now.Sub(time.Unix(last, 0)) < registrationTime {
		return false
	}
	_, isBound := b.known.Of(rec.id)
	return !isBound
}

// deviceSession names a session in challenges and identifiers: by a record that has only
// what says whether the session is over.
func (rec *record) deviceSession() device.Session {
	short := &record{
		id: rec.id, provider: rec.provider, created: rec.created, user: User{Subject: rec.user.Subject},
		tokens: tokens{issued: rec.created},
		extra: extra{
			issuer: rec.extra.issuer, sid: rec.extra.sid, userMark: rec.extra.userMark, sidMark: rec.extra.sidMark, lineage: rec.extra.lineage,
		},
	}
	return device.Session{ID: rec.id, Reference: short.pack(rec.created)}
}
