package oauthloginpg_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthloginpg"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// opener returns the argument of CheckCoordinator: each call opens a pool of its own.
func opener(t *testing.T, url string, opts ...oauthloginpg.Option) func() oauthlogin.Coordinator {
	return func() oauthlogin.Coordinator { return oauthloginpg.New(openPool(t, url), opts...) }
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	oauthlogintest.CheckCoordinator(t, opener(t, startEngine(t).url()))
}

// A name with a schema, and characters that need quotes.
func TestTable(t *testing.T) {
	t.Parallel()
	e := startEngine(t)
	pool := e.pool()
	if _, err := pool.Exec(t.Context(), "CREATE SCHEMA app"); err != nil {
		t.Fatal(err)
	}
	table := oauthloginpg.WithTable(`app.it's "the" table`)
	for range 10 { // instances that start at the same time
		if _, err := pool.Exec(t.Context(), `DROP TABLE IF EXISTS app."it's ""the"" table"`); err != nil {
			t.Fatal(err)
		}
		var creating sync.WaitGroup
		for range 4 {
			creating.Go(func() {
				if err := oauthloginpg.CreateTable(t.Context(), pool, table); err != nil {
					t.Error(err)
				}
			})
		}
		creating.Wait()
	}
	oauthlogintest.CheckCoordinator(t, opener(t, e.url(), table))
	var rows int
	if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM oauthlogin").Scan(&rows); err != nil || rows > 0 {
		t.Errorf("the other table has %d rows, %v", rows, err)
	}
}

// A pooler in transaction mode passes on Load and Swap, and Watch goes past it.
func TestPooler(t *testing.T) {
	t.Parallel()
	e := startEngine(t)
	pooled := urlOf(e.startBouncer())
	direct, err := pgx.ParseConfig(e.url())
	if err != nil {
		t.Fatal(err)
	}
	oauthlogintest.CheckCoordinator(t, opener(t, pooled, oauthloginpg.WithListenConfig(direct)))

	ctx, cancel := context.WithCancel(t.Context())
	var others sync.WaitGroup
	others.Go(func() { // some of which may arrive
		for pool := e.pool(); ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
			_, _ = pool.Exec(ctx, "SELECT pg_notify('oauthlogin', 'another key')")
		}
	})
	defer others.Wait()
	defer cancel()
	for range 3 {
		if err := watchError(t, opener(t, pooled)()); err == nil || !strings.Contains(err.Error(), "WithListenConfig") {
			t.Errorf("Watch through the pooler returns %v", err)
		}
	}
}

func TestPostgresOutages(t *testing.T) {
	t.Parallel()
	t.Run("killed", func(t *testing.T) {
		t.Parallel()
		e := startEngine(t)
		oauthlogintest.CheckCoordinatorOutage(t, opener(t, e.url()), e.kill, e.start)
	})
	t.Run("suspended", func(t *testing.T) {
		t.Parallel()
		e := startEngine(t)
		oauthlogintest.CheckCoordinatorOutage(t, opener(t, e.url()), e.pause, e.resume)
	})
	t.Run("disconnected", func(t *testing.T) {
		t.Parallel()
		p := startProxy(t, startEngine(t).addr)
		oauthlogintest.CheckCoordinatorOutage(t, opener(t, urlOf(p.addr)), func() { p.cut(true) }, func() { p.cut(false) })
	})
	t.Run("packets dropped", func(t *testing.T) {
		t.Parallel()
		p := startProxy(t, startEngine(t).addr)
		oauthlogintest.CheckCoordinatorOutage(t, opener(t, urlOf(p.addr)), func() { p.hold(true) }, func() { p.hold(false) })
	})
}

