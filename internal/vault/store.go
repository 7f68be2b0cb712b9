package vault

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"github.com/oauthlogin/oauthlogin/internal/cookies"
	"github.com/oauthlogin/oauthlogin/internal/instances"
	"github.com/oauthlogin/oauthlogin/internal/memory"
	"github.com/oauthlogin/oauthlogin/internal/page"
)

// A Store keeps sessions in Options.Store, sealed as one string.
type Store struct {
	store   sessions.Store
	cookies *cookies.Scheme
	log     *slog.Logger
	alarms  memory.Recent // what was logged as an error: strangers can cause it
}

// NewStore returns the vault of a gorilla store.
func NewStore(scheme *cookies.Scheme, store sessions.Store, log *slog.Logger) *Store {
	return &Store{store: store, cookies: scheme, log: log, alarms: memory.Recent{MaxAge: time.Minute}}
}

// valueKey is where a gorilla session keeps the sealed session.
const valueKey = "oauthlogin"

// ErrTooLarge is the error of a session that is over a limit of the store.
var ErrTooLarge = errors.New("session is too large for Options.Store")

func (v *Store) Read(r *http.Request) (cookies.Value, error) {
	if v.cookies.SentTwice(r) { // a store would take the first
		return cookies.Value{}, nil
	}
	stored, err := v.store.New(r, v.cookies.Session)
	if err != nil {
		if onlyThisCookie(err) {
			return cookies.Value{}, nil
		}
		return cookies.Value{}, fmt.Errorf("read Options.Store: %s", withoutID(stored, err))
	}
	if stored == nil || stored.IsNew {
		return cookies.Value{}, nil
	}
	sealed, _ := stored.Values[valueKey].(string)
	return cookies.Whole(sealed), nil
}

func (v *Store) Start(w http.ResponseWriter, r *http.Request, sealed string, maxAge int) error {
	// A new session gets a new id: nothing that was known before the login names
	// it (session fixation).
	return v.write(w, r, sessions.NewSession(v.store, v.cookies.Session), sealed, maxAge)
}

func (v *Store) Replace(w http.ResponseWriter, r *http.Request, content func(string) (string, int, error)) error {
	stored, err := v.store.New(r, v.cookies.Session)
	if err != nil {
		return fmt.Errorf("read Options.Store: %s", withoutID(stored, err))
	}
	if stored == nil || stored.IsNew {
		return instances.ErrEnded
	}
	kept, _ := stored.Values[valueKey].(string)
	sealed, maxAge, err := content(kept)
	if err != nil {
		return err
	}
	if w == nil {
		w = page.Discard{}
	}
	return v.write(w, r, stored, sealed, maxAge)
}

func (v *Store) write(w http.ResponseWriter, r *http.Request, stored *sessions.Session, sealed string, maxAge int) error {
	stored.Options = v.options(maxAge)
	stored.Values = map[any]any{valueKey: sealed}
	page.NoStore(w)
	v.cookies.Unset(w, v.cookies.Session)
	if err := v.store.Save(r, w, stored); err != nil {
		// securecookie, and with it most stores, limits the size of values.
		if text := err.Error(); strings.Contains(text, "too long") || strings.Contains(text, "too big") {
			return fmt.Errorf("%w (%s); raise its limit, for example with its MaxLength or SetMaxLength method", ErrTooLarge, withoutID(stored, err))
		}
		return fmt.Errorf("save to Options.Store: %s", withoutID(stored, err))
	}
	return nil
}

func (v *Store) Forget(r *http.Request) {
	stored, err := v.store.New(r, v.cookies.Session)
	if err == nil && (stored == nil || stored.IsNew) || err != nil && onlyThisCookie(err) {
		return
	}
	if err == nil {
		stored.Options = v.options(-1)
		clear(stored.Values)
		// The store's own deletion cookie is dropped: there is one Set-Cookie for each name,
		// and the package writes it.
		err = v.store.Save(r, page.Discard{}, stored)
	}
	if err != nil {
		log := v.log.InfoContext
		if v.alarms.Add("delete", "") {
			log = v.log.ErrorContext
		}
		log(r.Context(), "oauthlogin: session not deleted from Options.Store", "error", withoutID(stored, err))
	}
}

// options are the attributes of the session cookie.
func (v *Store) options(maxAge int) *sessions.Options {
	return &sessions.Options{Path: "/", MaxAge: maxAge, Secure: v.cookies.Secure, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// onlyThisCookie reports whether a store's error is the fault of the request's
// cookie: it does not decode, or its session is not there any more. Any other error
// would meet another cookie as well, and says nothing of the session.
func onlyThisCookie(err error) bool {
	var (
		undecodable securecookie.Error
		notBase64   base64.CorruptInputError
		notJSON     *json.SyntaxError
		otherJSON   *json.UnmarshalTypeError
	)
	switch {
	case errors.Is(err, fs.ErrNotExist),
		errors.As(err, &undecodable) && undecodable.IsDecode(),
		errors.As(err, &notBase64), errors.As(err, &notJSON), errors.As(err, &otherJSON):
		return true
	}
	// Errors without a type to tell them by.
	text := err.Error()
	return slices.ContainsFunc([]string{"gob: ", "redis: nil", "redigo: nil returned", "sql: no rows in result set"},
		func(part string) bool { return strings.Contains(text, part) })
}

// withoutID is the text of a store's error without the session's id, which some
// stores name it by.
func withoutID(stored *sessions.Session, err error) string {
	if stored == nil || stored.ID == "" {
		return err.Error()
	}
	return strings.ReplaceAll(err.Error(), stored.ID, "[id]")
}
