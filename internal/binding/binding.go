// Package binding decides whether a session that is bound to a device comes from there, and
// serves what browsers send to bind one (Device Bound Session Credentials).
package binding

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/browser"
	"github.com/oauthlogin/oauthlogin/internal/cookies"
	"github.com/oauthlogin/oauthlogin/internal/device"
	"github.com/oauthlogin/oauthlogin/internal/memory"
	"github.com/oauthlogin/oauthlogin/internal/record"
)

const (
	// grace is how long a session that was bound goes on without a bound cookie, for
	// requests that were under way, and clockSkew how far clocks of instances may differ for
	// that.
	grace     = 10 * time.Second
	clockSkew = 45 * time.Second
	// RegistrationTime is how long a registration may take before it counts as lost, and is
	// offered again.
	RegistrationTime = 10 * time.Second
)

// Bindings decide whether a session that is bound to a device comes from there.
type Bindings struct {
	sealer  *device.Sealer
	cookies *cookies.Scheme
	events  Reporter
	log     *slog.Logger
	path    string // at which browsers register keys
	known   memory.Bindings
	// By session: keys that were registered, offers to register one, and reports of requests
	// without a bound cookie.
	registered, offered, reported memory.Recent
}

// A Reporter tells the application of bindings.
type Reporter interface {
	DeviceBound(ctx context.Context, rec *record.Record)
	DeviceMissing(ctx context.Context, rec *record.Record, err error)
	DeviceRefused(ctx context.Context, rec *record.Record, err error)
}

// New returns the bindings of sessions that live as long as lifetime at most. Browsers
// register keys at path.
func New(keys [][]byte, scheme *cookies.Scheme, path string, lifetime time.Duration, events Reporter, log *slog.Logger) (*Bindings, error) {
	sealer, err := device.NewSealer(keys, scheme.Device)
	if err != nil {
		return nil, err
	}
	return &Bindings{
		sealer: sealer, cookies: scheme, path: path, events: events, log: log, known: memory.Bindings{Lifetime: lifetime},
		registered: memory.Recent{MaxAge: RegistrationTime}, offered: memory.Recent{MaxAge: RegistrationTime}, reported: memory.Recent{MaxAge: time.Minute},
	}, nil
}

// ShortenCookies lets bound cookies live for less than ten minutes, in tests.
func (b *Bindings) ShortenCookies(life time.Duration) { b.sealer.Life = life }

// Shown is what requests with one sealed session have shown.
type Shown struct{ last atomic.Pointer[shownCookie] }

// A shownCookie is the last good bound cookie of a session. Opening it again would cost
// more than everything else that a request needs.
type shownCookie struct {
	text string
	device.Cookie
}

// Saw remembers that a session is bound, if a record that is not shared yet says so. If the
// session is known to be bound to another key since before, that one counts.
func (b *Bindings) Saw(rec *record.Record, now time.Time) {
	if x := &rec.Extra; b != nil && len(x.DeviceKey) > 0 {
		counts, _ := b.known.Add(rec.ID, x.Binding(rec.Generation()), now)
		x.Bind(&counts)
	}
}

// Admit returns the session of a request as that request may use it, and whether it is time
// to seal it again. The record has a key only if the request shows the session's bound
// cookie. It is nil if the session is bound and the request does not.
func (b *Bindings) Admit(r *http.Request, sealed *record.Record, shown *Shown, rec *record.Record, now time.Time) (admitted *record.Record, reseal bool) {
	admitted, isNew := b.judge(r, sealed, shown, rec, now)
	switch {
	case admitted == nil:
		b.reportMissing(r, rec)
	case isNew:
		b.events.DeviceBound(r.Context(), rec)
	}
	return admitted, admitted != nil && len(admitted.Extra.DeviceKey) > 0 && !bytes.Equal(admitted.Extra.DeviceKey, rec.Extra.DeviceKey)
}

// judge is Admit without reports. It says whether the request is the first to show the
// session's bound cookie.
func (b *Bindings) judge(r *http.Request, sealed *record.Record, shown *Shown, rec *record.Record, now time.Time) (admitted *record.Record, isNew bool) {
	cookie := b.good(r, sealed, shown, now)
	bound, isBound := b.of(rec)
	if !isBound && len(sealed.Extra.DeviceKey) > 0 { // tokens whose refresh began before the binding
		bound, isBound = sealed.Extra.Binding(0), true
	}
	if !isBound && cookie != nil { // of two keys at one time, the first
		bound, isNew = b.known.Add(rec.ID, memory.Binding{Key: cookie.Key, At: now}, now)
		isBound = true
	}
	switch {
	case !isBound:
		return rec, false
	case cookie == nil || bound.Key != cookie.Key:
		if age := now.Sub(bound.At); age >= grace || age < -clockSkew {
			return nil, false
		}
		under := *rec
		under.Extra.DeviceKey = nil
		return &under, false
	case bytes.Equal(rec.Extra.DeviceKey, bound.Key[:]):
		return rec, false
	}
	fresh := *rec
	fresh.Extra.Bind(&bound)
	return &fresh, isNew
}

