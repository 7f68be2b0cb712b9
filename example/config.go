package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// A config is what the environment says.
type config struct {
	addr          string
	redirectURL   string                            // "" for the default
	sessionSecret string                            // "" for a random key
	provider      func(redirectURL string) provider // nil for the demo provider
}

// A kind is one of the providers that the environment can name.
type kind struct {
	title    string
	chosenBy []string // any of these variables
	needs    []string // all of these
	takes    []string // these as well
	provider func(env getenv, redirectURL string) provider
}

type getenv func(name string) string

var (
	demoKind = kind{title: "the demo provider, as none of OAUTH_ISSUER, OAUTH_AUTH_URL and GITHUB_CLIENT_ID is set"}

	kinds = []kind{
		{
			title:    "the OpenID Connect provider of OAUTH_ISSUER",
			chosenBy: []string{"OAUTH_ISSUER"},
			needs:    []string{"OAUTH_CLIENT_ID"},
			takes:    []string{"OAUTH_CLIENT_SECRET", "OAUTH_SCOPES"},
			provider: openIDProvider,
		},
		{
			title:    "the plain OAuth 2.0 provider of OAUTH_AUTH_URL, OAUTH_TOKEN_URL and OAUTH_USERINFO_URL",
			chosenBy: []string{"OAUTH_AUTH_URL", "OAUTH_TOKEN_URL", "OAUTH_USERINFO_URL"},
			needs:    []string{"OAUTH_AUTH_URL", "OAUTH_TOKEN_URL", "OAUTH_USERINFO_URL", "OAUTH_CLIENT_ID"},
			takes:    []string{"OAUTH_CLIENT_SECRET", "OAUTH_SCOPES"},
			provider: plainProvider,
		},
		{
			title:    "GitHub",
			chosenBy: []string{"GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET"},
			needs:    []string{"GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET"},
			provider: gitHubProvider,
		},
	}
)

// readConfig returns every fault of the environment, joined.
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
		fault("SESSION_SECRET has %d bytes; at least 32 random ones are required, such as those of: openssl rand -hex 32", n)
	}

	chosen := demoKind
	if i := slices.IndexFunc(kinds, func(k kind) bool { return slices.ContainsFunc(k.chosenBy, isSet) }); i >= 0 {
		chosen = kinds[i]
		cfg.provider = func(redirectURL string) provider { return chosen.provider(env, redirectURL) }
	}
	known := slices.Concat(chosen.chosenBy, chosen.needs, chosen.takes)
	for _, name := range chosen.needs {
		if !isSet(name) {
			fault("%s is not set; it is required for sign-in with %s", name, chosen.title)
		}
	}
	var others []string
	for _, k := range kinds {
		others = append(others, slices.Concat(k.chosenBy, k.needs, k.takes)...)
	}
	slices.Sort(others)
	for _, name := range slices.Compact(others) {
		if isSet(name) && !slices.Contains(known, name) {
			fault("%s is set; it has no meaning for sign-in with %s", name, chosen.title)
		}
	}
	// The rest is oauthlogin.New's to check.
	if cfg.redirectURL != "" && origin(cfg.redirectURL) == "" {
		fault("OAUTH_REDIRECT_URI %q is not an absolute URL", cfg.redirectURL)
	}
	if raw := env("OAUTH_USERINFO_URL"); raw != "" && !mayCarryToken(raw) {
		fault("OAUTH_USERINFO_URL %q is neither https nor http on loopback", raw)
	}
	return cfg, errors.Join(faults...)
}

// mayCarryToken reports whether an access token can be sent to a URL.
func mayCarryToken(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" {
		return false
	}
	loopback := strings.EqualFold(u.Hostname(), "localhost") || net.ParseIP(u.Hostname()).IsLoopback()
	return u.Scheme == "https" || u.Scheme == "http" && loopback
}
