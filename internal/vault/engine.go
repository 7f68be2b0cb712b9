package vault

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/cookies"
	"github.com/oauthlogin/oauthlogin/internal/instances"
	"github.com/oauthlogin/oauthlogin/internal/memory"
	"github.com/oauthlogin/oauthlogin/internal/page"
	"github.com/oauthlogin/oauthlogin/internal/seal"
)

// An Engine keeps sessions in a Coordinator.
type Engine struct {
	cookies *cookies.Scheme
	engine  *instances.Engine
	sealer  *seal.Sealer
	ender   Ender
	// forgotten are ids whose sessions were to be deleted while the Coordinator was unreachable.
	forgotten memory.Recent
}

// An Ender ends sessions that could not be deleted when they were to be.
type Ender interface {
	// Later calls do until it returns no error.
	Later(key string, do func(context.Context) error)
	// EndSealed ends the session of a sealed value.
	EndSealed(ctx context.Context, sealed string)
}

// NewEngine returns the vault of a Coordinator, in which sessions live as long as
// lifetime at most.
func NewEngine(scheme *cookies.Scheme, engine *instances.Engine, sealer *seal.Sealer, ender Ender, lifetime time.Duration) *Engine {
	return &Engine{
		cookies: scheme, engine: engine, sealer: sealer, ender: ender,
		forgotten: memory.Recent{MaxAge: lifetime, Max: 1 << 14},
	}
}

// idBytes is the length of an id in a cookie, before base64url.
const idBytes = 32

// key returns the key of a request's session, "" if it has none.
func (v *Engine) key(r *http.Request) string {
	if v.cookies.SentTwice(r) {
		return ""
	}
	cookie, err := r.Cookie(v.cookies.Session)
	if err != nil || len(cookie.Value) != base64.RawURLEncoding.EncodedLen(idBytes) {
		return ""
	}
	return instances.Key(instances.KindStored, cookie.Value)
}

func (v *Engine) Read(r *http.Request) (cookies.Value, error) {
	_, content, err := v.load(r)
	if err != nil || content == "" {
		return cookies.Value{}, err
	}
	return cookies.Whole(content), nil
}

// load returns the value of a request's session as the Coordinator has it, and what it
// opens to.
func (v *Engine) load(r *http.Request) (value []byte, content string, err error) {
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
func (v *Engine) open(key string, value []byte) string {
	content, _, err := v.sealer.Open(key, string(value))
	if err != nil {
		return ""
	}
	return string(content)
}

func (v *Engine) Start(w http.ResponseWriter, r *http.Request, sealed string, maxAge int) error {
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

func (v *Engine) write(ctx context.Context, key string, old []byte, sealed string, maxAge int) (bool, error) {
	value, err := v.sealer.Seal(key, []byte(sealed))
	if err != nil {
		return false, fmt.Errorf("save to Options.Store: %w", err)
	}
	swapped, err := v.engine.Swap(ctx, key, old, []byte(value), time.Duration(maxAge)*time.Second)
	if err != nil {
		return false, fmt.Errorf("save to Options.Store: %w", err)
	}
	return swapped, nil
}

func (v *Engine) setCookie(w http.ResponseWriter, id string, maxAge int) {
	page.NoStore(w)
	v.cookies.Set(w, v.cookies.Session, id, maxAge)
}

// Replace only replaces what is there: a session that a logout has deleted meanwhile stays
// deleted.
func (v *Engine) Replace(w http.ResponseWriter, r *http.Request, content func(string) (string, int, error)) error {
	const attempts = 4
	key := v.key(r)
	for range attempts {
		old, kept, err := v.load(r)
		if err != nil {
			return err
		}
		if old == nil {
			return instances.ErrEnded
		}
		sealed, maxAge, err := content(kept)
		if err != nil {
			return err
		}
		swapped, err := v.write(r.Context(), key, old, sealed, maxAge)
		if err != nil {
			return err
		}
		if !swapped { // another request has saved it meanwhile
			continue
		}
		if w != nil {
			cookie, _ := r.Cookie(v.cookies.Session)
			v.setCookie(w, cookie.Value, maxAge)
		}
		return nil
	}
	return errChangesTooOften
}

// Forget deletes the session of a request. While the Coordinator is unreachable, this instance
// refuses it; the others do once the Coordinator responds again.
func (v *Engine) Forget(r *http.Request) {
	key := v.key(r)
	if key == "" || v.remove(r.Context(), key, false) == nil {
		return
	}
	v.forgotten.Add(key, "1")
	v.ender.Later(key, func(ctx context.Context) error { return v.remove(ctx, key, true) })
}

func (v *Engine) remove(ctx context.Context, key string, end bool) error {
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
		v.ender.EndSealed(ctx, v.open(key, value))
		return nil
	}
	return errChangesTooOften
}

var errChangesTooOften = errors.New("save to Options.Store: the session changes too often")
