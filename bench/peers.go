package bench

import (
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"

	"github.com/alexedwards/scs/v2"
	"github.com/go-jose/go-jose/v4"
	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"
	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwe"
	"github.com/markbates/goth"
	"github.com/markbates/goth/gothic"
	httphelper "github.com/zitadel/oidc/v3/pkg/http"
	"golang.org/x/oauth2"
)

// A session is the data that each peer stores: the same as oauthlogin stores for
// the login.
type session struct {
	Token   *oauth2.Token
	IDToken string
	Login   string
	Name    string
	Email   string
	ID      string

	packed []byte // from a peer that does not decode: the tail of the access token, then padding
}

// A peer is another way to load the session of a request.
type peer struct {
	name string
	// store returns the cookies of a session.
	store func(*session) ([]*http.Cookie, error)
	// load returns the session of a request.
	load func(*http.Request) (*session, error)
	// around, if not nil, must wrap the handler that calls load.
	around func(http.Handler) http.Handler
}

const peerCookie = "session"

var (
	hashKey  = []byte("0123456789abcdef0123456789abcdef")
	blockKey = []byte("fedcba9876543210fedcba9876543210")
)

// peers returns new peers, which share no server-side sessions with earlier ones.
func peers() []peer {
	return []peer{gorillaGob(), secureCookieJSON(), zitadelCookies(), goJoseJWE(), jwxJWE(), scsMemory(), gothSession()}
}

// written calls write and returns the cookies that it sets.
func written(write func(http.ResponseWriter, *http.Request) error) ([]*http.Cookie, error) {
	w := httptest.NewRecorder()
	if err := write(w, newRequest(publicOrigin+"/", nil)); err != nil {
		return nil, err
	}
	return w.Result().Cookies(), nil
}

var errNoSession = errors.New("bench: no session")

// gorillaGob uses gorilla/sessions as its documentation recommends.
func gorillaGob() peer {
	gob.Register(&oauth2.Token{})
	store := sessions.NewCookieStore(hashKey, blockKey)
	return peer{
		name: "gorilla/sessions CookieStore, gob",
		store: func(s *session) ([]*http.Cookie, error) {
			return written(func(w http.ResponseWriter, r *http.Request) error { return saveGorilla(store, w, r, s) })
		},
		load: func(r *http.Request) (*session, error) { return loadGorilla(store, r) },
	}
}

func saveGorilla(store sessions.Store, w http.ResponseWriter, r *http.Request, s *session) error {
	kept, err := store.New(r, peerCookie)
	if err != nil {
		return err
	}
	kept.Values["token"] = s.Token
	if s.IDToken != "" {
		kept.Values["id_token"] = s.IDToken
	}
	kept.Values["login"], kept.Values["name"], kept.Values["email"], kept.Values["id"] = s.Login, s.Name, s.Email, s.ID
	return kept.Save(r, w)
}

func loadGorilla(store sessions.Store, r *http.Request) (*session, error) {
	kept, err := store.Get(r, peerCookie)
	if err != nil {
		return nil, err
	}
	s := &session{}
	var ok bool
	if s.Token, ok = kept.Values["token"].(*oauth2.Token); !ok {
		return nil, errNoSession
	}
	s.IDToken, _ = kept.Values["id_token"].(string)
	s.Login, _ = kept.Values["login"].(string)
	s.Name, _ = kept.Values["name"].(string)
	s.Email, _ = kept.Values["email"].(string)
	s.ID, _ = kept.Values["id"].(string)
	return s, nil
}

func secureCookieJSON() peer {
	codec := securecookie.New(hashKey, blockKey).SetSerializer(securecookie.JSONEncoder{}).MaxLength(0)
	return peer{
		name: "securecookie, JSONEncoder, limit lifted",
		store: func(s *session) ([]*http.Cookie, error) {
			value, err := codec.Encode(peerCookie, s)
			return []*http.Cookie{{Name: peerCookie, Value: value}}, err
		},
		load: func(r *http.Request) (*session, error) {
			c, err := r.Cookie(peerCookie)
			if err != nil {
				return nil, err
			}
			s := &session{}
			return s, codec.Decode(peerCookie, c.Value, s)
		},
	}
}

func zitadelCookies() peer {
	handler := httphelper.NewCookieHandler(hashKey, blockKey)
	return peer{
		name: "zitadel/oidc CookieHandler, JSON",
		store: func(s *session) ([]*http.Cookie, error) {
			return written(func(w http.ResponseWriter, _ *http.Request) error { return saveZitadel(handler, w, s) })
		},
		load: func(r *http.Request) (*session, error) {
			value, err := handler.CheckCookie(r, peerCookie)
			if err != nil {
				return nil, err
			}
			return unmarshal([]byte(value))
		},
	}
}

func saveZitadel(handler *httphelper.CookieHandler, w http.ResponseWriter, s *session) error {
	value, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return handler.SetCookie(w, peerCookie, string(value))
}

func unmarshal(b []byte) (*session, error) {
	s := &session{}
	return s, json.Unmarshal(b, s)
}

// jwePeer stores the session in a JWE.
func jwePeer(name string, encrypt func([]byte) (string, error), decrypt func(string) ([]byte, error)) peer {
	return peer{
		name: name,
		store: func(s *session) ([]*http.Cookie, error) {
			plain, err := json.Marshal(s)
			if err != nil {
				return nil, err
			}
			value, err := encrypt(plain)
			return []*http.Cookie{{Name: peerCookie, Value: value}}, err
		},
		load: func(r *http.Request) (*session, error) {
			c, err := r.Cookie(peerCookie)
			if err != nil {
				return nil, err
			}
			plain, err := decrypt(c.Value)
			if err != nil {
				return nil, err
			}
			return unmarshal(plain)
		},
	}
}

