package binding

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/device"
	"github.com/oauthlogin/oauthlogin/internal/page"
	"github.com/oauthlogin/oauthlogin/internal/record"
)

// Sessions are the sessions that bindings are of.
type Sessions interface {
	// Unpack returns a session by the reference in an identifier.
	Unpack(packed []byte) (*record.Record, error)
	// OfBrowser reports whether a session of which little is known is over, and returns the
	// record that the request shows of it, nil if the request has no cookie.
	OfBrowser(r *http.Request, rec *record.Record, now time.Time) (shown *record.Record, over bool, err error)
}

// Serve registers a key or renews a bound cookie. fromHere returns an error for a request of
// another origin.
func (b *Bindings) Serve(w http.ResponseWriter, r *http.Request, sessions Sessions, fromHere func() error) {
	call := call{Bindings: b, sessions: sessions, w: w, r: r, now: time.Now()}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		call.refuse(http.StatusMethodNotAllowed, "method_not_allowed", errNotPost)
		return
	}
	if err := fromHere(); err != nil { // not 403, which asks browsers for a proof
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

// A call is one request to Middleware.Device.
type call struct {
	*Bindings
	sessions Sessions
	w        http.ResponseWriter
	r        *http.Request
	now      time.Time
}

// register takes the proof that registers a key.
func (c *call) register(proof string) {
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
func (c *call) renew(request device.Request) {
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
	c.log.DebugContext(c.r.Context(), "oauthlogin: bound cookie renewed", "provider", rec.User.Provider, "subject", rec.User.Subject)
	c.w.Header().Set("X-Content-Type-Options", "nosniff")
	c.w.WriteHeader(http.StatusOK) // without a body, which would have to repeat the instructions
}

// isOver responds if the session of a binding is over, is bound to another key, or if both are
// unknown. Otherwise it returns what is known of the session.
func (c *call) isOver(binding *device.Binding) *record.Record {
	rec, err := c.sessions.Unpack(binding.Reference)
	if err != nil {
		c.refuse(http.StatusBadRequest, "invalid_request", errUnknownSession)
		return nil
	}
	known, _ := c.known.Of(rec.ID)
	rec = rec.As(known.Generation)
	shown, over, err := c.sessions.OfBrowser(c.r, rec, c.now)
	known, isKnown := c.known.Of(rec.ID) // which the request may just have shown
	switch {
	case err != nil:
		c.cannotSay(err)
	case over:
		page.JSON(c.w, http.StatusOK, device.End{})
	case isKnown && known.Key != binding.Key.Thumbprint,
		shown != nil && len(shown.Extra.DeviceKey) > 0 && string(shown.Extra.DeviceKey) != string(binding.Key.Thumbprint[:]):
		c.refuseProof(rec, errOtherKey)
	default:
		return rec
	}
	return nil
}

// grant writes a bound cookie, and the challenge of the next renewal, which then takes one
// request.
func (c *call) grant(binding *device.Binding, identifier string) error {
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
func (c *call) ask(challenge, identifier string, err error) {
	if err != nil {
		c.cannotSay(err)
		return
	}
	c.w.Header().Set(device.ChallengeField, device.Challenge(challenge, identifier))
	page.JSON(c.w, http.StatusForbidden, map[string]string{"error": "challenge"})
}

func (c *call) refuse(status int, code string, err error) {
	c.log.InfoContext(c.r.Context(), "oauthlogin: device binding refused", "code", code, "error", err)
	page.JSON(c.w, status, map[string]string{"error": code})
}

// refuseProof refuses what a browser with the session's key does not send. It reports that
// once a minute for each session: whoever has one of their own could fill the log.
func (c *call) refuseProof(rec *record.Record, err error) {
	if !c.reported.Add("refused"+string(rec.ID[:]), "") {
		c.refuse(http.StatusBadRequest, "invalid_request", err)
		return
	}
	c.events.DeviceRefused(c.r.Context(), rec, err)
	page.JSON(c.w, http.StatusBadRequest, map[string]string{"error": "invalid_request"})
}

// cannotSay keeps the browser's binding: it tries again.
func (c *call) cannotSay(err error) {
	log := c.log.InfoContext
	if c.reported.Add("unavailable", "") {
		log = c.log.ErrorContext
	}
	log(c.r.Context(), "oauthlogin: device binding unavailable", "error", fmt.Errorf("load session: %w", err))
	c.w.Header().Set("Retry-After", page.RetryAfter)
	page.JSON(c.w, http.StatusServiceUnavailable, map[string]string{"error": "unavailable"})
}
