package main

import (
	"cmp"
	"crypto"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/oauthlogin/oauthlogin"
)

// A config holds the settings from the environment.
type config struct {
	addr        string
	redirectURL string                            // "" means the default
	provider    func(redirectURL string) provider // nil means the demo
	demo        demoConfig                        // used without a provider
	options     oauthlogin.Options                // all but the providers; without Keys, a random key
	shared      shared                            // through what instances agree
	clientKey   crypto.Signer                     // nil means a client secret, or none
	clientKeyID string
	jwks        string // the public key, as the provider is told
	formPost    bool   // the provider posts its response
	dpop        bool   // tokens are bound to keys
}

// A kind is a kind of provider that the environment can select.
type kind struct {
	title     string
	selectors []string // setting any of these variables selects the kind
	required  []string
	optional  []string
	provider  func(env getenv, redirectURL string) provider
}

type getenv func(name string) string

var (
	demoKind = kind{
		title:    "the demo provider (used because none of OAUTH_ISSUER, OAUTH_AUTH_URL and GITHUB_CLIENT_ID is set)",
		optional: []string{"DEMO_PROVIDERS", "OAUTH_FORM_POST", "OAUTH_DPOP"},
	}

	kinds = []kind{
		{
			title:     "the OpenID Connect provider in OAUTH_ISSUER",
			selectors: []string{"OAUTH_ISSUER"},
			required:  []string{"OAUTH_CLIENT_ID"},
			optional:  []string{"OAUTH_CLIENT_SECRET", "OAUTH_CLIENT_KEY", "OAUTH_CLIENT_KEY_ID", "OAUTH_SCOPES", "OAUTH_FORM_POST", "OAUTH_DPOP"},
			provider:  openIDProvider,
		},
		{
			title:     "the plain OAuth 2.0 provider in OAUTH_AUTH_URL, OAUTH_TOKEN_URL and OAUTH_USERINFO_URL",
			selectors: []string{"OAUTH_AUTH_URL", "OAUTH_TOKEN_URL", "OAUTH_USERINFO_URL"},
			required:  []string{"OAUTH_AUTH_URL", "OAUTH_TOKEN_URL", "OAUTH_USERINFO_URL", "OAUTH_CLIENT_ID"},
			optional:  []string{"OAUTH_CLIENT_SECRET", "OAUTH_CLIENT_KEY", "OAUTH_CLIENT_KEY_ID", "OAUTH_SCOPES", "OAUTH_FORM_POST", "OAUTH_DPOP"},
			provider:  plainProvider,
		},
		{
			title:     "GitHub",
			selectors: []string{"GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET"},
			required:  []string{"GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET"},
			provider:  gitHubProvider,
		},
	}
)

// faults are what is wrong with the environment.
type faults []error

func (f *faults) add(format string, args ...any) { *f = append(*f, fmt.Errorf(format, args...)) }

// readConfig reads the configuration. The error joins every fault it finds.
func readConfig(env getenv) (config, error) {
	var found faults
	cfg := config{addr: cmp.Or(env("ADDR"), "localhost:3000")}
	cfg.readSessions(env, &found)
	cfg.readShared(env, &found)
	cfg.readProvider(env, &found)
	cfg.readRegistration(env, &found)
	return cfg, errors.Join(found...)
}

// readSessions reads how sessions are kept, and for how long.
func (cfg *config) readSessions(env getenv, found *faults) {
	if secret := env("SESSION_SECRET"); secret != "" {
		cfg.options.Keys = [][]byte{[]byte(secret)}
		if len(secret) < 32 {
			found.add("SESSION_SECRET has %d bytes; at least 32 random bytes are required (try: openssl rand -hex 32)", len(secret))
		}
	}
	if timeout := env("SESSION_IDLE_TIMEOUT"); timeout != "" {
		d, err := time.ParseDuration(timeout)
		if err != nil || d <= 0 {
			found.add("SESSION_IDLE_TIMEOUT %q is not a duration such as 20s or 12h", timeout)
		}
		cfg.options.IdleTimeout = d
		cfg.demo.forgetUsers = true // or it would sign them in again unasked
	}
	cfg.options.BindDevices = readSwitch(env, "BIND_DEVICES", found)
}

