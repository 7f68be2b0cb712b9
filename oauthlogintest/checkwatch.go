package oauthlogintest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin"
)

// A checkedWatch is a call of Watch that has become ready.
type checkedWatch struct {
	t        *testing.T
	prefix   string // other keys belong to other users of the server
	heard    chan string
	returned chan error
	stop     context.CancelFunc
}

// watch starts a Watch, waits until it is ready and stops it at the end of the test.
func (c *coordinatorCheck) watch(client oauthlogin.Coordinator) *checkedWatch {
	c.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &checkedWatch{c.t, c.prefix, make(chan string, 10_000), make(chan error, 1), cancel}
	ready := make(chan struct{})
	isReady, calls := false, 0 // the race detector finds calls at the same time
	go func() {
		w.returned <- client.Watch(ctx, func() {
			if isReady {
				c.t.Error("Watch calls ready twice")
				return
			}
			isReady = true
			close(ready)
		}, func(key string) {
			calls++
			if !isReady {
				c.t.Error("Watch calls changed before ready")
			}
			if strings.HasPrefix(key, w.prefix) {
				w.heard <- key
			}
		})
	}()
	c.t.Cleanup(func() {
		cancel()
		select {
		case <-w.returned:
		case <-time.After(checkPatience):
			c.t.Error("Watch does not return when its context ends")
		}
	})
	select {
	case <-ready:
	case err := <-w.returned:
		w.returned <- err
		c.t.Fatalf("Watch returns before it is ready: %v", err)
	case <-time.After(checkPatience):
		c.t.Fatalf("Watch is not ready after %v", checkPatience)
	}
	return w
}

// want fails the test unless exactly these keys are heard next.
func (w *checkedWatch) want(keys ...string) {
	w.t.Helper()
	for i, want := range keys {
		select {
		case key := <-w.heard:
			if key != want {
				w.t.Fatalf("change %d of %d is of %q; want %q", i+1, len(keys), key, want)
			}
		case err := <-w.returned:
			w.returned <- err
			w.t.Fatalf("Watch returns before change %d of %d: %v", i+1, len(keys), err)
		case <-time.After(checkPatience):
			w.t.Fatalf("change %d of %d is not heard after %v", i+1, len(keys), checkPatience)
		}
	}
}

func (c *coordinatorCheck) tells() {
	own, other := c.watch(c.c), c.watch(c.open())
	told, silent, last := c.key("told"), c.key("silent"), c.key("last")
	c.swap(true, silent, "", "1", time.Hour, false)
	c.swap(true, told, "", "1", time.Hour, true)
	c.swap(false, silent, "wrong", "2", time.Hour, true)
	c.swap(false, silent, "", "2", time.Hour, true)
	c.swap(true, told, "1", "1", time.Hour, true)
	c.swap(true, silent, "1", "2", time.Hour, false)
	c.swap(true, told, "1", "", time.Hour, true)
	c.swap(true, silent, "2", "", time.Hour, false)
	c.swap(true, last, "", "1", time.Hour, true)
	own.want(told, told, told, last)
	other.want(told, told, told, last)
}

func (c *coordinatorCheck) order() {
	watches := []*checkedWatch{c.watch(c.c), c.watch(c.open()), c.watch(c.open())}
	clients := []oauthlogin.Coordinator{c.c, c.open()}
	const each = 100
	name := func(i, n int) string { return c.key(fmt.Sprintf("%d of client %d", n, i)) }
	c.together(2, func(i int) error {
		for n := range each {
			if done, err := clients[i].Swap(c.t.Context(), name(i, n), nil, []byte("1"), time.Hour, true); err != nil || !done {
				return errors.Join(errors.New("Swap fails"), err)
			}
		}
		return nil
	})
	for _, w := range watches {
		next := make([]int, 2)
		for n := range 2 * each {
			select {
			case key := <-w.heard:
				i := 0
				if key != name(0, next[0]) {
					i = 1
				}
				if key != name(i, next[i]) {
					c.t.Fatalf("%q is heard out of order", key)
				}
				next[i]++
			case <-time.After(checkPatience):
				c.t.Fatalf("%d of %d changes are heard", n, 2*each)
			}
		}
	}
}

func (c *coordinatorCheck) loadAfterChange() {
	reader, key := c.open(), c.key("a")
	w := c.watch(reader)
	for n := range 100 {
		old := ""
		if n > 0 {
			old = strconv.Itoa(n)
		}
		c.swap(true, key, old, strconv.Itoa(n+1), time.Hour, true)
		w.want(key)
		if loaded, err := reader.Load(c.t.Context(), key); err != nil || string(loaded[0]) != strconv.Itoa(n+1) {
			c.t.Fatalf("Load returns %q, %v after change %d", loaded, err, n+1)
		}
	}
}

func (c *coordinatorCheck) watchEnds() {
	w := c.watch(c.c)
	start := time.Now()
	w.stop()
	select {
	case err := <-w.returned:
		w.returned <- err
		if !errors.Is(err, context.Canceled) {
			c.t.Errorf("Watch returns %v; want context.Canceled", err)
		}
		if took := time.Since(start); took > time.Second {
			c.t.Errorf("Watch returns after %v", took)
		}
	case <-time.After(checkPatience):
		c.t.Fatal("Watch does not return")
	}
	c.swap(true, c.key("a"), "", "1", time.Hour, true)
	select {
	case key := <-w.heard:
		c.t.Errorf("%q is heard after Watch has returned", key)
	default:
	}
}
