package flow

import (
	"net/http"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/record"
	"github.com/oauthlogin/oauthlogin/internal/seal"
)

const (
	// MaxRounds is how many logins may complete in a row, each within roundsAge of the
	// one before, without the session ever coming back.
	MaxRounds = 4
	roundsAge = time.Minute
)

// Rounds counts the logins that this browser has just completed. Without the count, a
// browser that loses the session cookie would go round between the application and a
// provider that asks no questions.
func (fs *Flows) Rounds(r *http.Request) uint64 {
	name := fs.cookies.Rounds
	cookie, err := r.Cookie(name)
	if err != nil {
		return 0
	}
	packed, _, err := fs.sealer.Open(name, cookie.Value)
	if err != nil {
		return 0
	}
	u, err := seal.Unpack(packed)
	if err != nil {
		return 0
	}
	n, at := u.Uint(), u.Time()
	if u.Err() != nil || time.Since(at) > roundsAge {
		return 0
	}
	return n
}

// CountRound counts a login that completed. A user's first one in a while writes no
// cookie, and one with a session ends the count.
func (fs *Flows) CountRound(w http.ResponseWriter, r *http.Request, rec *record.Record, hadSession bool) {
	again := !fs.signedIn.Add(string(rec.Provider[:])+rec.Extra.Issuer+rec.User.Subject, "")
	rounds := fs.Rounds(r)
	switch {
	case hadSession && rounds > 0:
		fs.cookies.Expire(w, fs.cookies.Rounds)
	case hadSession:
	case rounds > 0:
		fs.writeRounds(w, rounds+1)
	case again:
		fs.writeRounds(w, 2)
	}
}

func (fs *Flows) writeRounds(w http.ResponseWriter, n uint64) {
	p := seal.NewPacker()
	p.Uint(n)
	p.Time(time.Now())
	if sealed, err := fs.sealer.Seal(fs.cookies.Rounds, p.Pack()); err == nil {
		fs.cookies.Set(w, fs.cookies.Rounds, sealed, int(roundsAge/time.Second))
	}
}
