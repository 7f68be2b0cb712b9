package main

import (
	"crypto/rand"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
	"golang.org/x/oauth2"
)

// A demo is an OpenID provider in this process, on its own port, where anyone
// can sign in under any name. It keeps its state in memory.
type demo struct {
	issuer  string
	client  *oauth2.Config
	homeURL string // where it redirects to after a logout
	server  *http.Server
}

// startDemo starts the demo provider on the port after the application's, so
// that the issuer stays the same after a restart. If that port is taken, it uses
// any free port.
func startDemo(app net.Listener, redirectURL string) (*demo, error) {
	next, _ := strconv.Atoi(port(app))
	listener, err := net.Listen("tcp", net.JoinHostPort("localhost", strconv.Itoa(next+1)))
	if err != nil {
		listener, err = net.Listen("tcp", "localhost:0")
	}
	if err != nil {
		return nil, err
	}
	d := &demo{
		issuer: "http://localhost:" + port(listener),
		client: &oauth2.Config{
			ClientID:     "example",
			ClientSecret: rand.Text(),
			RedirectURL:  redirectURL,
			Scopes:       []string{"openid", "profile", "email"},
		},
		homeURL: origin(redirectURL) + "/",
	}
	handler, err := oauthlogintest.New(oauthlogintest.Config{
		Issuer: d.issuer,
		Clients: []oauthlogintest.Client{{
			ID:                     d.client.ClientID,
			Secret:                 d.client.ClientSecret,
			RedirectURIs:           []string{redirectURL},
			PostLogoutRedirectURIs: []string{d.homeURL},
		}},
	})
	if err != nil {
		listener.Close()
		return nil, err
	}
	d.server = &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go d.server.Serve(listener)
	return d, nil
}

// provider returns the application's configuration for the demo provider, which
// is that of any other issuer.
func (d *demo) provider() provider {
	return provider{
		login: oauthlogin.Provider{
			Name:                  "demo",
			OAuth2:                d.client,
			Issuer:                d.issuer,
			PostLogoutRedirectURL: d.homeURL,
		},
		userInfoURL: discoverUserInfo(d.issuer),
	}
}

func (d *demo) Close() error { return d.server.Close() }
