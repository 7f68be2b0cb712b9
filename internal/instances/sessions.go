package instances

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/flight"
	"github.com/oauthlogin/oauthlogin/internal/memory"
)

// A Record is a session as one of its generations.
type Record interface {
	memory.Record
	// TokenExpiry is when the access token expires; zero: not said.
	TokenExpiry() time.Time
}

// A Codec seals records for the Coordinator. What is sealed under one key does not open
// under another.
type Codec[R Record] struct {
	Seal func(key string, rec R) (string, error)
	Open func(key, sealed string) (R, error)
}

// Sessions is what an instance knows of sessions beyond what their cookies say: what it
// remembers itself, and with a Coordinator what all instances agree on.
type Sessions[R Record] struct {
	*memory.Grants[R]

	codec          Codec[R]
	idle, lifetime time.Duration
	log            *slog.Logger
	engine         *Engine // nil: this instance is alone
	known          known
	looks          flight.Group[struct{}]
	jobs           jobs
	lines          lines

	alive   []byte // the value of aliveKey when the Coordinator had everything
	begun   sync.Once
	ctx     context.Context // of what runs in the background
	cancel  context.CancelFunc
	workers *workers
}

// New returns the sessions of an instance, that end when they are not used for idle, and
// a lifetime after they began. c may be nil. New starts nothing: the first question does.
func New[R Record](c Coordinator, codec Codec[R], idle, lifetime time.Duration, log *slog.Logger) *Sessions[R] {
	s := &Sessions[R]{Grants: memory.NewGrants[R](idle, lifetime), codec: codec, idle: idle, lifetime: lifetime, log: log}
	if c != nil {
		s.engine = NewEngine(c, log)
		s.Grants.Agree()
		s.known.hear = s.Grants.Hear
		s.known.hears(false)
		s.ctx, s.cancel = context.WithCancel(context.Background())
		s.workers = &workers{log: log}
		s.engine.background = func(do func(context.Context)) bool { return s.workers.run(func() { do(s.ctx) }) }
		s.jobs = jobs{ctx: s.ctx, workers: s.workers, log: log}
	}
	return s
}

// Coordinated reports whether there is a Coordinator.
func (s *Sessions[R]) Coordinated() bool { return s.engine != nil }

// WasAway reports whether there is a Coordinator that does not respond, or did not a moment ago.
func (s *Sessions[R]) WasAway(now time.Time) bool { return s.engine != nil && s.engine.WasAway(now) }

// What a session's key has as value: a record that browsers may not have yet, one that
// the browser has shown, or the end.
const (
	unseenTag = 'R'
	seenTag   = 'r'
)

var (
	endValue      = []byte("E") // of the session and of the lineage that it began
	endAloneValue = []byte("e") // of the session alone: its provider has refused it
)

func isEnd(value []byte) bool { return isEndOfAll(value) || bytes.Equal(value, endAloneValue) }

func isEndOfAll(value []byte) bool { return bytes.Equal(value, endValue) }

// shownFor is how long the newest tokens stay once a browser has shown them: for requests
// under way with the cookie before.
const shownFor = 10 * time.Minute

// Shown returns the latest record of a session whose cookie has shown rec, whether that is
// newer than rec, and whether the session has ended. An error means that it is unknown.
// A session that is known costs no call.
func (s *Sessions[R]) Shown(ctx context.Context, rec R, now time.Time) (latest R, newer, ended bool, err error) {
	if err := s.ensure(ctx, rec, now); err != nil {
		return rec, false, false, err
	}
	latest, newer, ended = s.Grants.Shown(rec, now)
	return latest, newer, ended, nil
}

// Check returns the latest record of a session, and whether it has ended. It is Shown for
// a caller that keeps the session for long, and has no cookie.
func (s *Sessions[R]) Check(ctx context.Context, rec R, now time.Time) (latest R, ended bool, err error) {
	if err := s.ensure(ctx, rec, now); err != nil {
		return rec, false, err
	}
	latest, ended = s.Grants.Latest(rec)
	return latest, ended, nil
}

// ensure makes a session known.
func (s *Sessions[R]) ensure(ctx context.Context, rec R, now time.Time) error {
	if s.engine == nil {
		return nil
	}
	s.start()
	if s.known.has(rec.SessionID(), now) || s.Grants.HasEnded(rec) {
		return nil
	}
	id := rec.SessionID()
	ctx, cancel := context.WithTimeoutCause(ctx, callTimeout, ErrAway)
	defer cancel()
	_, err := s.looks.Do(ctx, string(id[:])+strconv.FormatUint(rec.Generation(), 36), func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.look(ctx, rec, now)
	})
	if err != nil && context.Cause(ctx) == ErrAway {
		err = ErrAway
	}
	if err == nil || !errors.Is(err, ErrAway) {
		return err
	}
	if s.known.isStale(keysOf(rec)) || !s.mayServe(rec, now) {
		return err
	}
	return nil
}

