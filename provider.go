package oauthlogin

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin/internal/apple"
	"github.com/oauthlogin/oauthlogin/internal/entra"
	"github.com/oauthlogin/oauthlogin/internal/protocol"
	"github.com/oauthlogin/oauthlogin/internal/record"
	"github.com/oauthlogin/oauthlogin/internal/weburl"
)

// A Provider is a place where users sign in: an OpenID Connect provider if Issuer is set, and
// otherwise a plain OAuth 2.0 authorization server, with Identify to say who signed in. OAuth2
// is required. [GitHub], [Google], [Microsoft] and [Apple] return complete ones.
type Provider struct {
	_ [0]func() // keyed literals only

	// Name identifies the provider: at /login?provider=NAME, in [User.Provider] and in
	// sessions, which end when a provider's name, issuer or client ID changes. It is the host
	// of Issuer or of the authorization endpoint by default.
	Name string

	// Label is what the page on which users choose a provider shows: Name by default.
	Label string

	// OAuth2 is the client's registration: ClientID, ClientSecret, an absolute
	// RedirectURL whose path serves the callback, Scopes, and the Endpoint unless Issuer
	// is set. RedirectURL is https, or http on loopback.
	//
	// Endpoint.AuthStyle says how the client authenticates at the token endpoint. If it
	// is not set, the provider's metadata decides, HTTP Basic first; without metadata it
	// is HTTP Basic, and for a client without a secret the client_id in the body. No
	// request is sent twice to find out (RFC 6749 section 4.1.2).
	OAuth2 *oauth2.Config

	// Issuer is the OpenID Connect issuer, exactly as the provider writes it, including
	// a trailing slash. The provider's metadata is discovered on first use and read
	// again after a day at the latest. ID tokens are verified in full, with one minute of
	// leeway for clocks. The scope "openid" is always requested; add "profile" and
	// "email" to learn name and e-mail address.
	Issuer string

	// Identify says who signed in at a plain OAuth 2.0 provider, where it is required. The
	// client sends the access token with every request, has the limits of [Options.HTTPClient]
	// and follows no redirect. A user without Subject is refused; Provider and Issuer are
	// filled in. An error fails the login with the code "provider_unavailable" if a call did,
	// and "provider_rejected" otherwise. Logins call Identify concurrently.
	Identify func(ctx context.Context, client *http.Client) (User, error)

	// ClientAssertion authenticates the client in place of OAuth2.ClientSecret (RFC 7521
	// section 4.2): [PrivateKeyJWT] with a key, [AssertionFile] with a token of the platform,
	// or a function that makes what the provider documents. It is called once for each request
	// that authenticates the client, concurrently, with the audience to put into the assertion:
	// Issuer or, at a plain OAuth 2.0 provider, the token endpoint. It may take as long as a
	// request to the provider. If it fails, logins fail with the code "internal", and sessions
	// go on.
	ClientAssertion func(ctx context.Context, audience string) (string, error)

	// AuthParams are additional parameters of the authorization request, such as
	// access_type=offline or prompt=consent. [New] refuses parameters that the package sets
	// itself. With max_age, in seconds, or acr_values the ID token must show that the provider
	// did as requested (OpenID Connect Core section 3.1.3.7).
	AuthParams url.Values

	// DPoP binds the access tokens of new logins to a key (RFC 9449), without which a token that
	// leaks is of no use. Each session has a key of its own, sealed in it and kept nowhere else,
	// and works on all instances. The provider has to issue tokens of the type DPoP; others are
	// refused. [Middleware.Client], Identify and [SignIn.Client] send proofs.
	//
	// The option decides for new logins only. A session that began without it goes on with
	// bearer tokens, and one with a key never sends its token as a bearer token.
	DPoP bool

	// PostLogoutRedirectURL is where an OpenID Connect provider sends the user after a
	// logout, as registered there: the RedirectURL's origin and [Options.HomePath] by default.
	PostLogoutRedirectURL string

	// FormPost has the provider post its response (OAuth 2.0 Form Post Response Mode), so that
	// the code is in no URL. The callback then takes POST and GET. A router has to let POST
	// through to the callback, and a check of the application against cross-site requests has
	// to leave it out; RequireAuth does.
	//
	// Cookies stay SameSite=Lax: the provider's form, which comes without them, gets a page
	// that posts its fields again from the application's own origin, by a script or by a
	// button. Chromium applies the policy of that page, form-action 'self', to the redirects
	// that follow. The package's own redirects take that into account. A page that a login
	// returns to must not redirect to another origin at once: respond with a page that leads
	// there.
	FormPost bool

	// AlwaysUserInfo reads user info at every login and every refresh, and not only if the
	// ID token lacks name or e-mail. A session whose login has read user info reads it again
	// at every refresh anyway. It has no effect without Issuer.
	AlwaysUserInfo bool

	// LogoutParams are additional parameters of the provider's logout URL, such as logout_hint.
	// [New] refuses parameters that the package sets itself.
	LogoutParams url.Values

	// TrustedAudiences are audiences, besides the client ID, that an ID token may have.
	// A token with any other audience is refused (OpenID Connect Core section 3.1.3.7).
	TrustedAudiences []string

	apple  *apple.Key // nil unless Apple made the provider
	tenant string     // "" unless Microsoft made it
	faults []error    // of a preset's arguments
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
	p.Label = cmp.Or(p.Label, p.Name)
	if p.OAuth2 != nil {
		config := *p.OAuth2
		config.Scopes = slices.Clone(config.Scopes)
		// OpenID Connect Core section 3.1.2.1.
		if p.Issuer != "" && !slices.Contains(config.Scopes, "openid") {
			config.Scopes = append([]string{"openid"}, config.Scopes...)
		}
		p.OAuth2 = &config
	}
	p.AuthParams = cloneValues(p.AuthParams)
	p.LogoutParams = cloneValues(p.LogoutParams)
	p.TrustedAudiences = slices.Clone(p.TrustedAudiences)
	return p
}

