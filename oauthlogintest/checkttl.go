package oauthlogintest

import (
	"context"
	"time"
)

const checkTTL = 400 * time.Millisecond

func (c *coordinatorCheck) expiry() {
	key := c.key("brief")
	start := time.Now()
	c.swap(true, key, "", "1", checkTTL, false)
	c.gone(key)
	// The clocks of server and test may differ a little in speed.
	if held := time.Since(start); held < checkTTL*9/10 {
		c.t.Fatalf("a key with a ttl of %v is gone after %v", checkTTL, held)
	}
	c.swap(false, key, "1", "2", time.Hour, false)
	c.swap(true, key, "", "3", time.Hour, false)
	c.want([]string{key}, "3")
}

func (c *coordinatorCheck) renewal() {
	renewed, same, shortened, touched, last := c.key("renewed"), c.key("same"), c.key("shortened"), c.key("touched"), c.key("last")
	c.swap(true, renewed, "", "1", checkTTL, false)
	c.swap(true, same, "", "1", checkTTL, false)
	c.swap(true, shortened, "", "1", time.Hour, false)
	c.swap(true, touched, "", "1", checkTTL, false)
	c.swap(true, renewed, "1", "2", time.Hour, false)
	c.swap(true, same, "1", "1", time.Hour, false)
	c.swap(true, shortened, "1", "2", checkTTL, false)
	c.swap(false, touched, "wrong", "2", time.Hour, false)
	c.swap(false, touched, "", "2", time.Hour, false)
	c.swap(true, last, "", "1", checkTTL, false)
	c.gone(last) // and so is whatever got this ttl before it
	c.want([]string{renewed, same, shortened, touched}, "2", "1", "", "")
}

// gone waits until a key is not there.
func (c *coordinatorCheck) gone(key string) {
	c.t.Helper()
	for deadline := time.Now().Add(checkPatience); ; time.Sleep(5 * time.Millisecond) {
		loaded, err := c.c.Load(c.t.Context(), key)
		switch {
		case err != nil:
			c.t.Fatal(err)
		case loaded[0] == nil:
			return
		case time.Now().After(deadline):
			c.t.Fatalf("the key is still there after %v", checkPatience)
		}
	}
}

func (c *coordinatorCheck) contexts() {
	ctx, cancel := context.WithCancel(c.t.Context())
	cancel()
	key := c.key("a")
	start := time.Now()
	if _, err := c.c.Load(ctx, key); err == nil {
		c.t.Error("Load succeeds after its context has ended")
	}
	if _, err := c.c.Swap(ctx, key, nil, []byte("1"), time.Hour, false); err == nil {
		c.t.Error("Swap succeeds after its context has ended")
	}
	if err := c.c.Watch(ctx, func() { c.t.Error("Watch is ready after its context has ended") }, func(string) {}); err == nil {
		c.t.Error("Watch returns no error")
	}
	if took := time.Since(start); took > time.Second {
		c.t.Errorf("calls whose context has ended take %v", took)
	}
	if done, err := c.c.Swap(c.t.Context(), key, nil, []byte("1"), 0, false); err == nil {
		c.t.Errorf("Swap without a ttl returns %t", done)
	}
}
