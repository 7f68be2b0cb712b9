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

// A demo is a provider in this process, with a port of its own, at which
// everybody can be anybody. What it knows ends with the process.
type demo struct {
	issuer  string
	client  *oauth2.Config
	homeURL string // where it sends users after a logout
	server  *http.Server
}

// startDemo starts it at the port after the application's, so that it is the
// same one after a restart, or at a free port if that one is taken.
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

// provider is the demo provider as the application sees it: an issuer like
// any other.
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
