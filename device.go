package oauthlogin

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/browser"
	"github.com/oauthlogin/oauthlogin/internal/cookies"
	"github.com/oauthlogin/oauthlogin/internal/device"
	"github.com/oauthlogin/oauthlogin/internal/instances"
	"github.com/oauthlogin/oauthlogin/internal/page"
)

// Device registers keys of browsers for [Options.BindDevices] and renews bound cookies (Device
// Bound Session Credentials, a W3C draft). [Middleware.Handler] serves it; otherwise mount it
// at [Options.LoginPath] + "/device". Without BindDevices it responds 404.
//
// It accepts POST only, and needs no cookie, because browsers send none behind a provider or a
// link on another site: challenges and identifiers name the session. It refuses callers on
// other origins and sets no CORS headers. A proof of a challenge that is too old gets 403 with
// the next challenge, any other wrong one 400. A session that is over gets {"continue":false}.
// If that is unknown, the response is 503. Renewals do not extend the session.
func (m *Middleware) Device(w http.ResponseWriter, r *http.Request) {
	if !m.ready(w) {
		return
	}
	page.NoStore(w)
	w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
	if m.bindings == nil {
		http.NotFound(w, r)
		return
	}
	now := time.Now()
	call := deviceCall{bindings: m.bindings, sessions: m.sessions, w: w, r: r, now: now, path: m.paths.Device, log: m.log}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		call.refuse(http.StatusMethodNotAllowed, "method_not_allowed", errNotPost)
		return
	}
	err := m.checkOrigin(r)
	if origin := r.Header.Get("Origin"); err == nil && origin != "" && origin != m.paths.Origin {
		err = errOtherOrigin
	}
	if err != nil { // not 403, which asks browsers for a proof
		call.refuse(http.StatusBadRequest, "cross_origin", err)
		return
	}
	request, err := device.ParseRequest(r.Header)
	switch {
	case errors.Is(err, device.ErrHeader):
		call.refuse(http.StatusRequestHeaderFieldsTooLarge, "invalid_request", err)
	case err != nil:
		call.refuse(http.StatusBadRequest, "invalid_request", err)
	case request.Identifier == "":
		call.register(request.Proof)
	default:
		call.renew(request)
	}
}

var (
	errNotPost        = errors.New("the method is not POST")
	errUnknownSession = errors.New("the identifier is not one of a session here")
	errOtherKey       = errors.New("the session is bound to another key")
	errTwice          = errors.New("another key of the session was registered a moment ago")
)

// A deviceCall is one request to Middleware.Device.
type deviceCall struct {
	*bindings
	sessions *activeSessions
	w        http.ResponseWriter
	r        *http.Request
	now      time.Time
	path     string
	log      *slog.Logger
}

// register takes the proof that registers a key.
func (c *deviceCall) register(proof string) {
	binding, err := c.sealer.Register(proof, c.now)
	stale := errors.Is(err, device.ErrStale)
	if err != nil && !stale {
		c.refuse(http.StatusBadRequest, "invalid_request", err)
		return
	}
	if c.isOver(&binding) == nil {
		return
	}
	if stale {
		challenge, err := c.sealer.RegistrationChallenge(binding.Session, c.now)
		c.ask(challenge, "", err)
		return
	}
	// Two offers may be under way, whose keys would take turns in one cookie.
	id, key := string(binding.ID[:]), string(binding.Key.Thumbprint[:])
	if !c.registered.Add(id, key) && c.registered.Value(id) != key {
		c.refuse(http.StatusConflict, "invalid_request", errTwice)
		return
	}
	identifier, err := c.sealer.Identifier(binding)
	if err == nil {
		err = c.grant(&binding, identifier)
	}
	if err != nil {
		c.cannotSay(err)
		return
	}
	page.JSON(c.w, http.StatusOK, device.NewInstructions(identifier, c.path, c.cookies.Device, c.cookies.Attributes()))
}

// renew takes the request for a new bound cookie.
func (c *deviceCall) renew(request device.Request) {
	binding, ok := c.sealer.Identify(request.Identifier)
	if !ok {
		c.refuse(http.StatusBadRequest, "invalid_request", errUnknownSession)
		return
	}
	rec := c.isOver(&binding)
	if rec == nil {
		return
	}
	err := device.ErrStale
	if request.Proof != "" {
		err = c.sealer.Renew(&binding, request.Proof, c.now)
	}
	switch {
	case errors.Is(err, device.ErrStale):
		challenge, err := c.sealer.RenewalChallenge(&binding, c.now)
		c.ask(challenge, request.Identifier, err)
		return
	case err != nil:
		c.refuseProof(rec, err)
		return
	}
	if err := c.grant(&binding, request.Identifier); err != nil {
		c.cannotSay(err)
		return
	}
	c.log.DebugContext(c.r.Context(), "oauthlogin: bound cookie renewed", "provider", rec.user.Provider, "subject", rec.user.Subject)
	c.w.Header().Set("X-Content-Type-Options", "nosniff")
	c.w.WriteHeader(http.StatusOK) // without a body, which would have to repeat the instructions
}