func cloneValues[M ~map[string][]string](values M) M {
	values = maps.Clone(values)
	for name, list := range values {
		values[name] = slices.Clone(list)
	}
	return values
}

// validate returns the faults of p, each beginning with the field's path.
func (p *Provider) validate() (faults []error) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	faults = slices.Clone(p.faults)
	var endpoint oauth2.Endpoint
	if p.OAuth2 == nil {
		fault("OAuth2 is nil")
	} else {
		endpoint = p.OAuth2.Endpoint
		if p.OAuth2.ClientID == "" {
			fault("OAuth2.ClientID is empty")
		}
		if p.apple != nil && p.ClientAssertion != nil {
			fault("ClientAssertion is set, and Apple makes a client secret from its key; a client authenticates in one way")
		}
		if p.OAuth2.ClientSecret != "" && p.ClientAssertion != nil {
			fault("ClientAssertion is set, and so is OAuth2.ClientSecret; a client authenticates in one way")
		}
		if u, wrong := checkRedirect(p.OAuth2.RedirectURL); wrong != "" {
			fault("OAuth2.RedirectURL %q %s", weburl.Shown(p.OAuth2.RedirectURL), wrong)
		} else if !weburl.IsRoutePath(u.Path) {
			fault("OAuth2.RedirectURL %q has no clean path of its own", weburl.Shown(p.OAuth2.RedirectURL))
		}
	}
	if p.PostLogoutRedirectURL != "" {
		if _, wrong := checkRedirect(p.PostLogoutRedirectURL); wrong != "" {
			fault("PostLogoutRedirectURL %q %s", weburl.Shown(p.PostLogoutRedirectURL), wrong)
		}
	}
	if err := protocol.CheckParams(p.AuthParams); err != nil {
		fault("AuthParams %w", err)
	}
	if err := protocol.CheckLogoutParams(p.LogoutParams); err != nil {
		fault("LogoutParams %w", err)
	}
	if p.AuthParams.Has("max_age") {
		if _, err := protocol.ParseMaxAge(p.AuthParams.Get("max_age")); err != nil {
			fault("AuthParams: %w", err)
		}
	}
	if p.Issuer != "" {
		return append(faults, p.validateOpenID(endpoint)...)
	}
	if p.Identify == nil {
		fault("Identify is nil, and no Issuer is set: nothing says who signed in")
	}
	if p.OAuth2 == nil {
		return faults
	}
	if u, wrong := weburl.Check(endpoint.AuthURL); wrong != "" {
		fault("OAuth2.Endpoint.AuthURL %q %s (and no Issuer is set)", weburl.Shown(endpoint.AuthURL), wrong)
	} else if err := protocol.CheckParams(u.Query()); err != nil {
		fault("OAuth2.Endpoint.AuthURL %w", err)
	}
	if _, wrong := weburl.Check(endpoint.TokenURL); wrong != "" {
		fault("OAuth2.Endpoint.TokenURL %q %s (and no Issuer is set)", weburl.Shown(endpoint.TokenURL), wrong)
	}
	return faults
}

