package oauthlogin

import (
	"net/http"
	"time"
)

const (
	// maxRounds is how many logins may complete in a row, each within roundsAge
	// of the one before, without the session ever coming back.
	maxRounds = 4
	roundsAge = time.Minute
)

// roundsOf counts the logins that this browser has just completed. Without
// it, a browser that loses the session cookie would go round between us and a
// provider that asks no questions.
func (m *Middleware) roundsOf(r *http.Request) uint64 {
	name := m.cookies.rounds
	cookie, err := r.Cookie(name)
	if err != nil {
		return 0
	}
	packed, _, err := m.flowSealer.open(name, cookie.Value)
	if err != nil {
		return 0
	}
	u, err := unpack(packed)
	if err != nil {
		return 0
	}
	n, at := u.uint(), u.time()
	if u.err() != nil || time.Since(at) > roundsAge {
		return 0
	}
	return n
}

// countRound counts a login that completed. A user's first one in a while writes
// no cookie, and one with a session ends the count.
func (m *Middleware) countRound(w http.ResponseWriter, r *http.Request, rec *record, hadSession bool) {
	again := !m.signedIn.add(string(rec.provider[:])+rec.user.Subject, "")
	rounds := m.roundsOf(r)
	switch {
	case hadSession && rounds > 0:
		m.cookies.expire(w, m.cookies.rounds)
	case hadSession:
	case rounds > 0:
		m.writeRounds(w, rounds+1)
	case again:
		m.writeRounds(w, 2)
	}
}

func (m *Middleware) writeRounds(w http.ResponseWriter, n uint64) {
	var p packer
	p.uint(n)
	p.time(time.Now())
	if sealed, err := m.flowSealer.seal(m.cookies.rounds, p.pack()); err == nil {
		m.cookies.set(w, m.cookies.rounds, sealed, int(roundsAge/time.Second))
	}
}