// isOver responds if the session of a binding is over, is bound to another key, or if
// neither can be told. Otherwise it returns what is known of the session.
func (c *deviceCall) isOver(binding *device.Binding) *record {
	rec, err := c.sessions.unpack(binding.Reference)
	if err != nil {
		c.refuse(http.StatusBadRequest, "invalid_request", errUnknownSession)
		return nil
	}
	known, _ := c.known.Of(rec.id)
	rec.generation = known.Generation
	shown, over, err := c.sessions.ofBrowser(c.r, rec, c.now)
	known, isKnown := c.known.Of(rec.id) // which the request may just have shown
	switch {
	case err != nil:
		c.cannotSay(err)
	case over:
		page.JSON(c.w, http.StatusOK, device.End{})
	case isKnown && known.Key != binding.Key.Thumbprint,
		shown != nil && len(shown.extra.deviceKey) > 0 && string(shown.extra.deviceKey) != string(binding.Key.Thumbprint[:]):
		c.refuseProof(rec, errOtherKey)
	default:
		return rec
	}
	return nil
}

// ofBrowser reports whether a session of which little is known is over, and returns the
// record that the request shows of it, nil if the request has no cookie.
func (s *activeSessions) ofBrowser(r *http.Request, rec *record, now time.Time) (shown *record, over bool, err error) {
	_, ended, err := s.grants.Check(r.Context(), rec, now)
	if errors.Is(err, instances.ErrAway) { // for whose absence the access token vouches
		if o, failed := s.read(r); failed == nil && o.record != nil && o.record.id == rec.id {
			_, ended, err = s.grants.Check(r.Context(), o.record, now)
		}
	}
	if err != nil || ended || s.over(rec, now) || s.grants.IsReplaced(r.Context(), rec) {
		return nil, err == nil, err
	}
	v, err := s.vault.read(r)
	if err != nil {
		return nil, false, err
	}
	if v.IsZero() {
		_, inCookies := s.vault.(*cookieVault)
		return nil, !inCookies && cookies.HasSent(r, s.cookies.Session) && !s.cookies.SentTwice(r), nil // deleted from the store
	}
	o, ok := s.lookup(&v)
	switch {
	case !ok: // sealed by a newer instance, perhaps
		return nil, false, nil
	case o.record.id != rec.id: // this browser has signed in again
		return nil, true, nil
	}
	return o.record, s.isPast(o.record, now) || s.grants.Ended(o.record), nil
}

// grant writes a bound cookie, and the challenge of the next renewal, which then takes one
// request.
func (c *deviceCall) grant(binding *device.Binding, identifier string) error {
	challenge, err := c.sealer.RenewalChallenge(binding, c.now)
	if err != nil {
		return err
	}
	value, maxAge, err := c.sealer.Cookie(binding, c.now)
	if err != nil {
		return err
	}
	c.cookies.Set(c.w, c.cookies.Device, value, maxAge)
	c.w.Header().Set(device.ChallengeField, device.Challenge(challenge, identifier))
	return nil
}

// ask requests a proof of a new challenge.
func (c *deviceCall) ask(challenge, identifier string, err error) {
	if err != nil {
		c.cannotSay(err)
		return
	}
	c.w.Header().Set(device.ChallengeField, device.Challenge(challenge, identifier))
	page.JSON(c.w, http.StatusForbidden, map[string]string{"error": "challenge"})
}

func (c *deviceCall) refuse(status int, code string, err error) {
	c.log.InfoContext(c.r.Context(), "oauthlogin: device binding refused", "code", code, "error", err)
	page.JSON(c.w, status, map[string]string{"error": code})
}

// refuseProof refuses what a browser with the session's key does not send. It reports that
// once a minute for each session: whoever has one of their own could fill the log.
func (c *deviceCall) refuseProof(rec *record, err error) {
	if !c.reported.Add("refused"+string(rec.id[:]), "") {
		c.refuse(http.StatusBadRequest, "invalid_request", err)
		return
	}
	c.events.report(c.r.Context(), Event{Kind: EventDeviceRefused, Provider: rec.user.Provider, Subject: rec.user.Subject, Err: err})
	page.JSON(c.w, http.StatusBadRequest, map[string]string{"error": "invalid_request"})
}

// cannotSay keeps the browser's binding: it tries again.
func (c *deviceCall) cannotSay(err error) {
	log := c.log.InfoContext
	if c.reported.Add("unavailable", "") {
		log = c.log.ErrorContext
	}
	log(c.r.Context(), "oauthlogin: device binding unavailable", "error", fmt.Errorf("load session: %w", err))
	c.w.Header().Set("Retry-After", retryAfter)
	page.JSON(c.w, http.StatusServiceUnavailable, map[string]string{"error": "unavailable"})
}

// offerBinding offers the browser of a session to bind it.
func (m *Middleware) offerBinding(w http.ResponseWriter, r *http.Request, rec *record) {
	now := time.Now()
	if browser.IsPrefetch(r) || !m.bindings.offered.Add(string(rec.id[:]), strconv.FormatInt(now.Unix(), 10)) {
		return
	}
	challenge, err := m.bindings.sealer.RegistrationChallenge(rec.deviceSession(), now)
	if err != nil {
		m.log.DebugContext(r.Context(), "oauthlogin: no device binding offered", "error", err)
		return
	}
	w.Header().Set(device.RegistrationField, device.Offer(m.paths.Device, challenge))
}

// offerBindingAtLogin offers to bind a session that has just begun. The bound cookie of the
// one before goes: a browser that asks for it again learns that it is over.
func (m *Middleware) offerBindingAtLogin(w http.ResponseWriter, r *http.Request, rec *record) {
	if m.bindings == nil {
		return
	}
	if cookies.HasSent(r, m.cookies.Device) {
		m.cookies.Expire(w, m.cookies.Device)
	}
	m.offerBinding(w, r, rec)
}