// of returns the earliest binding of a session, by its record and by what this instance
// has seen; ok is false if there is none.
func (b *Bindings) of(rec *record.Record) (bound memory.Binding, ok bool) {
	x := &rec.Extra
	sealed := len(x.DeviceKey) > 0
	if sealed && !b.known.Disputed() { // see Saw
		return x.Binding(rec.Generation()), true
	}
	bound, ok = b.known.Of(rec.ID)
	if sealed && (!ok || x.BoundAt.Before(bound.At)) {
		return x.Binding(rec.Generation()), true
	}
	return bound, ok
}

// Refuses reports whether Admit would refuse the session of a request. It reports no event.
func (b *Bindings) Refuses(r *http.Request, sealed *record.Record, shown *Shown) bool {
	if b == nil {
		return false
	}
	rec, _ := b.judge(r, sealed, shown, sealed, time.Now())
	return rec == nil
}

// good returns the bound cookie of a request if it is one of its session.
func (b *Bindings) good(r *http.Request, sealed *record.Record, shown *Shown, now time.Time) *device.Cookie {
	var sent [4]string // on plain http, other applications of the host may have set some
	for _, text := range sent[:cookies.Sent(r, b.cookies.Device, sent[:])] {
		if last := shown.last.Load(); last != nil && last.text == text {
			if now.Before(last.End) {
				return &last.Cookie
			}
			continue
		}
		cookie, ok := b.sealer.ReadCookie(text)
		if ok && memory.ID(cookie.Session) == sealed.ID && now.Before(cookie.End) {
			last := &shownCookie{strings.Clone(text), cookie}
			shown.last.Store(last)
			return &last.Cookie
		}
	}
	return nil
}

// Complete returns a record as it is sealed: with its binding, even if the request or refresh
// that made the record began before the binding.
func (b *Bindings) Complete(rec *record.Record) *record.Record {
	if b == nil {
		return rec
	}
	bound, ok := b.of(rec)
	if !ok || bytes.Equal(rec.Extra.DeviceKey, bound.Key[:]) {
		return rec
	}
	fresh := *rec
	fresh.Extra.Bind(&bound)
	return &fresh
}

var errNotBound = errors.New("the session is bound to a device, and the request has no good bound cookie")

// reportMissing tells of a request that has the cookies of a bound session alone: once a
// minute for each session, as pages poll.
func (b *Bindings) reportMissing(r *http.Request, rec *record.Record) {
	if !b.reported.Add(string(rec.ID[:]), "") {
		return
	}
	err := errNotBound
	if reason := device.Skipped(r.Header); reason != "" {
		err = fmt.Errorf("%w; the browser could not renew it: %s", err, reason)
	}
	b.events.DeviceMissing(r.Context(), rec, err)
}

// MayOffer reports whether it is time to offer the browser of a session that has shown no
// bound cookie to bind it: not while that is under way, and not a moment after the last offer.
func (b *Bindings) MayOffer(rec *record.Record) bool {
	now := time.Now()
	if now.Sub(rec.Extra.BoundAt) < RegistrationTime {
		return false
	}
	last, _ := strconv.ParseInt(b.offered.Value(string(rec.ID[:])), 10, 64)
	if now.Sub(time.Unix(last, 0)) < RegistrationTime {
		return false
	}
	_, isBound := b.known.Of(rec.ID)
	return !isBound
}

// Offer offers the browser of a session to bind it.
func (b *Bindings) Offer(w http.ResponseWriter, r *http.Request, rec *record.Record) {
	now := time.Now()
	if browser.IsPrefetch(r) || !b.offered.Add(string(rec.ID[:]), strconv.FormatInt(now.Unix(), 10)) {
		return
	}
	challenge, err := b.sealer.RegistrationChallenge(device.Session{ID: rec.ID, Reference: rec.Reference()}, now)
	if err != nil {
		b.log.WarnContext(r.Context(), "oauthlogin: no device binding offered", "error", err)
		return
	}
	w.Header().Set(device.RegistrationField, device.Offer(b.path, challenge))
}

// OfferAtLogin offers to bind a session that has just begun. The bound cookie of the
// one before goes: a browser that asks for it again learns that it is over.
func (b *Bindings) OfferAtLogin(w http.ResponseWriter, r *http.Request, rec *record.Record) {
	if b == nil {
		return
	}
	if cookies.HasSent(r, b.cookies.Device) {
		b.cookies.Expire(w, b.cookies.Device)
	}
	b.Offer(w, r, rec)
}