// validateOpenID returns the faults of a provider with an Issuer.
func (p *Provider) validateOpenID(endpoint oauth2.Endpoint) (faults []error) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	if _, ok := entra.Of(p.Issuer, p.tenant); p.tenant != "" && !ok {
		fault("Issuer %q is not that of Microsoft's tenant %q in any cloud: it has to end in %q", weburl.Shown(p.Issuer), p.tenant, "/"+p.tenant+"/v2.0")
	}
	if u, wrong := weburl.Check(p.Issuer); wrong != "" {
		fault("Issuer %q %s", weburl.Shown(p.Issuer), wrong)
	} else if u.RawQuery != "" || u.ForceQuery {
		fault("Issuer %q has a query", weburl.Shown(p.Issuer))
	} else if issuer, ok := strings.CutSuffix(u.String(), "/.well-known/openid-configuration"); ok {
		fault("Issuer %q is the URL of the metadata; the issuer is %q, or that with a slash at its end", weburl.Shown(p.Issuer), issuer)
	}
	if endpoint.AuthURL != "" || endpoint.TokenURL != "" {
		fault("OAuth2.Endpoint is set, and so is Issuer, whose metadata has the endpoints")
	}
	if p.Identify != nil {
		fault("Identify is set, and so is Issuer, whose ID token says who signed in")
	}
	return faults
}

// checkRedirect parses a URL that the provider sends browsers to. wrong says, as a
// predicate, why it cannot be used: providers compare it with what is registered, so the
// host must be as browsers write it.
func checkRedirect(raw string) (u *url.URL, wrong string) {
	u, wrong = weburl.Check(raw)
	if wrong == "" && strings.IndexFunc(u.Host, func(r rune) bool { return r > unicode.MaxASCII }) >= 0 {
		wrong = fmt.Sprintf("has a host that browsers write as %q; register and set that form", cmp.Or(weburl.ASCIIHost(u.Host), "its ASCII form"))
	}
	return u, wrong
}

// userIssuer returns the [User].Issuer of the provider's users, "" if OAuth2 is faulty.
func (p *Provider) userIssuer() string {
	if p.Issuer != "" || p.OAuth2 == nil {
		return p.Issuer
	}
	auth, err := url.Parse(p.OAuth2.Endpoint.AuthURL)
	if err != nil || auth.Host == "" {
		return ""
	}
	return weburl.Origin(auth)
}

// identify is Identify for a session.
func (p *Provider) identify(ctx context.Context, client *http.Client) (record.User, error) {
	user, err := p.Identify(ctx, client)
	return user.recorded(), err
}

// sharesUsers reports whether users of two providers could not be told apart by issuer
// and subject: if at least one is a plain OAuth 2.0 provider, which numbers its users as
// it likes. Two registrations at one OpenID Connect issuer have the same users.
func (p *Provider) sharesUsers(other *Provider) bool {
	if p.Issuer != "" && other.Issuer != "" {
		return false
	}
	one, two := asOrigin(p.userIssuer()), asOrigin(other.userIssuer())
	return one != "" && one == two
}

// asOrigin returns an issuer as an origin, where it is one but for how it is written.
func asOrigin(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil || u.Path != "" && u.Path != "/" {
		return issuer
	}
	return weburl.Origin(u)
}
