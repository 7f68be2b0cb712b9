package oauthloginredis

import (
	"context"
	"crypto/sha1" // #nosec G505 -- Redis names scripts by their SHA-1
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/redis/go-redis/v9"
)

// callTimeout bounds each call of Load and Swap.
const callTimeout = time.Second

// A Coordinator implements [oauthlogin.Coordinator] on Redis or Valkey, for
// [oauthlogin.Options.Coordinator] or [oauthlogin.NewStore]. [New] returns one. It is safe for
// concurrent use, and several Middlewares may share it. A Middleware calls its methods;
// applications do not.
type Coordinator struct {
	client redis.UniversalClient
	tag    string // of all keys; also the name of the channel
	fault  error  // of the configuration; each call returns it
}

var _ oauthlogin.Coordinator = (*Coordinator)(nil)

// An Option changes what [New] returns: [WithPrefix].
type Option func(*Coordinator)

// WithPrefix sets the prefix that keeps the applications apart that share a server:
// "oauthlogin" by default. The keys of an application are "{prefix}:" and a hash, and its
// channel is "{prefix}". A prefix that is empty or contains braces is an error of each call.
func WithPrefix(prefix string) Option {
	return func(c *Coordinator) { c.tag = prefix }
}

// New returns a Coordinator that uses client: one that [redis.NewClient],
// [redis.NewFailoverClient], [redis.NewClusterClient] or [redis.NewUniversalClient] returns.
// The instances of an application must use the same server and prefix.
//
// New performs no I/O. It does not close the client: do that after
// [oauthlogin.Middleware.Close]. A [redis.Ring] is an error of each call.
func New(client redis.UniversalClient, opts ...Option) *Coordinator {
	c := &Coordinator{client: client, tag: "oauthlogin"}
	for _, opt := range opts {
		opt(c)
	}
	if _, ok := client.(*redis.Ring); ok {
		c.fault = errors.New("oauthloginredis: a redis.Ring cannot be used: its clients may disagree on which server has a key")
	}
	if c.tag == "" || strings.ContainsAny(c.tag, "{}") {
		c.fault = fmt.Errorf("oauthloginredis: WithPrefix(%q): the prefix must not be empty or contain braces", c.tag)
	}
	c.tag = "{" + c.tag + "}"
	return c
}

func (c *Coordinator) key(name string) string { return c.tag + ":" + name }

// Load implements [oauthlogin.Coordinator]. It reads from the primary, in one pipeline, and
// takes one second at most.
func (c *Coordinator) Load(ctx context.Context, keys ...string) ([][]byte, error) {
	if c.fault != nil || len(keys) == 0 {
		return nil, c.fault
	}
	return within(ctx, callTimeout, "load", func(ctx context.Context) ([][]byte, error) {
		pipeline := c.client.Pipeline()
		for _, key := range keys {
			// GETEX without an option is GET, but counts as a write: clients do not send it to a
			// replica, and a primary that has become one refuses it.
			pipeline.Do(ctx, "getex", c.key(key))
		}
		replies, _ := pipeline.Exec(ctx) // the error is one of the replies'
		values := make([][]byte, len(keys))
		for i, reply := range replies {
			value, err := reply.(*redis.Cmd).Text()
			switch {
			case err == nil:
				values[i] = []byte(value)
			case !errors.Is(err, redis.Nil):
				return nil, err
			}
		}
		return values, nil
	})
}

// An absent value is "", which no value is.
const swapScript = `
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
if ARGV[2] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
if ARGV[4] ~= '' then redis.call('PUBLISH', ARGV[4], ARGV[5]) end
return 1`

// Swap implements [oauthlogin.Coordinator], by a script on the primary. It takes one second at
// most. The ttl is in milliseconds, rounded up, and must be positive.
func (c *Coordinator) Swap(ctx context.Context, key string, old, new []byte, ttl time.Duration, tell bool) (bool, error) {
	if c.fault != nil {
		return false, c.fault
	}
	if len(new) > 0 && ttl <= 0 {
		return false, errors.New("oauthloginredis: swap: the ttl must be positive")
	}
	channel := ""
	if tell {
		channel = c.tag
	}
	milliseconds := (ttl + time.Millisecond - 1).Milliseconds()
	return within(ctx, callTimeout, "swap", func(ctx context.Context) (bool, error) {
		return c.run(ctx, swapScript, c.key(key), old, new, milliseconds, channel, key)
	})
}

// A once is a command that is not sent again after an error. The first attempt may have been
// carried out, and a second Swap would then report that it was not.
type once struct{ *redis.Cmd }

func (once) NoRetry() bool { return true }

// run runs a script, which returns a number, on the primary that has the key.
func (c *Coordinator) run(ctx context.Context, script, key string, args ...any) (bool, error) {
	sum := sha1.Sum([]byte(script))
	cmd := redis.NewCmd(ctx, append([]any{"evalsha", hex.EncodeToString(sum[:]), 1, key}, args...)...)
	err := c.client.Process(ctx, once{cmd})
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		cmd = redis.NewCmd(ctx, append([]any{"eval", script, 1, key}, args...)...)
		err = c.client.Process(ctx, once{cmd})
	}
	if cluster, ok := c.client.(*redis.ClusterClient); ok && err != nil {
		cluster.ReloadState(ctx) // only a retry would have made the client look for a new primary
	}
	if err != nil {
		return false, err
	}
	return cmd.Bool()
}

// within calls f and returns when f does, when ctx is done or after timeout, whichever comes first.
// go-redis itself heeds contexts only where it is configured to.
func within[T any](ctx context.Context, timeout time.Duration, action string, f func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	if ctx.Err() == nil {
		go func() {
			value, err := f(ctx)
			done <- result{value, err}
		}()
	}
	select {
	case r := <-done:
		return r.value, describe(action, r.err)
	case <-ctx.Done():
		var none T
		return none, describe(action, ctx.Err())
	}
}

// describe names the action that failed. Of a server's reply it keeps what comes before
// arguments of the command.
func describe(action string, err error) error {
	if reply := redis.Error(nil); errors.As(err, &reply) {
		text, _, _ := strings.Cut(reply.Error(), ", with args")
		err = errors.New(text)
	}
	if err == nil {
		return nil
	}
	return fmt.Errorf("oauthloginredis: %s: %w", action, err)
}