// unheardFor is how long a session whose access token has no expiry is served while the
// Coordinator is unreachable.
const unheardFor = time.Minute

// mayServe reports whether the provider still vouches for a session while the Coordinator
// cannot: as long as the access token lives, and no longer.
func (s *Sessions[R]) mayServe(rec R, now time.Time) bool {
	latest, _ := s.Grants.Latest(rec)
	if s.Grants.Superseded(rec) { // by a sign-out everywhere that may be older than the session
		return false
	}
	expiry := latest.TokenExpiry()
	if expiry.IsZero() {
		return now.Sub(s.engine.lastHeard(now)) < unheardFor
	}
	return now.Before(expiry)
}

// keysOf returns the keys that say something about a session. The first is its own.
func keysOf[R Record](rec R) []string {
	id, lineage := rec.SessionID(), rec.Lineage()
	keys := []string{sessionKey(id)}
	for owner := range memory.OwnersOf(rec) {
		keys = append(keys, ownerKey(owner))
	}
	if lineage != id {
		keys = append(keys, sessionKey(lineage))
	}
	return keys
}

// look reads what all instances know of a session. One call does it, unless the session
// changes meanwhile.
func (s *Sessions[R]) look(ctx context.Context, rec R, now time.Time) error {
	const attempts = 8
	keys := keysOf(rec)
	for range attempts {
		e := s.known.begin(rec.SessionID(), keys, now)
		values, err := s.engine.load(ctx, keys...)
		if err != nil {
			return err
		}
		if s.learn(ctx, rec, e, values, now) {
			return nil
		}
	}
	return errContended
}

// learn takes over what the keys of a look have as values. It reports whether they still do.
func (s *Sessions[R]) learn(ctx context.Context, rec R, e *knowledge, values [][]byte, now time.Time) bool {
	learnSession := s.sessionIn(ctx, rec, e.keys, values, now)
	learned := s.known.looked(rec.SessionID(), e, func(complete bool) {
		s.learnMarks(rec, values[1:], complete, now)
		learnSession() // which an older mark would say is over
	})
	if !learned {
		learnSession()
	}
	return learned
}

// sessionIn returns what takes over an end, which is for good, or newer tokens.
func (s *Sessions[R]) sessionIn(ctx context.Context, rec R, keys []string, values [][]byte, now time.Time) (learn func()) {
	ownEnd, lineageEnd := values[0], values[0]
	if rec.Lineage() != rec.SessionID() {
		lineageEnd = values[len(values)-1]
	}
	switch {
	case isEndOfAll(lineageEnd):
		return func() { s.Grants.End(rec, now) }
	case isEnd(ownEnd):
		return func() { s.Grants.EndAlone(rec, now) }
	}
	latest, seen, ok := s.open(keys[0], values[0])
	switch {
	case !ok:
	case latest.Generation() > rec.Generation():
		return func() { s.Grants.Refreshed(latest, now) }
	case !seen && latest.Generation() == rec.Generation():
		s.markSeen(ctx, keys[0], values[0])
	}
	return func() {}
}

// open reads the value of a session's key. What does not open is as good as not there: an
// instance may have other keys while they are being rotated.
func (s *Sessions[R]) open(key string, value []byte) (rec R, seen, ok bool) {
	if len(value) < 2 || value[0] != unseenTag && value[0] != seenTag {
		return rec, false, false
	}
	rec, err := s.codec.Open(key, string(value[1:]))
	return rec, value[0] == seenTag, err == nil
}

// markSeen keeps a record that the browser has shown for less long. No request waits for
// it, and nothing is lost if it fails.
func (s *Sessions[R]) markSeen(ctx context.Context, key string, value []byte) {
	seen := bytes.Clone(value)
	seen[0] = seenTag
	s.workers.run(func() {
		s.engine.swap(context.WithoutCancel(ctx), key, value, seen, min(shownFor, s.idle), false)
	})
}

// Close waits until the Coordinator has taken everything, or ctx is done, and ends what runs
// in the background. Requests may go on; they know no session without asking.
func (s *Sessions[R]) Close(ctx context.Context) {
	if s.engine == nil {
		return
	}
	s.jobs.wait(ctx)
	s.cancel()
	s.workers.close()
}
