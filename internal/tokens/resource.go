package tokens

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/seal"
)

// A resourceToken is an access token for one API, or why there is none now.
type resourceToken struct {
	access         string
	issued, expiry time.Time
	accepted       atomic.Bool // by the API

	err   error     // of the attempt to get this one or the next; nil: none
	again time.Time // when the next may be made
}

func (t *resourceToken) isValid(now time.Time) bool { return t.access != "" && now.Before(t.expiry) }

func (t *resourceToken) is(other *resourceToken) bool {
	return other != nil && t.access == other.access
}

// accept notes that an API has accepted the token.
func (t *resourceToken) accept() { t.accepted.Store(true) }

// mayReplace is [Refreshes.mayReplace] for a token of an API.
func (t *resourceToken) mayReplace() bool {
	return time.Since(t.issued) >= rejectedPause || t.accepted.Load()
}

// Bytes makes a resourceToken a [memory.Sized].
func (t *resourceToken) Bytes() int { return 256 + len(t.access) }

// Format keeps the token out of whatever prints it.
func (t *resourceToken) Format(f fmt.State, _ rune) { fmt.Fprint(f, "tokens.resourceToken") }

func (t *resourceToken) pack() []byte {
	p := seal.NewPacker()
	access := seal.NewToken(t.access)
	p.Token(&access)
	p.Time(t.issued)
	p.TimeFrom(t.issued, t.expiry)
	return p.Pack()
}

func unpackResourceToken(packed []byte) (*resourceToken, error) {
	u, err := seal.Unpack(packed)
	if err != nil {
		return nil, err
	}
	t := &resourceToken{}
	access := u.Token()
	t.access = access.Text()
	t.issued = u.Time()
	t.expiry = u.TimeFrom(t.issued)
	return t, u.Err()
}
