package oauthloginredis_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthloginredis"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
	"github.com/redis/go-redis/v9"
)

// opener returns the argument of CheckCoordinator: each call opens a client of its own.
func opener(t *testing.T, addr string) func() oauthlogin.Coordinator {
	return func() oauthlogin.Coordinator {
		client := redis.NewClient(&redis.Options{Addr: addr})
		t.Cleanup(func() { client.Close() })
		return oauthloginredis.New(client)
	}
}

func TestMiniredis(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	server.ClockTTL(true)
	oauthlogintest.CheckCoordinator(t, opener(t, server.Addr()))
}

func TestRedis(t *testing.T) {
	t.Parallel()
	oauthlogintest.CheckCoordinator(t, opener(t, startEngine(t).addr))
}

// The client may speak the older protocol, and heed contexts itself.
func TestClientOptions(t *testing.T) {
	t.Parallel()
	addr := startEngine(t).addr
	for name, options := range map[string]redis.Options{
		"RESP2":    {Protocol: 2},
		"contexts": {ContextTimeoutEnabled: true},
	} {
		t.Run(name, func(t *testing.T) {
			oauthlogintest.CheckCoordinator(t, func() oauthlogin.Coordinator {
				options.Addr = addr
				client := redis.NewClient(&options)
				t.Cleanup(func() { client.Close() })
				return oauthloginredis.New(client)
			})
		})
	}
}

func TestRedisOutages(t *testing.T) {
	t.Parallel()
	t.Run("killed", func(t *testing.T) {
		t.Parallel()
		e := startEngine(t)
		oauthlogintest.CheckCoordinatorOutage(t, opener(t, e.addr), e.kill, e.start)
	})
	t.Run("suspended", func(t *testing.T) {
		t.Parallel()
		e := startEngine(t)
		oauthlogintest.CheckCoordinatorOutage(t, opener(t, e.addr), e.pause, e.resume)
	})
	t.Run("disconnected", func(t *testing.T) {
		t.Parallel()
		p := startProxy(t, startEngine(t).addr)
		oauthlogintest.CheckCoordinatorOutage(t, opener(t, p.addr), func() { p.cut(true) }, func() { p.cut(false) })
	})
	t.Run("packets dropped", func(t *testing.T) {
		t.Parallel()
		p := startProxy(t, startEngine(t).addr)
		oauthlogintest.CheckCoordinatorOutage(t, opener(t, p.addr), func() { p.hold(true) }, func() { p.hold(false) })
	})
}

// go-redis would subscribe anew at once, and miss what happened in between.
func TestWatchEndsWithItsConnection(t *testing.T) {
	t.Parallel()
	for name, interrupt := range map[string]func(*engine, *proxy){
		"restart":     func(e *engine, _ *proxy) { e.kill(); e.start() },
		"cut":         func(_ *engine, p *proxy) { p.cut(true); p.cut(false) },
		"client kill": func(e *engine, _ *proxy) { e.client().ClientKillByFilter(e.t.Context(), "TYPE", "pubsub") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := startEngine(t)
			p := startProxy(t, e.addr)
			returned := watch(t, opener(t, p.addr)())
			interrupt(e, p)
			wantReturn(t, returned)
		})
	}
}

// A second confirmation shows that go-redis has subscribed anew, for whatever reason.
func TestWatchEndsWithASecondSubscription(t *testing.T) {
	t.Parallel()
	p := startProxy(t, startEngine(t).addr)
	client := redis.NewClient(&redis.Options{Addr: p.addr, Protocol: 2})
	defer client.Close()
	returned := watch(t, oauthloginredis.New(client))
	p.inject("*3\r\n$9\r\nsubscribe\r\n$12\r\n{oauthlogin}\r\n:1\r\n")
	if err := wantReturn(t, returned); !strings.Contains(err.Error(), "replaced") {
		t.Errorf("Watch returns %v", err)
	}
}

// watch starts a Watch, waits until it is ready, and returns where its error arrives.
func watch(t *testing.T, c oauthlogin.Coordinator) <-chan error {
	t.Helper()
	ready, returned := make(chan struct{}), make(chan error, 1)
	go func() {
		returned <- c.Watch(t.Context(), func() { close(ready) }, func(key string) {
			if strings.HasPrefix(key, "\n") {
				t.Errorf("Watch reports its own message %q", key)
			}
		})
	}()
	select {
	case <-ready:
	case err := <-returned:
		t.Fatalf("Watch returns %v before it is ready", err)
	case <-time.After(patience):
		t.Fatal("Watch is not ready")
	}
	return returned
}

func wantReturn(t *testing.T, returned <-chan error) error {
	t.Helper()
	start := time.Now()
	select {
	case err := <-returned:
		t.Logf("Watch returned after %v: %v", time.Since(start).Round(time.Millisecond), err)
		return err
	case <-time.After(4 * time.Second):
		t.Fatal("Watch still runs after 4 seconds")
		return nil
	}
}

// Where Watch listens to one server and Swap writes to another, as after a failover that
// one connection survived, it is not ready.
func TestWatchOnAnotherServer(t *testing.T) {
	t.Parallel()
	listened, written := startEngine(t), startEngine(t)
	var dials atomic.Int64
	client := redis.NewClient(&redis.Options{Dialer: func(context.Context, string, string) (net.Conn, error) {
		if dials.Add(1) == 1 {
			return net.Dial("tcp", listened.addr)
		}
		return net.Dial("tcp", written.addr)
	}})
	defer client.Close()
	ctx, cancel := context.WithCancel(t.Context())
	var others sync.WaitGroup
	others.Go(func() { // who write to the first server still
		for publisher := listened.client(); ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
			publisher.Publish(ctx, "{oauthlogin}", "another key")
		}
	})
	defer others.Wait()
	defer cancel()
	if err := watchError(t, oauthloginredis.New(client)); err == nil {
		t.Error("Watch returns no error")
	}
	if n := dials.Load(); n < 2 {
		t.Errorf("%d connections", n)
	}
}

