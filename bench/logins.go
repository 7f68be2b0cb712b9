package bench

import (
	"context"
	"encoding/gob"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/sessions"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	httphelper "github.com/zitadel/oidc/v3/pkg/http"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
)

// An Application signs users in at a [Provider] with small sessions. GET /login
// starts a login; GET /auth/callback completes it with a session cookie and a
// redirect.
type Application struct {
	Name string
	// New returns the handler of the application at origin. The application
	// calls the provider with client.
	New func(p *Provider, origin string, client *http.Client) (http.Handler, error)
}

// Applications returns two minimal applications that only send the unavoidable
// requests, then oauthlogin, then the peers.
func Applications() []Application {
	return []Application{
		{"ceiling: as many requests, nothing sealed, nothing checked", newBare(false)},
		{"the same, with the parameters of PKCE and client authentication", newBare(true)},
		{"oauthlogin", newOurs},
		{"zitadel/oidc rp with CookieHandler", newZitadelRP},
		{"gorilla/sessions and x/oauth2 by hand", newByHand},
	}
}

// NewClient returns the client with which an application calls the provider. It
// keeps more idle connections than the two per host of net/http's default
// transport, which would slow down concurrent logins.
func NewClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: 32},
		Timeout:   10 * time.Second,
	}
}

func newOurs(p *Provider, origin string, client *http.Client) (http.Handler, error) {
	auth, err := oauthlogin.New(p.Options(origin, client))
	if err != nil {
		return nil, err
	}
	return auth.Handler(http.NotFoundHandler()), nil
}

// newBare returns a minimal application that redeems the code and requests the
// user. With full, it sends as many parameters as oauthlogin does, all generated
// in advance.
func newBare(full bool) func(*Provider, string, *http.Client) (http.Handler, error) {
	return func(p *Provider, origin string, client *http.Client) (http.Handler, error) {
		config := p.config(origin)
		location := config.AuthCodeURL("state")
		form := "grant_type=authorization_code&code=code&client_id=" + ClientID
		if full {
			verifier := oauth2.GenerateVerifier()
			location = config.AuthCodeURL(oauth2.GenerateVerifier(), oauth2.S256ChallengeOption(verifier))
			form = url.Values{
				"grant_type": {"authorization_code"}, "code": {randomText(16)}, "redirect_uri": {config.RedirectURL}, "code_verifier": {verifier},
				"client_id": {ClientID}, "client_secret": {clientSecret},
			}.Encode()
		}
		return bare(p, client, location, config.Endpoint.TokenURL, form), nil
	}
}

func bare(p *Provider, client *http.Client, location, tokenURL, form string) http.Handler {
	return loginRoutes(
		func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusSeeOther)
		},
		func(w http.ResponseWriter, r *http.Request) {
			req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, tokenURL, strings.NewReader(form))
			if err != nil {
				fail(w, err)
				return
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			resp, err := client.Do(req)
			if err != nil {
				fail(w, err)
				return
			}
			var t tokenResponse
			err = json.NewDecoder(resp.Body).Decode(&t)
			resp.Body.Close()
			if err == nil {
				_, _, err = p.user(r.Context(), client)
			}
			if err != nil {
				fail(w, err)
				return
			}
			w.Header().Set("Set-Cookie", "session="+t.AccessToken)
			home(w)
		},
	)
}

func newZitadelRP(p *Provider, origin string, client *http.Client) (http.Handler, error) {
	cookies := httphelper.NewCookieHandler(hashKey, blockKey, httphelper.WithUnsecure())
	party, err := rp.NewRelyingPartyOAuth(p.config(origin), rp.WithCookieHandler(cookies), rp.WithPKCE(cookies), rp.WithHTTPClient(client))
	if err != nil {
		return nil, err
	}
	callback := func(w http.ResponseWriter, r *http.Request, t *oidc.Tokens[*oidc.IDTokenClaims], _ string, _ rp.RelyingParty) {
		user, err := p.whois(r.Context(), client, t.Token)
		if err == nil {
			err = saveZitadel(cookies, w, user)
		}
		if err != nil {
			fail(w, err)
			return
		}
		home(w)
	}
	return loginRoutes(rp.AuthURLHandler(func() string { return randomText(16) }, party), rp.CodeExchangeHandler(callback, party)), nil
}

// newByHand follows the documentation of both libraries and adds PKCE.
func newByHand(p *Provider, origin string, client *http.Client) (http.Handler, error) {
	gob.Register(&oauth2.Token{})
	store := sessions.NewCookieStore(hashKey, blockKey)
	store.Options.Secure = false
	config := p.config(origin)
	const flow = "flow"
	return loginRoutes(
		func(w http.ResponseWriter, r *http.Request) {
			kept, _ := store.New(r, flow)
			state, verifier := randomText(16), oauth2.GenerateVerifier()
			kept.Values["state"], kept.Values["verifier"] = state, verifier
			if err := kept.Save(r, w); err != nil {
				fail(w, err)
				return
			}
			http.Redirect(w, r, config.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier)), http.StatusSeeOther)
		},
		func(w http.ResponseWriter, r *http.Request) {
			kept, err := store.New(r, flow)
			if err != nil || kept.Values["state"] != r.FormValue("state") {
				fail(w, errNoSession)
				return
			}
			verifier, _ := kept.Values["verifier"].(string)
			t, err := config.Exchange(context.WithValue(r.Context(), oauth2.HTTPClient, client), r.FormValue("code"), oauth2.VerifierOption(verifier))
			if err != nil {
				fail(w, err)
				return
			}
			user, err := p.whois(r.Context(), client, t)
			if err == nil {
				err = saveGorilla(store, w, r, user)
			}
			if err != nil {
				fail(w, err)
				return
			}
			home(w)
		},
	), nil
}

// whois requests the user of a token and returns a session.
func (p *Provider) whois(ctx context.Context, client *http.Client, t *oauth2.Token) (*session, error) {
	user, _, err := p.user(ctx, &http.Client{Transport: &oauth2.Transport{Source: oauth2.StaticTokenSource(t), Base: client.Transport}})
	return &session{Token: t, Login: user.Login, Name: user.Name, Email: user.Email, ID: strconv.Itoa(user.ID)}, err
}

func loginRoutes(login, callback http.HandlerFunc) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /login", login)
	mux.Handle("GET "+callbackPath, callback)
	return mux
}

func home(w http.ResponseWriter) {
	w.Header().Set("Location", "/")
	w.WriteHeader(http.StatusSeeOther)
}

func fail(w http.ResponseWriter, err error) {
	http.Error(w, err.Error(), http.StatusInternalServerError)
}
