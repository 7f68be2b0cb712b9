package oauthlogin

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/oauth2"
)

// A Provider is one place that users sign in at: an OpenID Connect provider
// when Issuer is set, and otherwise a plain OAuth 2.0 authorization server
// with Identify to say who signed in.
type Provider struct {
	_ [0]func() // keyed literals only

	// Name picks the provider at /login?provider=NAME, is what the choice of
	// providers shows, and appears in [User].Provider. By default it is the host
	// of Issuer or of the authorization endpoint. Sessions end when a provider's
	// name, issuer or client ID changes.
	Name string

	// OAuth2 is the client's registration: ClientID, ClientSecret, an absolute
	// RedirectURL whose path serves the callback, Scopes, and the Endpoint unless
	// Issuer is set. RedirectURL is https, or http on loopback.
	//
	// Endpoint.AuthStyle says how the client authenticates at the token
	// endpoint. When it is not set, the provider's metadata decides, HTTP Basic
	// first; without metadata it is HTTP Basic, and for a client without a secret
	// the client_id in the body. Nothing is tried twice (RFC 6749 section 4.1.2).
	OAuth2 *oauth2.Config

	// Issuer is the OpenID Connect issuer, exactly as the provider writes it,
	// a slash at its end included. Its metadata is discovered on first use and
	// its ID tokens are verified in full, with one minute of leeway for
	// clocks. The scope "openid" is always asked for; ask for "profile" and
	// "email" to learn name and e-mail address.
	Issuer string

	// Identify says who signed in at a plain OAuth 2.0 provider. The client
	// sends the access token with every request to the hosts that are asked,
	// has the limits of Options.HTTPClient and follows no redirect. A user
	// without Subject is refused; Provider and Issuer are filled in.
	Identify func(ctx context.Context, client *http.Client) (User, error)

	// AuthParams are more parameters of the authorization request, such as
	// access_type=offline or prompt=consent; none that this package sets
	// itself. With max_age or acr_values the ID token must show that the
	// provider did as asked (OpenID Connect Core section 3.1.3.7).
	AuthParams url.Values

	// PostLogoutRedirectURL is where an OpenID Connect provider sends the user
	// after a logout, as it is registered there; by default the RedirectURL's
	// origin and "/".
	PostLogoutRedirectURL string

	// TrustedAudiences are audiences, besides the client ID, that an ID token
	// may have. A token with any other is refused (OpenID Connect Core
	// section 3.1.3.7).
	TrustedAudiences []string
}

// Format keeps the client secret out of whatever prints a Provider.
func (p Provider) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "oauthlogin.Provider{Name:%q Issuer:%q}", p.name(), p.Issuer)
}

// LogValue keeps the client secret out of logs.
func (p Provider) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(p)) }

// name returns Name or, without one, the host that users sign in at.
func (p *Provider) name() string {
	if p.Name != "" {
		return p.Name
	}
	raw := p.Issuer
	if raw == "" && p.OAuth2 != nil {
		raw = p.OAuth2.Endpoint.AuthURL
	}
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Host
}

// clone returns a deep copy with its defaults.
func (p Provider) clone() Provider {
	p.Name = p.name()
	if p.OAuth2 != nil {
		config := *p.OAuth2
		config.Scopes = slices.Clone(config.Scopes)
		// OpenID Connect Core section 3.1.2.1.
		if p.Issuer != "" && !slices.Contains(config.Scopes, "openid") {
			config.Scopes = append([]string{"openid"}, config.Scopes...)
		}
		p.OAuth2 = &config
	}
	params := maps.Clone(p.AuthParams)
	for k, v := range params {
		params[k] = slices.Clone(v)
	}
	p.AuthParams = params
	p.TrustedAudiences = slices.Clone(p.TrustedAudiences)
	return p
}