// A server that has nothing to tell is alive all the same.
func TestWatchOutlivesSilence(t *testing.T) {
	t.Parallel()
	returned := watch(t, opener(t, startEngine(t).addr)())
	select {
	case err := <-returned:
		t.Errorf("Watch returns %v", err)
	case <-time.After(5 * time.Second):
	}
}

// An error of Swap means unknown: a suspended server carries out what is in its socket.
func TestSwapHappensAfterItsError(t *testing.T) {
	t.Parallel()
	e := startEngine(t)
	c := opener(t, e.addr)()
	swap(t, c, "another") // opens a connection, and the server knows the script
	e.pause()
	if done, err := c.Swap(t.Context(), "a", nil, []byte("1"), time.Hour, true); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Swap returns %t, %v", done, err)
	}
	e.resume()
	waitFor(t, "the swap", func() bool {
		values, err := c.Load(t.Context(), "a")
		return err == nil && string(values[0]) == "1"
	})
}

// A Swap whose reply was lost must not be sent again: the second one would report that it
// changed nothing.
func TestSwapIsSentOnce(t *testing.T) {
	t.Parallel()
	p := startProxy(t, startEngine(t).addr)
	c := opener(t, p.addr)()
	swap(t, c, "a")
	p.loseReply()
	if done, err := c.Swap(t.Context(), "a", []byte("1"), []byte("2"), time.Hour, false); err == nil {
		t.Errorf("Swap returns %t", done)
	}
	if values, err := c.Load(t.Context(), "a"); err != nil || string(values[0]) != "2" {
		t.Errorf("Load returns %q, %v; want what the swap wrote", values, err)
	}
}

func swap(t *testing.T, c oauthlogin.Coordinator, key string) {
	t.Helper()
	if done, err := c.Swap(t.Context(), key, nil, []byte("1"), time.Hour, true); err != nil || !done {
		t.Fatalf("Swap returns %t, %v", done, err)
	}
}

// A replica may lag behind.
func TestReplicasAreRefused(t *testing.T) {
	t.Parallel()
	replica := startEngine(t, "--replicaof", strings.ReplaceAll(startEngine(t).addr, ":", " "))
	c := opener(t, replica.addr)()
	_, loadErr := c.Load(t.Context(), "a")
	_, swapErr := c.Swap(t.Context(), "a", nil, []byte("1"), time.Hour, true)
	for _, err := range []error{loadErr, swapErr} {
		if err == nil || !strings.Contains(err.Error(), "READONLY") {
			t.Errorf("the error is %v; want READONLY", err)
		}
	}
	if err := watchError(t, c); err == nil {
		t.Error("Watch returns no error")
	}
}

func TestPrefixesAreApart(t *testing.T) {
	t.Parallel()
	client := startEngine(t).client()
	one, two := oauthloginredis.New(client), oauthloginredis.New(client, oauthloginredis.WithPrefix("shop"))
	for _, c := range []*oauthloginredis.Coordinator{one, two} {
		swap(t, c, "a")
	}
	if keys := client.Keys(t.Context(), "*").Val(); len(keys) != 2 {
		t.Errorf("the server has %q", keys)
	}
	for _, key := range []string{"{oauthlogin}:a", "{shop}:a"} {
		if ttl := client.TTL(t.Context(), key).Val(); ttl <= 0 || ttl > time.Hour {
			t.Errorf("%s has a TTL of %v", key, ttl)
		}
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	client := redis.NewClient(&redis.Options{})
	defer client.Close()
	ring := redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"a": "127.0.0.1:1"}})
	defer ring.Close()
	for want, c := range map[string]*oauthloginredis.Coordinator{
		"redis.Ring":         oauthloginredis.New(ring),
		`WithPrefix("")`:     oauthloginredis.New(client, oauthloginredis.WithPrefix("")),
		`WithPrefix("a}{b")`: oauthloginredis.New(client, oauthloginredis.WithPrefix("a}{b")),
	} {
		_, loadErr := c.Load(t.Context(), "a")
		_, swapErr := c.Swap(t.Context(), "a", nil, []byte("1"), time.Hour, true)
		watchErr := watchError(t, c)
		for _, err := range []error{loadErr, swapErr, watchErr} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("the error is %v; want %q", err, want)
			}
		}
	}
}

// Redis repeats the arguments of commands that it does not know or allow.
func TestErrorsHaveNoValues(t *testing.T) {
	t.Parallel()
	e := startEngine(t, "--rename-command", "EVALSHA", "", "--rename-command", "GETEX", "")
	c := opener(t, e.addr)()
	_, swapErr := c.Swap(t.Context(), "a", []byte("secret"), []byte("secret"), time.Hour, true)
	_, loadErr := c.Load(t.Context(), "secret")
	for _, err := range []error{swapErr, loadErr} {
		if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "unknown command") {
			t.Errorf("the error is %v", err)
		}
	}
}

// watchError returns the error of a Watch that must not become ready.
func watchError(t *testing.T, c oauthlogin.Coordinator) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	return c.Watch(ctx, func() {
		t.Error("Watch is ready")
		cancel()
	}, func(string) {})
}
