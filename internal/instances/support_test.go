package instances

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/memory"
)

// A testRecord is the smallest Record.
type testRecord struct {
	id, lineage memory.ID
	generation  uint64
	token       string
	expiry      time.Time
	begun       time.Time
	user        memory.Owner
	mark        memory.Mark
}

func (r *testRecord) SessionID() memory.ID { return r.id }

func (r *testRecord) Lineage() memory.ID {
	if r.lineage != (memory.ID{}) {
		return r.lineage
	}
	return r.id
}

func (r *testRecord) Generation() uint64 { return r.generation }

func (r *testRecord) Begun() time.Time { return r.begun }

func (r *testRecord) TokenExpiry() time.Time { return r.expiry }

func (r *testRecord) Bytes() int { return 512 + len(r.token) }

func (r *testRecord) Owner(kind memory.OwnerKind) (memory.Owner, memory.Mark, bool) {
	return r.user, r.mark, kind == memory.OfUser
}

// next is the record after a refresh.
func (r *testRecord) next(token string) *testRecord {
	fresh := *r
	fresh.generation++
	fresh.token = token
	return &fresh
}

// testCodec stands for sealing.
var testCodec = Codec[*testRecord]{
	Seal: func(key string, r *testRecord) (string, error) {
		return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s %d %s", key, r.generation, r.token)), nil
	},
	Open: func(key, sealed string) (*testRecord, error) {
		text, err := base64.RawURLEncoding.DecodeString(sealed)
		if err != nil {
			return nil, err
		}
		r := alice(0)
		var name string
		if _, err := fmt.Sscanf(string(text), "%s %d %s", &name, &r.generation, &r.token); err != nil || name != key {
			return nil, errors.New("does not open")
		}
		return r, nil
	},
}

// alice returns the record of one session.
func alice(generation uint64) *testRecord {
	return &testRecord{
		id: memory.ID{1}, generation: generation, token: "login", begun: time.Now(), expiry: time.Now().Add(time.Hour),
		user: memory.OwnerOf(memory.OfUser, "https://a.test", "alice"),
	}
}

// A testEngine is a Coordinator in memory whose faults the test decides.
type testEngine struct {
	mu       sync.Mutex
	values   map[string]testValue
	watchers []chan string
	// before, if set, is called before each call, and decides its error.
	before    func(ctx context.Context, call string) error
	suspended bool
	late      []func() // swaps of a suspended engine
	// slow, if set, is called when a Load has read its values and does not return yet.
	slow func()
}

type testValue struct {
	value   []byte
	expires time.Time
}

func newTestEngine() *testEngine { return &testEngine{values: map[string]testValue{}} }

// instance returns an instance, which ends with the test.
func (e *testEngine) instance(t *testing.T) *Sessions[*testRecord] {
	s := New(e, testCodec, 8*time.Hour, 24*time.Hour, slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		s.Close(ctx)
	})
	return s
}

func (e *testEngine) called(ctx context.Context, call string) error {
	e.mu.Lock()
	before := e.before
	e.mu.Unlock()
	if before != nil {
		return before(ctx, call)
	}
	return nil
}

func (e *testEngine) fail(before func(ctx context.Context, call string) error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.before = before
}

// suspend makes each call fail. Swaps are carried out when the engine goes on.
func (e *testEngine) suspend() (resume func()) {
	e.mu.Lock()
	e.suspended = true
	e.mu.Unlock()
	e.fail(func(context.Context, string) error { return errDown })
	return func() {
		e.fail(nil)
		e.mu.Lock()
		late := e.late
		e.suspended, e.late = false, nil
		e.mu.Unlock()
		for _, swap := range late {
			swap()
		}
	}
}

func (e *testEngine) value(key string) []byte {
	if v, ok := e.values[key]; ok && time.Now().Before(v.expires) {
		return v.value
	}
	return nil
}

func (e *testEngine) get(key string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return string(e.value(key))
}

func kindOf(key string) string {
	kind, _, _ := strings.Cut(key, ":")
	return kind
}

func (e *testEngine) Load(ctx context.Context, keys ...string) ([][]byte, error) {
	if err := e.called(ctx, "load"); err != nil {
		return nil, err
	}
	e.mu.Lock()
	values := make([][]byte, len(keys))
	for i, key := range keys {
		values[i] = bytes.Clone(e.value(key))
	}
	slow := e.slow
	e.mu.Unlock()
	if slow != nil {
		slow()
	}
	return values, ctx.Err()
}

func (e *testEngine) Swap(ctx context.Context, key string, old, to []byte, ttl time.Duration, tell bool) (bool, error) {
	if err := e.called(ctx, kindOf(key)); err != nil {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.suspended {
			e.late = append(e.late, func() { _, _ = e.Swap(context.Background(), key, old, to, ttl, tell) })
		}
		return false, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !bytes.Equal(e.value(key), old) {
		return false, nil
	}
	delete(e.values, key)
	if to != nil {
		e.values[key] = testValue{bytes.Clone(to), time.Now().Add(ttl)}
	}
	for _, w := range e.watchers {
		if tell {
			w <- key
		}
	}
	return true, nil
}

func (e *testEngine) Watch(ctx context.Context, ready func(), changed func(key string)) error {
	if err := e.called(ctx, "watch"); err != nil {
		return err
	}
	heard := make(chan string, 1000)
	e.mu.Lock()
	e.watchers = append(e.watchers, heard)
	e.mu.Unlock()
	ready()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case key, ok := <-heard:
			if !ok {
				return errDown
			}
			changed(key)
		}
	}
}

// restart loses everything that the engine holds, and its connections.
func (e *testEngine) restart() {
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.values)
	for _, w := range e.watchers {
		close(w)
	}
	e.watchers = nil
}