func TestWatchEndsWithItsConnection(t *testing.T) {
	t.Parallel()
	for name, interrupt := range map[string]func(*engine, *proxy){
		"restart": func(e *engine, _ *proxy) { e.kill(); e.start() },
		"cut":     func(_ *engine, p *proxy) { p.cut(true); p.cut(false) },
		"terminated": func(e *engine, _ *proxy) {
			_, err := e.pool().Exec(e.t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
			if err != nil {
				e.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := startEngine(t)
			p := startProxy(t, e.addr)
			returned := watch(t, opener(t, urlOf(p.addr))())
			interrupt(e, p)
			start := time.Now()
			select {
			case err := <-returned:
				t.Logf("Watch returned after %v: %v", time.Since(start).Round(time.Millisecond), err)
			case <-time.After(4 * time.Second):
				t.Fatal("Watch still runs after 4 seconds")
			}
		})
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

// A server that has nothing to tell is alive all the same, and a pool that is in use does not
// keep Watch from connecting.
func TestWatchOutlivesSilence(t *testing.T) {
	t.Parallel()
	config, err := pgxpool.ParseConfig(startEngine(t).url() + "&pool_max_conns=2")
	if err != nil {
		t.Fatal(err)
	}
	config.ConnConfig.OnNotification = func(*pgconn.PgConn, *pgconn.Notification) {}
	hooked := make(chan struct{}, 10)
	config.BeforeConnect = func(context.Context, *pgx.ConnConfig) error {
		hooked <- struct{}{}
		return nil
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	returned := watch(t, oauthloginpg.New(pool))
	select {
	case err := <-returned:
		t.Errorf("Watch returns %v", err)
	case <-time.After(5 * time.Second):
	}
	if len(hooked) != 3 {
		t.Errorf("BeforeConnect was called %d times; want 3", len(hooked))
	}
}

// An error of Swap means unknown: a suspended server carries out what is in its socket.
func TestSwapHappensAfterItsError(t *testing.T) {
	t.Parallel()
	e := startEngine(t)
	c := opener(t, e.url())()
	swap(t, c, "another", time.Hour) // opens a connection
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

func swap(t *testing.T, c oauthlogin.Coordinator, key string, ttl time.Duration) {
	t.Helper()
	if done, err := c.Swap(t.Context(), key, nil, []byte("secret"), ttl, true); err != nil || !done {
		t.Fatalf("Swap returns %t, %v", done, err)
	}
}

// A standby may lag behind.
func TestStandbysAreRefused(t *testing.T) {
	t.Parallel()
	c := opener(t, startEngine(t).startStandby().url())()
	if _, err := c.Load(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), "standby") {
		t.Errorf("Load returns %v", err)
	}
	if _, err := c.Swap(t.Context(), "a", nil, []byte("1"), time.Hour, true); err == nil {
		t.Error("Swap returns no error")
	}
	if err := watchError(t, c); err == nil {
		t.Error("Watch returns no error")
	}
}

// The first Swap of an instance deletes what has expired, and nothing else.
func TestSweep(t *testing.T) {
	t.Parallel()
	e := startEngine(t)
	pool := e.pool()
	if _, err := pool.Exec(t.Context(), `INSERT INTO oauthlogin SELECT 'old ' || n, '1', now() - interval '1 second' FROM generate_series(1, 2500) AS n`); err != nil {
		t.Fatal(err)
	}
	c := opener(t, e.url())()
	for i, want := range []int{1501, 502, 3, 4} {
		swap(t, c, strings.Repeat("a", i+1), time.Hour)
		var rows int
		if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM oauthlogin").Scan(&rows); err != nil || rows != want {
			t.Errorf("after %d swaps the table has %d rows, %v; want %d", i+1, rows, err, want)
		}
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	pool := openPool(t, urlOf("127.0.0.1:1"))
	for _, name := range []string{"", "a.", ".a", "a.b.c", strings.Repeat("a", 64), "a\x00"} {
		c := oauthloginpg.New(pool, oauthloginpg.WithTable(name))
		_, loadErr := c.Load(t.Context(), "a")
		_, swapErr := c.Swap(t.Context(), "a", nil, []byte("1"), time.Hour, true)
		watchErr := watchError(t, c)
		createErr := oauthloginpg.CreateTable(t.Context(), pool, oauthloginpg.WithTable(name))
		for _, err := range []error{loadErr, swapErr, watchErr, createErr} {
			if err == nil || !strings.Contains(err.Error(), "WithTable") {
				t.Errorf("the error for %q is %v", name, err)
			}
		}
	}
}

// A server may repeat rows in the details of its errors.
func TestErrorsHaveNoValues(t *testing.T) {
	t.Parallel()
	e := startEngine(t)
	if _, err := e.pool().Exec(t.Context(), `ALTER TABLE oauthlogin ADD CHECK (length(value) > 100)`); err != nil {
		t.Fatal(err)
	}
	_, err := opener(t, e.url())().Swap(t.Context(), "secret", nil, []byte("secret"), time.Hour, true)
	if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "23514") {
		t.Errorf("the error is %v", err)
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