func goJoseJWE() peer {
	return jwePeer("go-jose v4 JWE, dir, A256GCM, JSON",
		func(plain []byte) (string, error) {
			encrypter, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.DIRECT, Key: blockKey}, nil)
			if err != nil {
				return "", err
			}
			sealed, err := encrypter.Encrypt(plain)
			if err != nil {
				return "", err
			}
			return sealed.CompactSerialize()
		},
		func(value string) ([]byte, error) {
			sealed, err := jose.ParseEncryptedCompact(value, []jose.KeyAlgorithm{jose.DIRECT}, []jose.ContentEncryption{jose.A256GCM})
			if err != nil {
				return nil, err
			}
			return sealed.Decrypt(blockKey)
		})
}

func jwxJWE() peer {
	return jwePeer("jwx v3 JWE, dir, A256GCM, JSON",
		func(plain []byte) (string, error) {
			sealed, err := jwe.Encrypt(plain, jwe.WithKey(jwa.DIRECT(), blockKey), jwe.WithContentEncryption(jwa.A256GCM()))
			return string(sealed), err
		},
		func(value string) ([]byte, error) {
			return jwe.Decrypt([]byte(value), jwe.WithKey(jwa.DIRECT(), blockKey))
		})
}

// scsMemory stores sessions on the server; the cookie holds a random token.
func scsMemory() peer {
	manager := scs.New()
	gob.Register(&session{})
	return peer{
		name: "alexedwards/scs v2, memstore",
		store: func(s *session) (cookies []*http.Cookie, err error) {
			w := httptest.NewRecorder()
			manager.LoadAndSave(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				manager.Put(r.Context(), "session", s)
			})).ServeHTTP(w, newRequest(publicOrigin+"/", nil))
			return w.Result().Cookies(), nil
		},
		load: func(r *http.Request) (*session, error) {
			s, ok := manager.Get(r.Context(), "session").(*session)
			if !ok {
				return nil, errNoSession
			}
			return s, nil
		},
		around: manager.LoadAndSave,
	}
}

// gothSession stores a goth.User as JSON in the session store of gothic.
func gothSession() peer {
	gothic.Store = sessions.NewCookieStore(hashKey, blockKey)
	return peer{
		name: "goth gothic.GetFromSession, JSON",
		store: func(s *session) ([]*http.Cookie, error) {
			return written(func(w http.ResponseWriter, r *http.Request) error {
				value, err := json.Marshal(goth.User{
					Provider: "github", UserID: s.ID, NickName: s.Login, Name: s.Name, Email: s.Email,
					AccessToken: s.Token.AccessToken, RefreshToken: s.Token.RefreshToken, IDToken: s.IDToken, ExpiresAt: s.Token.Expiry,
				})
				if err != nil {
					return err
				}
				return gothic.StoreInSession("user", string(value), r, w)
			})
		},
		load: func(r *http.Request) (*session, error) {
			value, err := gothic.GetFromSession("user", r)
			if err != nil {
				return nil, err
			}
			var u goth.User
			if err := json.Unmarshal([]byte(value), &u); err != nil {
				return nil, err
			}
			return &session{
				Token:   &oauth2.Token{AccessToken: u.AccessToken, RefreshToken: u.RefreshToken, Expiry: u.ExpiresAt},
				IDToken: u.IDToken, Login: u.NickName, Name: u.Name, Email: u.Email, ID: u.UserID,
			}, nil
		},
	}
}

type contextKey struct{}

// protect passes requests with a session on to next, with the session in the
// context, and rejects all others.
func (p *peer) protect(next http.Handler) http.Handler {
	var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := p.load(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, s)))
	})
	if p.around != nil {
		h = p.around(h)
	}
	return h
}

// nopEncoder measures only the cryptography and base64 of securecookie: it opens
// padding that makes the cookie as long as the given length.
func nopEncoder(cookieBytes int) (peer, error) {
	codec := securecookie.New(hashKey, blockKey).SetSerializer(securecookie.NopEncoder{}).MaxLength(0)
	plain := make([]byte, 0, cookieBytes)
	for {
		value, err := codec.Encode(peerCookie, plain)
		if err != nil {
			return peer{}, err
		}
		if len(peerCookie)+1+len(value) >= cookieBytes {
			break
		}
		plain = append(plain, 'x')
	}
	return peer{
		name: "securecookie, NopEncoder, as many bytes of cookie as ours",
		store: func(s *session) ([]*http.Cookie, error) {
			copy(plain, tail(s.Token.AccessToken))
			value, err := codec.Encode(peerCookie, plain)
			return []*http.Cookie{{Name: peerCookie, Value: value}}, err
		},
		load: func(r *http.Request) (*session, error) {
			c, err := r.Cookie(peerCookie)
			if err != nil {
				return nil, err
			}
			var opened []byte
			if err := codec.Decode(peerCookie, c.Value, &opened); err != nil {
				return nil, err
			}
			return &session{packed: opened}, nil
		},
	}, nil
}

// tailBytes is the length of the suffix that identifies an access token.
const tailBytes = 32

func tail(token string) string { return token[len(token)-tailBytes:] }
