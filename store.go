package oauthlogin

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gorilla/sessions"

	"github.com/oauthlogin/oauthlogin/internal/cookies"
	"github.com/oauthlogin/oauthlogin/internal/instances"
	"github.com/oauthlogin/oauthlogin/internal/memory"
	"github.com/oauthlogin/oauthlogin/internal/page"
)

// NewStore returns server sessions in a [Coordinator], for [Options.Store]: the browser has a
// random id, and the session is sealed with [Options.Keys] where the Coordinator has it. It is
// also the [Options.Coordinator], if there is no other.
//
// A request reads its session in one round trip, so that a session that has ended is refused at
// once everywhere, and a session may have 64 KiB of tokens and claims. While the Coordinator is
// unreachable, such sessions are unknown: protected routes respond 503, and no session ends.
//
// The store is for [Options.Store] alone: its own methods return errors.
func NewStore(c Coordinator) sessions.Store { return &coordinatorStore{c} }

type coordinatorStore struct{ coordinator Coordinator }

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

// An engineVault keeps sessions in the Coordinator of NewStore.
type engineVault struct {
	engine   *instances.Engine
	sessions *activeSessions
	// forgotten are ids whose sessions were to be deleted while the Coordinator was away.
	forgotten memory.Recent
}

func newEngineVault(store *coordinatorStore, s *activeSessions) *engineVault {
	return &engineVault{
		engine: instances.NewEngine(store.coordinator, s.log), sessions: s,
		forgotten: memory.Recent{MaxAge: s.lifetime, Max: 1 << 14},
	}
}

// idBytes is the length of an id in a cookie, before base64url.
const idBytes = 32

// key returns the key of a request's session, "" if it has none.
func (v *engineVault) key(r *http.Request) string {
	scheme := v.sessions.cookies
	if scheme.SentTwice(r) {
		return ""
	}
	cookie, err := r.Cookie(scheme.Session)
	if err != nil || len(cookie.Value) != base64.RawURLEncoding.EncodedLen(idBytes) {
		return ""
	}
	return instances.Key(instances.KindStored, cookie.Value)
}

func (v *engineVault) read(r *http.Request) (cookies.Value, error) {
	_, content, err := v.load(r)
	if err != nil || content == "" {
		return cookies.Value{}, err
	}
	return cookies.Whole(content), nil
}

// load returns the value of a request's session as the Coordinator has it, and what it
// opens to.
func (v *engineVault) load(r *http.Request) (value []byte, content string, err error) {
	key := v.key(r)
	if key == "" {
		return nil, "", nil
	}
	value, err = v.engine.Value(r.Context(), key)
	if err != nil {
		return nil, "", fmt.Errorf("read Options.Store: %w", err)
	}
	if value == nil || v.forgotten.Value(key) != "" {
		return nil, "", nil
	}
	return value, v.open(key, value), nil
}

// open returns "" for what does not open: another instance may have other keys.
func (v *engineVault) open(key string, value []byte) string {
	content, _, err := v.sessions.shared.Open(key, string(value))
	if err != nil {
		return ""
	}
	return string(content)
}

func (v *engineVault) start(w http.ResponseWriter, r *http.Request, sealed string, maxAge int) error {
	random := make([]byte, idBytes)
	rand.Read(random)
	id := base64.RawURLEncoding.EncodeToString(random)
	swapped, err := v.write(r.Context(), instances.Key(instances.KindStored, id), nil, sealed, maxAge)
	if err != nil {
		return err
	}
	if !swapped {
		return errors.New("save to Options.Store: a random id is taken")
	}
	v.setCookie(w, id, maxAge)
	return nil
}

func (v *engineVault) write(ctx context.Context, key string, old []byte, sealed string, maxAge int) (bool, error) {
	value, err := v.sessions.shared.Seal(key, []byte(sealed))
	if err != nil {
		return false, fmt.Errorf("save to Options.Store: %w", err)
	}
	swapped, err := v.engine.Swap(ctx, key, old, []byte(value), time.Duration(maxAge)*time.Second)
	if err != nil {
		return false, fmt.Errorf("save to Options.Store: %w", err)
	}
	return swapped, nil
}

func (v *engineVault) setCookie(w http.ResponseWriter, id string, maxAge int) {
	page.NoStore(w)
	v.sessions.cookies.Set(w, v.sessions.cookies.Session, id, maxAge)
}

// replace only replaces what is there: a session that a logout has deleted meanwhile stays
// deleted.
func (v *engineVault) replace(w http.ResponseWriter, r *http.Request, content func(string) (string, int, error)) error {
	const attempts = 4
	key := v.key(r)
	for range attempts {
		old, kept, err := v.load(r)
		if err != nil {
			return err
		}
		if old == nil {
			return errSessionEnded
		}
		sealed, maxAge, err := content(kept)
		if err != nil {
			return err
		}
		swapped, err := v.write(r.Context(), key, old, sealed, maxAge)
		if err != nil {
			return err
		}
		if swapped && w != nil {
			cookie, _ := r.Cookie(v.sessions.cookies.Session)
			v.setCookie(w, cookie.Value, maxAge)
		}
		if swapped {
			return nil
		}
	}
	return errChangesTooOften
}

// forget deletes the session of a request. While the Coordinator is away, this instance
// refuses it, and it ends for all when the Coordinator is back.
func (v *engineVault) forget(r *http.Request) {
	key := v.key(r)
	if key == "" || v.remove(r.Context(), key, false) == nil {
		return
	}
	v.forgotten.Add(key, "1")
	v.sessions.grants.Later(key, func(ctx context.Context) error { return v.remove(ctx, key, true) })
}

func (v *engineVault) remove(ctx context.Context, key string, end bool) error {
	const attempts = 4
	for range attempts {
		value, err := v.engine.Value(ctx, key)
		if err != nil || value == nil {
			return err
		}
		switch removed, err := v.engine.Swap(ctx, key, value, nil, time.Minute); {
		case err != nil:
			return err
		case !removed: // another request has saved it meanwhile
			continue
		case !end:
			return nil
		}
		sealed := cookies.Whole(v.open(key, value))
		if o, ok := v.sessions.open(&sealed); ok {
			v.sessions.grants.End(ctx, o.record, time.Now())
		}
		return nil
	}
	return errChangesTooOften
}

var errChangesTooOften = errors.New("save to Options.Store: the session changes too often")
