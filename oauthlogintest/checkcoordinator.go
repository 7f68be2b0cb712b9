package oauthlogintest

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin"
)

// CheckCoordinator runs the tests that every [oauthlogin.Coordinator] has to pass, as
// subtests of t. Each call of open returns a client of its own for the same server, which
// may hold other keys: the tests use random names. They wait for conditions and not for
// times, so a slow server or machine does not make them fail. With -short, fewer swaps
// compete.
//
// [CheckCoordinatorOutage] tests what happens while that server is unreachable.
func CheckCoordinator(t *testing.T, open func() oauthlogin.Coordinator) {
	for _, test := range []struct {
		name  string
		check func(*coordinatorCheck)
	}{
		{"Load returns values in the order of the keys", (*coordinatorCheck).loadOrder},
		{"values are bytes", (*coordinatorCheck).values},
		{"keys are printable ASCII", (*coordinatorCheck).keys},
		{"Swap replaces the old value only", (*coordinatorCheck).swaps},
		{"a caller's slices stay its own", (*coordinatorCheck).slices},
		{"one of many callers creates a key", (*coordinatorCheck).createOnce},
		{"two clients count without losing a step", (*coordinatorCheck).count},
		{"a key is gone after its ttl", (*coordinatorCheck).expiry},
		{"Swap renews the ttl", (*coordinatorCheck).renewal},
		{"calls return when their context ends", (*coordinatorCheck).contexts},
		{"watchers hear what is told", (*coordinatorCheck).tells},
		{"each watcher hears each change in order", (*coordinatorCheck).order},
		{"a watcher that hears of a change loads the new value", (*coordinatorCheck).loadAfterChange},
		{"Watch returns when its context ends", (*coordinatorCheck).watchEnds},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.check(&coordinatorCheck{t: t, open: open, c: open(), prefix: rand.Text()})
		})
	}
}

// checkPatience is how long a check waits for a condition before it fails.
const checkPatience = 30 * time.Second

// A coordinatorCheck is one subtest, with a client and key names of its own.
type coordinatorCheck struct {
	t      *testing.T
	open   func() oauthlogin.Coordinator
	c      oauthlogin.Coordinator
	prefix string
}

func (c *coordinatorCheck) key(name any) string { return fmt.Sprintf("%s %v", c.prefix, name) }

// swap fails the test unless Swap reports want.
func (c *coordinatorCheck) swap(want bool, key, old, new string, ttl time.Duration, tell bool) {
	c.t.Helper()
	done, err := c.c.Swap(c.t.Context(), key, optional(old), optional(new), ttl, tell)
	if err != nil || done != want {
		c.t.Fatalf("Swap(%.40q, %.40q, %.40q) returns %t, %v; want %t", key, old, new, done, err, want)
	}
}

// want fails the test unless Load returns these values, "" for none.
func (c *coordinatorCheck) want(keys []string, values ...string) {
	c.t.Helper()
	loaded, err := c.c.Load(c.t.Context(), keys...)
	if err != nil || len(loaded) != len(values) {
		c.t.Fatalf("Load of %d keys returns %d values, %v", len(keys), len(loaded), err)
	}
	for i, value := range loaded {
		if string(value) != values[i] || (value == nil) != (values[i] == "") {
			c.t.Fatalf("Load(%.40q) returns %.40q; want %.40q", keys[i], value, values[i])
		}
	}
}

