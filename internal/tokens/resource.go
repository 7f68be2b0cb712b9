package tokens

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/seal"
)

// A Resource is an access token for one API, or why there is none now.
type Resource struct {
	Access         string
	issued, expiry time.Time
	accepted       atomic.Bool // by the API

	err   error     // of the attempt to get this one or the next; nil: none
	again time.Time // when the next may be made
}

func (t *Resource) isValid(now time.Time) bool { return t.Access != "" && now.Before(t.expiry) }

func (t *Resource) is(other *Resource) bool {
	return other != nil && t.Access == other.Access
}

// Accept notes that an API has accepted the token.
func (t *Resource) Accept() { t.accepted.Store(true) }

// MayReplace is [Refreshes.MayReplace] for a token of an API.
func (t *Resource) MayReplace() bool {
	return time.Since(t.issued) >= rejectedPause || t.accepted.Load()
}

// Bytes makes a resourceToken a [memory.Sized].
func (t *Resource) Bytes() int { return 256 + len(t.Access) }

// Format keeps the token out of whatever prints it.
func (t *Resource) Format(f fmt.State, _ rune) { fmt.Fprint(f, "tokens.Resource") }

func (t *Resource) pack() []byte {
	p := seal.NewPacker()
	access := seal.NewToken(t.Access)
	p.Token(&access)
	p.Time(t.issued)
	p.TimeFrom(t.issued, t.expiry)
	return p.Pack()
}

func unpackResource(packed []byte) (*Resource, error) {
	u, err := seal.Unpack(packed)
	if err != nil {
		return nil, err
	}
	t := &Resource{}
	access := u.Token()
	t.Access = access.Text()
	t.issued = u.Time()
	t.expiry = u.TimeFrom(t.issued)
	return t, u.Err()
}
