package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
)

const (
	publicOrigin = "https://dashboard.example.com"
	callbackPath = "/auth/callback"
)

var benchKey = []byte("not random, but this is a benchmark")

// Options returns the options of an application at origin that signs users in at
// p. The peers of the same benchmark use the same kind of client.
func (p *Provider) Options(origin string, client *http.Client) oauthlogin.Options {
	provider := oauthlogin.Provider{OAuth2: p.config(origin)}
	if p.size == Large {
		provider.Issuer, provider.OAuth2.Endpoint = p.Issuer, oauth2.Endpoint{}
		provider.OAuth2.Scopes = []string{"openid", "profile", "email"}
	} else {
		provider.Identify = func(ctx context.Context, client *http.Client) (oauthlogin.User, error) {
			user, raw, err := p.user(ctx, client)
			return oauthlogin.User{Subject: strconv.Itoa(user.ID), Name: user.Name, Email: user.Email, RawClaims: raw}, err
		}
	}
	return oauthlogin.Options{
		Providers:  []oauthlogin.Provider{provider},
		Keys:       [][]byte{benchKey},
		HTTPClient: client,
		Logger:     slog.New(slog.DiscardHandler),
	}
}

func (p *Provider) config(origin string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: ClientID, ClientSecret: clientSecret, RedirectURL: origin + callbackPath,
		Endpoint: oauth2.Endpoint{AuthURL: p.Issuer + "/authorize", TokenURL: p.Issuer + "/token", AuthStyle: oauth2.AuthStyleInParams},
	}
}

type smallProfile struct {
	Login string `json:"login"`
	ID    int    `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

// user requests the user of an access token; client adds the token.
func (p *Provider) user(ctx context.Context, client *http.Client) (user smallProfile, raw json.RawMessage, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.Issuer+"/user", nil)
	if err != nil {
		return user, nil, err
	}
	resp, err := client.Do(r)
	if err != nil {
		return user, nil, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&raw); err != nil {
		return user, nil, err
	}
	return user, raw, json.Unmarshal(raw, &user)
}

// A Login is an oauthlogin session: the cookies that the browser holds, and the
// session that a handler must see.
type Login struct {
	Cookies []*http.Cookie
	session *session
}

// Logins signs in n users with complete logins: through the login path, the
// provider and the callback path. Any Middleware from newMiddleware accepts the
// sessions.
func (p *Provider) Logins(n int) ([]Login, error) {
	var app http.Handler
	var seen *oauthlogin.Session
	auth, err := p.newMiddleware()
	if err != nil {
		return nil, err
	}
	app = auth.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen, _ = oauthlogin.FromContext(r.Context()) }))
	var issued *tokenResponse
	p.issued = func(t *tokenResponse) { issued = t }
	defer func() { p.issued = nil }()
	logins := make([]Login, n)
	for i := range logins {
		login := &logins[i]
		start := get(app, publicOrigin+"/login", nil)
		atProvider := get(p, start.Header.Get("Location"), nil)
		done := get(app, atProvider.Header.Get("Location"), start.Cookies())
		for _, c := range done.Cookies() {
			suffix, ours := strings.CutPrefix(c.Name, "__Host-oauthlogin")
			if ours && c.MaxAge > 0 && (suffix == "" || suffix[1] >= '0' && suffix[1] <= '9') {
				login.Cookies = append(login.Cookies, c)
			}
		}
		if len(login.Cookies) == 0 {
			return nil, unexpected(done)
		}
		seen = nil
		get(app, publicOrigin+"/", login.Cookies)
		if seen == nil {
			return nil, fmt.Errorf("bench: no session after login %d", i)
		}
		login.session = &session{
			Token:   &oauth2.Token{AccessToken: issued.AccessToken, TokenType: "Bearer", RefreshToken: issued.RefreshToken, Expiry: seen.Token().Expiry},
			IDToken: issued.IDToken, Name: seen.User.Name, Email: seen.User.Email, ID: seen.User.Subject,
		}
		login.session.Login, _, _ = strings.Cut(seen.User.Email, "@")
	}
	return logins, nil
}

func (p *Provider) newMiddleware() (*oauthlogin.Middleware, error) {
	return oauthlogin.New(p.Options(publicOrigin, &http.Client{Transport: inProcess{p}}))
}

func get(h http.Handler, target string, cookies []*http.Cookie) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, newRequest(target, cookies))
	return w.Result()
}

// newRequest returns a request like that of a browser.
func newRequest(target string, cookies []*http.Cookie) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Header.Set("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	for _, c := range cookies {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	return r
}
