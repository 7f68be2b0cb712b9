package main

import (
	"crypto/rand"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
	"golang.org/x/oauth2"
)

// A demoConfig says what the demo shows.
type demoConfig struct {
	partner     bool // a second provider, so that users have to choose
	dpop        bool // the providers bind tokens to keys
	forgetUsers bool // the providers show their sign-in page at every login
}

// A demo is an OpenID provider in this process, on its own port, where anyone
// can sign in under any name. It keeps its state in memory.
type demo struct {
	login  oauthlogin.Provider
	server *http.Server
}

// demoUsers are on the sign-in page of the demo provider. The page /admin is for
// the group admin.
func demoUsers() []oauthlogintest.User {
	return []oauthlogintest.User{
		demoUser("alice", "Alice Archer", "example.com", "admin", "staff"),
		demoUser("bob", "Bob Baker", "example.com", "admin"),
		demoUser("carol", "Carol Carpenter", "example.com", "staff"),
	}
}

// partnerUsers are on that of the second one. What it says about groups does not
// count.
func partnerUsers() []oauthlogintest.User {
	return []oauthlogintest.User{
		demoUser("dave", "Dave Draper", "partner.example", "admin"),
		demoUser("erin", "Erin Engraver", "partner.example", "staff"),
	}
}

func demoUser(subject, name, domain string, groups ...string) oauthlogintest.User {
	return oauthlogintest.User{
		Subject: subject, Name: name, Email: subject + "@" + domain, EmailVerified: true,
		Claims: map[string]any{"groups": groups},
	}
}

// startDemos starts the providers of the demo. After an error, those that it
// returns have to be closed too.
func startDemos(cfg demoConfig, app net.Listener, redirectURL string) (demos []*demo, err error) {
	demos = append(demos, &demo{login: oauthlogin.Provider{Name: "demo", Label: "Demo provider"}})
	err = demos[0].start(cfg, app, redirectURL, 1, demoUsers())
	if err == nil && cfg.partner {
		demos = append(demos, &demo{login: oauthlogin.Provider{Name: "partner", Label: "Partner's demo provider"}})
		err = demos[1].start(cfg, app, origin(redirectURL)+"/auth/partner", 2, partnerUsers()) // a path of its own for each
	}
	return demos, err
}

// start serves the provider on a port after the application's, so that the issuer
// stays the same after a restart. If that port is taken, it uses any free port.
func (d *demo) start(cfg demoConfig, app net.Listener, redirectURL string, after int, users []oauthlogintest.User) error {
	base, _ := strconv.Atoi(port(app))
	listener, err := net.Listen("tcp", net.JoinHostPort("localhost", strconv.Itoa(base+after)))
	if err != nil {
		listener, err = net.Listen("tcp", "localhost:0")
	}
	if err != nil {
		return err
	}
	d.login.Issuer = "http://localhost:" + port(listener)
	d.login.PostLogoutRedirectURL = origin(redirectURL) + "/"
	d.login.OAuth2 = &oauth2.Config{
		ClientID:     "example",
		ClientSecret: rand.Text(),
		RedirectURL:  redirectURL,
		Scopes:       []string{"openid", "profile", "email"},
	}
	provider, err := oauthlogintest.New(oauthlogintest.Config{
		Issuer: d.login.Issuer,
		Clients: []oauthlogintest.Client{{
			ID:                     d.login.OAuth2.ClientID,
			Secret:                 d.login.OAuth2.ClientSecret,
			RedirectURIs:           []string{redirectURL},
			PostLogoutRedirectURIs: []string{d.login.PostLogoutRedirectURL},
		}},
		Users:       users,
		RequireDPoP: cfg.dpop,
	})
	if err != nil {
		listener.Close()
		return err
	}
	provider.RememberUsers(!cfg.forgetUsers)
	d.server = &http.Server{Handler: provider, ReadHeaderTimeout: 10 * time.Second}
	go d.server.Serve(listener)
	slog.Info("no provider is configured; using the demo provider, where any user name works", "issuer", d.login.Issuer)
	return nil
}

// provider returns the application's configuration for the demo provider, which
// is that of any other issuer.
func (d *demo) provider() provider {
	return provider{login: d.login, userInfoURL: discoverUserInfo(d.login.Issuer)}
}

// Close stops the provider if it was started.
func (d *demo) Close() {
	if d.server != nil {
		d.server.Close()
	}
}
