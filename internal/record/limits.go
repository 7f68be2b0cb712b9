package record

import (
	"errors"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/memory"
)

// Limits are how long sessions live.
type Limits struct {
	Idle, Lifetime time.Duration
	OutliveTokens  bool
}

// Over reports whether a session has come to its end, used or not. One from further in the
// future than clocks may differ would outlive its limits: it is over.
func (l *Limits) Over(rec *Record, now time.Time) bool {
	age := now.Sub(rec.Created)
	return age >= l.Lifetime || age < -memory.MaxClockSkew || l.endsWithToken(rec) && !rec.Tokens.Valid(now)
}

// IsPast reports whether a session is past its limits of time, as far as the record itself says.
func (l *Limits) IsPast(rec *Record, now time.Time) bool {
	return now.Sub(rec.Written) >= l.Idle || now.Sub(rec.Created) >= l.Lifetime
}

// endsWithToken reports whether a session ends with its access token. Without a
// refresh token, the provider's word is as good as the last token that it gave.
func (l *Limits) endsWithToken(rec *Record) bool {
	t := &rec.Tokens
	return t.Refresh.IsZero() && t.Expiry.After(t.Issued) && !l.OutliveTokens
}

// End returns when a session ends if it is not used again.
func (l *Limits) End(rec *Record) time.Time {
	end := rec.Created.Add(l.Lifetime)
	if idle := rec.Written.Add(l.Idle); idle.Before(end) {
		end = idle
	}
	if l.endsWithToken(rec) && rec.Tokens.Expiry.Before(end) {
		end = rec.Tokens.Expiry
	}
	return end
}

// maxOutage is how long a session goes on after its access token has expired while the
// provider is unreachable: a provider does not vouch for its user forever.
const maxOutage = 24 * time.Hour

// ErrNotVouchedFor says that VouchedFor does not hold.
var ErrNotVouchedFor = errors.New("the provider has not refreshed the session for a day after its access token expired")

// VouchedFor reports whether the provider's last word on a session is recent enough. It reads
// the clock only if it has to.
func (rec *Record) VouchedFor() bool {
	t := &rec.Tokens
	return t.Refresh.IsZero() || t.Expiry.IsZero() || time.Since(t.Expiry) < maxOutage
}
