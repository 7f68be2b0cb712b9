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
)

// A config holds the settings from the environment.
type config struct {
	addr          string
	redirectURL   string                            // "" means the default
	sessionSecret string                            // "" means a random key
	formPost      bool                              // the provider posts its response
	provider      func(redirectURL string) provider // nil means the demo provider
	clientKey     crypto.Signer                     // nil means a client secret, or none
	clientKeyID   string
	jwks          string // the public key, as the provider is told
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
		optional: []string{"OAUTH_FORM_POST"},
	}

	kinds = []kind{
		{
			title:     "the OpenID Connect provider in OAUTH_ISSUER",
			selectors: []string{"OAUTH_ISSUER"},
			required:  []string{"OAUTH_CLIENT_ID"},
			optional:  []string{"OAUTH_CLIENT_SECRET", "OAUTH_CLIENT_KEY", "OAUTH_CLIENT_KEY_ID", "OAUTH_SCOPES", "OAUTH_FORM_POST"},
			provider:  openIDProvider,
		},
		{
			title:     "the plain OAuth 2.0 provider in OAUTH_AUTH_URL, OAUTH_TOKEN_URL and OAUTH_USERINFO_URL",
			selectors: []string{"OAUTH_AUTH_URL", "OAUTH_TOKEN_URL", "OAUTH_USERINFO_URL"},
			required:  []string{"OAUTH_AUTH_URL", "OAUTH_TOKEN_URL", "OAUTH_USERINFO_URL", "OAUTH_CLIENT_ID"},
			optional:  []string{"OAUTH_CLIENT_SECRET", "OAUTH_CLIENT_KEY", "OAUTH_CLIENT_KEY_ID", "OAUTH_SCOPES", "OAUTH_FORM_POST"},
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

// readConfig reads the configuration. The error joins every fault it finds.
func readConfig(env getenv) (config, error) {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	isSet := func(name string) bool { return env(name) != "" }

	cfg := config{
		addr:          cmp.Or(env("ADDR"), "localhost:3000"),
		redirectURL:   env("OAUTH_REDIRECT_URI"),
		sessionSecret: env("SESSION_SECRET"),
	}
	if n := len(cfg.sessionSecret); n > 0 && n < 32 {
		fault("SESSION_SECRET has %d bytes; at least 32 random bytes are required (try: openssl rand -hex 32)", n)
	}

	if path := env("OAUTH_CLIENT_KEY"); path != "" {
		var err error
		cfg.clientKeyID = env("OAUTH_CLIENT_KEY_ID")
		if cfg.clientKey, err = readClientKey(path); err == nil {
			cfg.jwks, err = jwks(cfg.clientKey, cfg.clientKeyID)
		}
		if err != nil {
			fault("OAUTH_CLIENT_KEY: %w (try: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out client.pem)", err)
		}
	}
	switch value := env("OAUTH_FORM_POST"); value {
	case "", "1":
		cfg.formPost = value == "1"
	default:
		fault("OAUTH_FORM_POST is %q; it has to be 1 or not set", value)
	}

	chosen := demoKind
	if i := slices.IndexFunc(kinds, func(k kind) bool { return slices.ContainsFunc(k.selectors, isSet) }); i >= 0 {
		chosen = kinds[i]
		cfg.provider = func(redirectURL string) provider { return chosen.provider(env, redirectURL) }
	}
	known := slices.Concat(chosen.selectors, chosen.required, chosen.optional)
	for _, name := range chosen.required {
		if !isSet(name) {
			fault("%s is not set; it is required with %s", name, chosen.title)
		}
	}
	var others []string
	for _, k := range kinds {
		others = append(others, slices.Concat(k.selectors, k.required, k.optional)...)
	}
	slices.Sort(others)
	for _, name := range slices.Compact(others) {
		if isSet(name) && !slices.Contains(known, name) {
			fault("%s is set, but is not used with %s", name, chosen.title)
		}
	}
	// oauthlogin.New checks the rest.
	if cfg.redirectURL != "" && origin(cfg.redirectURL) == "" {
		fault("OAUTH_REDIRECT_URI %q is not an absolute URL", cfg.redirectURL)
	}
	if raw := env("OAUTH_USERINFO_URL"); raw != "" && !mayCarryToken(raw) {
		fault("OAUTH_USERINFO_URL %q is neither https nor http on loopback", raw)
	}
	return cfg, errors.Join(faults...)
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