// validate returns the faults of p, each beginning with the field's path.
func (p *Provider) validate() (faults []error) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	var endpoint oauth2.Endpoint
	if p.OAuth2 == nil {
		fault("OAuth2 is nil")
	} else {
		endpoint = p.OAuth2.Endpoint
		if p.OAuth2.ClientID == "" {
			fault("OAuth2.ClientID is empty")
		}
		if u, wrong := checkURL(p.OAuth2.RedirectURL); wrong != "" {
			fault("OAuth2.RedirectURL %q %s", shownURL(p.OAuth2.RedirectURL), wrong)
		} else if !isRoutePath(u.Path) {
			fault("OAuth2.RedirectURL %q has no clean path of its own", shownURL(p.OAuth2.RedirectURL))
		}
	}
	if p.PostLogoutRedirectURL != "" {
		if _, wrong := checkURL(p.PostLogoutRedirectURL); wrong != "" {
			fault("PostLogoutRedirectURL %q %s", shownURL(p.PostLogoutRedirectURL), wrong)
		}
	}
	if err := checkAuthParams(p.AuthParams); err != nil {
		fault("AuthParams %w", err)
	}
	if p.AuthParams.Has("max_age") {
		if _, err := parseMaxAge(p.AuthParams.Get("max_age")); err != nil {
			fault("AuthParams: %w", err)
		}
	}

	if p.Issuer != "" {
		if u, wrong := checkURL(p.Issuer); wrong != "" {
			fault("Issuer %q %s", shownURL(p.Issuer), wrong)
		} else if u.RawQuery != "" || u.ForceQuery {
			fault("Issuer %q has a query", shownURL(p.Issuer))
		}
		if endpoint.AuthURL != "" || endpoint.TokenURL != "" {
			fault("OAuth2.Endpoint is set, and so is Issuer, whose metadata has the endpoints")
		}
		if p.Identify != nil {
			fault("Identify is set, and so is Issuer, whose ID token says who signed in")
		}
		return faults
	}
	if p.Identify == nil {
		fault("Identify is nil, and no Issuer is set: nothing says who signed in")
	}
	if p.OAuth2 == nil {
		return faults
	}
	if u, wrong := checkURL(endpoint.AuthURL); wrong != "" {
		fault("OAuth2.Endpoint.AuthURL %q %s (and no Issuer is set)", shownURL(endpoint.AuthURL), wrong)
	} else if err := checkAuthParams(u.Query()); err != nil {
		fault("OAuth2.Endpoint.AuthURL %w", err)
	}
	if _, wrong := checkURL(endpoint.TokenURL); wrong != "" {
		fault("OAuth2.Endpoint.TokenURL %q %s (and no Issuer is set)", shownURL(endpoint.TokenURL), wrong)
	}
	return faults
}

// ownParams are the parameters of the authorization request that carry its
// security, or that would change how its response arrives.
var ownParams = []string{
	"client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce",
	"code_challenge", "code_challenge_method", "request", "request_uri",
}

func isOwnParam(name string) bool { return slices.Contains(ownParams, strings.ToLower(name)) }

// checkAuthParams refuses parameters that would override our own: see
// CVE-2025-67716 of nextjs-auth0 for what comes of allowing it.
func checkAuthParams(params url.Values) error {
	var own []string
	for name := range params {
		if isOwnParam(name) {
			own = append(own, name)
		}
	}
	if len(own) > 0 {
		return fmt.Errorf("sets %q, which the package sets itself", slices.Min(own))
	}
	return nil
}

// A provider is a [Provider] at work.
type provider struct {
	Provider
	tag          providerTag
	issuer       string // of its users: Issuer, or the origin of the authorization endpoint
	callbackPath string
	// postLogoutPath is the path of PostLogoutRedirectURL, "" if it is elsewhere.
	postLogoutPath string
	transport      *boundedTransport
	endpoints      endpointSource
}

// A providerTag names provider, client and configured name inside sealed
// values, so that what was sealed for one is nothing to another, whatever
// keys they share.
type providerTag [8]byte

func newProvider(config Provider, transport *boundedTransport) *provider {
	p := &provider{Provider: config, issuer: config.Issuer, transport: transport}
	redirect, _ := url.Parse(config.OAuth2.RedirectURL) // validated
	p.callbackPath = redirect.Path
	if p.PostLogoutRedirectURL == "" {
		p.PostLogoutRedirectURL = originOf(redirect) + "/"
	}
	if u, _ := url.Parse(p.PostLogoutRedirectURL); originOf(u) == originOf(redirect) {
		p.postLogoutPath = cmp.Or(u.Path, "/")
	}
	if config.Issuer != "" {
		p.endpoints = &discovery{issuer: config.Issuer, transport: transport}
	} else {
		auth, _ := url.Parse(config.OAuth2.Endpoint.AuthURL) // validated
		p.issuer = originOf(auth)
		p.endpoints = &staticEndpoints{
			AuthURL:  config.OAuth2.Endpoint.AuthURL,
			TokenURL: config.OAuth2.Endpoint.TokenURL,
		}
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q", config.Name, p.issuer, config.OAuth2.ClientID))
	copy(p.tag[:], sum[:])
	return p
}

// errNoSubject refuses a user whom nothing identifies.
var errNoSubject = errors.New("the provider named no subject")

// identify asks Identify who the access token belongs to.
func (p *provider) identify(ctx context.Context, accessToken string) (User, error) {
	transport := *p.transport
	transport.token = accessToken
	user, err := p.Identify(ctx, &http.Client{Transport: &transport})
	if err != nil {
		return User{}, callFailed(err)
	}
	if user.Subject == "" {
		return User{}, errNoSubject
	}
	if strings.ContainsFunc(user.Subject, unicode.IsControl) {
		return User{}, errors.New("the provider named a subject with control characters")
	}
	return user, nil
}