// readRegistration reads how the client is registered beyond its ID and secret.
func (cfg *config) readRegistration(env getenv, found *faults) {
	if path := env("OAUTH_CLIENT_KEY"); path != "" {
		var err error
		cfg.clientKeyID = env("OAUTH_CLIENT_KEY_ID")
		if cfg.clientKey, err = readClientKey(path); err == nil {
			cfg.jwks, err = jwks(cfg.clientKey, cfg.clientKeyID)
		}
		if err != nil {
			found.add("OAUTH_CLIENT_KEY: %w (try: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out client.pem)", err)
		}
	}
	cfg.formPost = readSwitch(env, "OAUTH_FORM_POST", found)
	cfg.dpop = readSwitch(env, "OAUTH_DPOP", found)
	cfg.demo.dpop = cfg.dpop
}

func readSwitch(env getenv, name string, found *faults) (on bool) {
	value := env(name)
	if value != "" && value != "1" {
		found.add("%s is %q; it has to be 1 or not set", name, value)
	}
	return value == "1"
}

// registered returns a provider where the client is registered like that.
func (cfg *config) registered(p provider) provider {
	if cfg.clientKey != nil {
		p.login.ClientAssertion = oauthlogin.PrivateKeyJWT(p.login.OAuth2.ClientID, cfg.clientKeyID, cfg.clientKey)
	}
	p.login.FormPost, p.login.DPoP = cfg.formPost, cfg.dpop
	return p
}

// readProvider reads where users sign in.
func (cfg *config) readProvider(env getenv, found *faults) {
	isSet := func(name string) bool { return env(name) != "" }
	chosen := demoKind
	if i := slices.IndexFunc(kinds, func(k kind) bool { return slices.ContainsFunc(k.selectors, isSet) }); i >= 0 {
		chosen = kinds[i]
		cfg.provider = func(redirectURL string) provider { return chosen.provider(env, redirectURL) }
	}
	known := slices.Concat(chosen.selectors, chosen.required, chosen.optional)
	for _, name := range chosen.required {
		if !isSet(name) {
			found.add("%s is not set; it is required with %s", name, chosen.title)
		}
	}
	var others []string
	for _, k := range append(kinds[:len(kinds):len(kinds)], demoKind) {
		others = append(others, slices.Concat(k.selectors, k.required, k.optional)...)
	}
	slices.Sort(others)
	for _, name := range slices.Compact(others) {
		if isSet(name) && !slices.Contains(known, name) {
			found.add("%s is set, but is not used with %s", name, chosen.title)
		}
	}
	if n := env("DEMO_PROVIDERS"); n == "2" {
		cfg.demo.partner = true
	} else if n != "" && n != "1" {
		found.add("DEMO_PROVIDERS %q is neither 1 nor 2", n)
	}
	// oauthlogin.New checks the rest.
	if cfg.redirectURL = env("OAUTH_REDIRECT_URI"); cfg.redirectURL != "" && origin(cfg.redirectURL) == "" {
		found.add("OAUTH_REDIRECT_URI %q is not an absolute URL", cfg.redirectURL)
	}
	if raw := env("OAUTH_USERINFO_URL"); raw != "" && !mayCarryToken(raw) {
		found.add("OAUTH_USERINFO_URL %q is neither https nor http on loopback", raw)
	}
}

// mayCarryToken reports whether an access token may be sent to a URL: only over
// https, or to this machine.
func mayCarryToken(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" {
		return false
	}
	loopback := strings.EqualFold(u.Hostname(), "localhost") || net.ParseIP(u.Hostname()).IsLoopback()
	return u.Scheme == "https" || u.Scheme == "http" && loopback
}
