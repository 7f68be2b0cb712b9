// Package identity reads from the tokens of a provider who signed in: at a login, at a refresh,
// and when user info is read later.
package identity

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/oauthlogin/oauthlogin/internal/dpop"
	"github.com/oauthlogin/oauthlogin/internal/protocol"
	"github.com/oauthlogin/oauthlogin/internal/record"
)

// A Source is where identities come from: a provider, as far as it says who signed in.
type Source struct {
	Tag    record.ProviderTag
	Client *protocol.Client
	config Config
}

// A Config says how a provider tells who signed in.
type Config struct {
	Name           string // of the provider
	Issuer         string // of its users, where an ID token does not name another
	ClientID       string
	OpenID         bool                                                                // it issues ID tokens
	Identify       func(ctx context.Context, client *http.Client) (record.User, error) // without ID tokens
	AlwaysUserInfo bool                                                                // ask for user info at every login and refresh
	Apple          bool                                                                // it writes booleans as strings
	Transport      *protocol.Transport
	Log            *slog.Logger
}

// New returns the source of a provider.
func New(client *protocol.Client, config Config) *Source {
	s := &Source{Client: client, config: config}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q", config.Name, config.Issuer, config.ClientID))
	copy(s.Tag[:], sum[:])
	return s
}

// UserIssuer is the issuer of users whose ID token does not name another.
func (s *Source) UserIssuer() string { return s.config.Issuer }

// ClientWith returns a client that sends an access token, which is bound to key if that is not nil.
func (s *Source) ClientWith(accessToken string, key *dpop.Key) *http.Client {
	return &http.Client{Transport: s.config.Transport.WithToken(accessToken, key)}
}

// NewRecord returns a new session of a user of the provider.
func (s *Source) NewRecord(user record.User, t *protocol.Tokens) *record.Record {
	rec := record.New(s.Tag, user, t)
	rec.User.Provider = s.config.Name
	if user.Issuer != s.config.Issuer {
		rec.Extra.Issuer = user.Issuer
	}
	return rec
}

// Complete fills in what a sealed record leaves out of its user, because the provider says it.
func (s *Source) Complete(rec *record.Record) {
	rec.User.Provider, rec.User.Issuer = s.config.Name, cmp.Or(rec.Extra.Issuer, s.config.Issuer)
}
