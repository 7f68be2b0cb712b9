package oauthlogin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gorilla/sessions"
)

// A Coordinator is what the instances of an application agree through: a key-value store with
// compare-and-swap that says which keys have changed. Applications take one from the modules
// oauthloginredis or oauthloginpg, or in tests from oauthlogintest, for [Options.Coordinator]
// or [NewStore], and call none of its methods.
//
// Its methods are safe for concurrent use and return when ctx is done. Keys are at most 128
// bytes of printable ASCII. They are hashes, and the values are sealed: a Coordinator learns no
// token, no user and no session. A package that implements it checks itself with
// oauthlogintest.CheckCoordinator.
type Coordinator interface {
	// Load returns the values of keys in one round trip, in their order, nil for a key that is
	// not there. It reads what the last Swap wrote, so never from a replica that lags behind.
	Load(ctx context.Context, keys ...string) ([][]byte, error)
	// Swap replaces old by new for ttl in one atomic step, and reports whether it did. With a
	// nil old it writes only if the key is not there; with a nil new it deletes the key. A value
	// is never empty. The ttl runs by the clock of the Coordinator's server. With tell, every
	// watcher hears of a change. An error means unknown: the swap may have happened, or may
	// happen later.
	Swap(ctx context.Context, key string, old, new []byte, ttl time.Duration, tell bool) (bool, error)
	// Watch calls ready once it is sure to hear of every later Swap with tell, of any
	// instance, this one included, and then calls changed for each, one call at a time. It
	// returns as soon as it may have missed one: three seconds after its connection died
	// silently, at the latest.
	Watch(ctx context.Context, ready func(), changed func(key string)) error
}

// NewStore returns server sessions in a [Coordinator], for [Options.Store]: the browser has a
// random id, and the session is sealed with [Options.Keys] where the Coordinator has it. It is
// also the [Options.Coordinator], if there is no other.
//
// A request reads its session in one round trip, so that a session that has ended is refused at
// once everywhere, and a session may have 64 KiB of tokens and claims. While the Coordinator is
// unreachable, such sessions are unknown: protected routes respond 503, and no session ends.
//
// The store is only for [Options.Store]: its own methods return errors.
func NewStore(c Coordinator) sessions.Store { return &coordinatorStore{c} }

type coordinatorStore struct{ coordinator Coordinator }

// engineOf returns what a store of NewStore is on, nil for any other.
func engineOf(store sessions.Store) Coordinator {
	if s, ok := store.(*coordinatorStore); ok {
		return s.coordinator
	}
	return nil
}

var errStoreAlone = errors.New("oauthlogin: the store of NewStore is for Options.Store alone")

func (s *coordinatorStore) Get(*http.Request, string) (*sessions.Session, error) {
	return nil, errStoreAlone
}

func (s *coordinatorStore) New(*http.Request, string) (*sessions.Session, error) {
	return nil, errStoreAlone
}

func (s *coordinatorStore) Save(*http.Request, http.ResponseWriter, *sessions.Session) error {
	return errStoreAlone
}
