package oauthlogintest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// logoutTokenTTL is what OpenID Connect Back-Channel Logout 1.0 section 2.4 recommends.
const logoutTokenTTL = 2 * time.Minute

// LogOut ends all sessions of a user at the Provider, as an administrator does, and sends
// a logout token with sub and without sid to the BackChannelLogoutURI of each client
// (OpenID Connect Back-Channel Logout 1.0). It returns when all have responded, with an
// error if one did not accept its token, or if no client has such a URI. It revokes no
// token. To end one session, use [Browser.SignOutAtProvider].
func (p *Provider) LogOut(subject string) error {
	p.store.update(p.config.Now(), func() {
		for id, s := range p.store.sessions {
			if s.subject == subject {
				delete(p.store.sessions, id)
			}
		}
	})
	return p.sendLogoutTokens(subject, "")
}

// SignOutAtProvider ends the session that the browser has at the [Provider], as if the
// user had signed out at another application. The Provider sends a logout token with sub
// and sid, as [Provider.LogOut] does. It fails the test if the application does not accept
// the token, or if no user is signed in at the Provider in this browser.
func (b *Browser) SignOutAtProvider() {
	b.site.t.Helper()
	p := b.site.Provider
	r, err := request{method: http.MethodGet, url: parse(p.endpointURL(authorizationPath))}.http(b.site.t.Context())
	if err != nil {
		b.site.t.Fatalf("oauthlogintest: %v", err)
	}
	r.Header.Set("Cookie", b.jar.header(r, false))
	s, ok := p.currentSession(r)
	if !ok {
		b.site.t.Fatal("oauthlogintest: the browser has no session at the provider")
	}
	p.forgetSession(r)
	if err := p.sendLogoutTokens(s.subject, s.sid); err != nil {
		b.site.t.Fatal(err)
	}
}

// LogoutToken returns a new logout token for a client, without sub or sid if they are
// empty, after [Provider.EditLogoutToken]: to be sent by the test itself.
func (p *Provider) LogoutToken(clientID, subject, sid string) string {
	now := p.config.Now()
	claims := map[string]any{
		"iss":    p.config.Issuer,
		"aud":    clientID,
		"iat":    now.Unix(),
		"exp":    now.Add(logoutTokenTTL).Unix(),
		"jti":    rand.Text(),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
	if subject != "" {
		claims["sub"] = subject
	}
	if sid != "" {
		claims["sid"] = sid
	}
	key := p.keys.current()
	header := key.header("logout+jwt")
	if f := p.hook().editLogoutToken; f != nil {
		f(header, claims)
	}
	secret := ""
	if client := p.client(clientID); client != nil {
		secret = client.Secret
	}
	return key.signAs(header, claims, secret)
}

func (p *Provider) sendLogoutTokens(subject, sid string) error {
	p.mu.RLock()
	clients := slices.DeleteFunc(slices.Clone(p.clients), func(c *Client) bool { return c.BackChannelLogoutURI == "" })
	p.mu.RUnlock()
	if len(clients) == 0 {
		return errors.New("oauthlogintest: no client has a BackChannelLogoutURI")
	}
	var errs []error
	for _, client := range clients {
		errs = append(errs, p.sendLogoutToken(client, p.LogoutToken(client.ID, subject, sid)))
	}
	return errors.Join(errs...)
}

// sendLogoutToken sends a back-channel logout request (section 2.5).
func (p *Provider) sendLogoutToken(client *Client, token string) error {
	sender := p.HTTPClient()
	sender.Timeout = responseTimeout
	sender.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := sender.PostForm(client.BackChannelLogoutURI, url.Values{"logout_token": {token}})
	if err != nil {
		return fmt.Errorf("oauthlogintest: send logout token: %w", err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusNoContent { // section 2.8
		return fmt.Errorf("oauthlogintest: %s responds to the logout token with %d: %s", client.BackChannelLogoutURI, resp.StatusCode, body)
	}
	return nil
}
