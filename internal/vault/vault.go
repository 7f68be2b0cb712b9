// Package vault keeps the sealed session of a browser: in its cookies, in a gorilla store, or in
// a Coordinator.
package vault

import (
	"net/http"

	"github.com/oauthlogin/oauthlogin/internal/cookies"
	"github.com/oauthlogin/oauthlogin/internal/instances"
)

// A Vault keeps the sealed session of a browser.
type Vault interface {
	// Read returns the sealed session of a request, zero if there is none. An error
	// means that it is unknown.
	Read(r *http.Request) (cookies.Value, error)
	// Start writes a new session, and forgets none.
	Start(w http.ResponseWriter, r *http.Request, sealed string, maxAge int) error
	// Replace writes the session of a request again. It asks for the content once it has
	// found the session, and passes what the server keeps of it, "" if that is nothing.
	// Without w it writes only what is kept on the server. If a logout has ended the session
	// meanwhile, the error is [instances.ErrEnded].
	Replace(w http.ResponseWriter, r *http.Request, content func(kept string) (sealed string, maxAge int, err error)) error
	// Forget deletes what is kept on the server.
	Forget(r *http.Request)
}

// Cookies keeps the whole session in cookies.
type Cookies struct {
	cookies *cookies.Scheme
}

// NewCookies returns the vault of sessions without a store.
func NewCookies(scheme *cookies.Scheme) *Cookies { return &Cookies{scheme} }

func (v *Cookies) Read(r *http.Request) (cookies.Value, error) { return v.cookies.Read(r), nil }

func (v *Cookies) Start(w http.ResponseWriter, r *http.Request, sealed string, maxAge int) error {
	return v.cookies.Write(w, r, sealed, maxAge)
}

func (v *Cookies) Replace(w http.ResponseWriter, r *http.Request, content func(string) (string, int, error)) error {
	if w == nil {
		return nil
	}
	if value := v.cookies.Read(r); value.IsZero() {
		return instances.ErrEnded
	}
	sealed, maxAge, err := content("")
	if err != nil {
		return err
	}
	return v.Start(w, r, sealed, maxAge)
}

func (v *Cookies) Forget(*http.Request) {}
