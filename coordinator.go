package oauthlogin

import (
	"context"
	"time"
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
	// is never empty. The ttl runs by the clock of the engine. With tell, every watcher hears of a
	// change. An error means unknown: the swap may have happened, or may happen later.
	Swap(ctx context.Context, key string, old, new []byte, ttl time.Duration, tell bool) (bool, error)
	// Watch calls ready once it is sure to hear of every later Swap with tell, of any
	// instance, this one included, and then calls changed for each, one call at a time. It returns as
	// soon as it may have missed one: three seconds after its connection died silently, at the latest.
	Watch(ctx context.Context, ready func(), changed func(key string)) error
}