// optional returns nil for "".
func optional(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

func (c *coordinatorCheck) loadOrder() {
	var keys, values []string
	for i := range 100 {
		keys, values = append(keys, c.key(i)), append(values, "")
		if i%3 != 0 {
			values[i] = strconv.Itoa(i)
			c.swap(true, keys[i], "", values[i], time.Hour, false)
		}
	}
	c.want(keys, values...)
	slices.Reverse(keys)
	slices.Reverse(values)
	c.want(keys, values...)
	c.want([]string{c.key(1), c.key(0), c.key(1)}, "1", "", "1")
	c.want(nil)
}

func (c *coordinatorCheck) values() {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	long := make([]byte, 64<<10)
	rand.Read(long)
	key, held := c.key("value"), ""
	for _, value := range []string{string(all), "\x00", "\xff\xfe", `\x41`, "'; --", "0", "nil", string(long)} {
		c.swap(true, key, held, value, time.Hour, false)
		c.want([]string{key}, value)
		held = value
	}
	c.swap(false, key, held[:len(held)-1], "cut", time.Hour, false)
	c.swap(true, key, held, "", time.Hour, false)
	c.want([]string{key}, "")
}

func (c *coordinatorCheck) keys() {
	var printable strings.Builder
	for b := byte(' '); b <= '~'; b++ {
		printable.WriteByte(b)
	}
	long := c.prefix + printable.String()
	long += strings.Repeat("x", 128-len(long))
	keys := []string{long, long[:127], long[:127] + "X", c.key("*"), c.key("{a}"), c.key("a"), c.key("A"), c.key("a ")}
	heard := c.watch(c.c)
	for i, key := range keys {
		c.swap(true, key, "", strconv.Itoa(i+1), time.Hour, true)
	}
	heard.want(keys...)
	c.want(keys, "1", "2", "3", "4", "5", "6", "7", "8")
}

func (c *coordinatorCheck) swaps() {
	key, other := c.key("a"), c.key("b")
	c.swap(true, other, "", "other", time.Hour, false)
	for _, step := range []struct {
		old, new string
		done     bool
		held     string
	}{
		{"absent", "1", false, ""},
		{"absent", "", false, ""},
		{"", "1", true, "1"},
		{"", "2", false, "1"},
		{"2", "3", false, "1"},
		{"1 ", "3", false, "1"},
		{"1", "1", true, "1"},
		{"1", "2", true, "2"},
		{"1", "", false, "2"},
		{"2", "", true, ""},
		{"2", "3", false, ""},
		{"", "4", true, "4"},
	} {
		c.swap(step.done, key, step.old, step.new, time.Hour, false)
		c.want([]string{key, other}, step.held, "other")
	}
}

func (c *coordinatorCheck) slices() {
	key, value := c.key("a"), []byte("value")
	if done, err := c.c.Swap(c.t.Context(), key, nil, value, time.Hour, false); err != nil || !done {
		c.t.Fatalf("Swap returns %t, %v", done, err)
	}
	value[0] = 'V'
	loaded, err := c.c.Load(c.t.Context(), key)
	if err != nil || string(loaded[0]) != "value" {
		c.t.Fatalf("Load returns %q, %v", loaded, err)
	}
	copy(loaded[0], "12345")
	c.want([]string{key}, "value")
}

func (c *coordinatorCheck) createOnce() {
	clients := []oauthlogin.Coordinator{c.c, c.open()}
	for round := range 5 {
		key := c.key(round)
		won := make([]bool, 16)
		c.together(len(won), func(i int) (err error) {
			won[i], err = clients[i%2].Swap(c.t.Context(), key, nil, []byte(strconv.Itoa(i)), time.Hour, false)
			return err
		})
		winner := slices.Index(won, true)
		if winner < 0 || slices.Contains(won[winner+1:], true) {
			c.t.Fatalf("Swap reports to these of %d callers that they created the key: %v", len(won), won)
		}
		c.want([]string{key}, strconv.Itoa(winner))
	}
}

// count lets two clients count to a thousand in one key. A lost or doubled step would
// show in the sum.
func (c *coordinatorCheck) count() {
	steps := 500
	if testing.Short() {
		steps = 50
	}
	key := c.key("count")
	c.swap(true, key, "", "0", time.Hour, false)
	clients := []oauthlogin.Coordinator{c.c, c.open()}
	c.together(2, func(i int) error {
		for done := 0; done < steps; {
			loaded, err := clients[i].Load(c.t.Context(), key)
			if err != nil {
				return err
			}
			n, err := strconv.Atoi(string(loaded[0]))
			if err != nil {
				return err
			}
			swapped, err := clients[i].Swap(c.t.Context(), key, loaded[0], []byte(strconv.Itoa(n+1)), time.Hour, false)
			if err != nil {
				return err
			}
			if swapped {
				done++
			}
		}
		return nil
	})
	c.want([]string{key}, strconv.Itoa(2*steps))
}

// together runs f n times at once and fails the test with the first error.
func (c *coordinatorCheck) together(n int, f func(i int) error) {
	c.t.Helper()
	errs := make([]error, n)
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() { errs[i] = f(i) })
	}
	running.Wait()
	for _, err := range errs {
		if err != nil {
			c.t.Fatal(err)
		}
	}
}
