package oauthlogin

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/sessions"

	"github.com/oauthlogin/oauthlogin/internal/cookies"
	"github.com/oauthlogin/oauthlogin/internal/weburl"
)

// The defaults of [Options].
const (
	defaultIdleTimeout = 24 * time.Hour
	defaultMaxLifetime = 7 * 24 * time.Hour
	defaultRefresh     = time.Minute
	defaultHomePath    = "/"
	defaultLoginPath   = "/login"
	defaultLogoutPath  = "/logout"
	defaultCookieName  = "oauthlogin"
	minKeyBytes        = 32
	maxHomePath        = 512 // bytes
)

// Options configures a [Middleware]. Providers and Keys are required; the zero value of every
// other field is a safe default. [New] copies what it is given, so later changes have no
// effect, and refuses negative durations.
type Options struct {
	_ [0]func() // keyed literals only

	// Providers are the places where users sign in: at least one. With several, /login without
	// a provider parameter lets the user choose. Their redirect URLs share scheme and host and
	// differ in their paths, which keeps one provider from responding for another (RFC 9700
	// section 4.4). Each plain OAuth 2.0 provider needs an origin of its own, which tells its
	// users from those of others: see [User.Issuer].
	Providers []Provider

	// Keys are the secrets from which the keys that seal cookies and sessions are derived, each
	// at least 32 random bytes. Keys[0] seals, and all of them open: to rotate, put a new key
	// in front, and remove the old one after MaxLifetime. All instances of an application share
	// them; where there are several, append a new key on all of them first.
	Keys [][]byte

	// Store keeps sessions on the server: [NewStore], or any store of gorilla/sessions. nil
	// keeps the whole session in sealed cookies. A store receives one value for each session,
	// sealed with Keys whatever the store does itself, and a new session id at every login.
	// While a store fails, protected routes respond 503 and no session ends.
	//
	// Stores built on securecookie refuse values over 4,096 bytes unless they are told
	// otherwise, for example with FilesystemStore.MaxLength(0), and values older than 30 days:
	// for a longer MaxLifetime, call FilesystemStore.MaxAge with its seconds. A
	// [sessions.CookieStore] is refused, because it keeps nothing on the server.
	Store sessions.Store

	// OnSignIn, if set, decides about each login, those of SilentLogin included, after the
	// provider has said who the user is and before there is a session. It may change and enrich
	// the login: see [SignIn]. An error refuses it: the response is a page through ErrorHandler
	// with the code "sign_in_refused" and status 403, and a session that was there stays.
	// Requests call OnSignIn concurrently, once for each login and not for refreshes.
	//
	// The page does not show the error. ErrorHandler and the [Event] get it wrapped, for
	// [errors.Is]. The log has it with the provider and the subject: leave e-mail addresses out
	// of it. An [*Error] keeps its Code, a Status from 400 to 599, its RetryURL, and its Title,
	// Text and RetryLabel, which the page shows. Without a RetryURL the page leads to a sign-in
	// with another account, or with a Status of 500 and above to another attempt. After a panic,
	// or when ctx has ended, the response is 500: together with the calls to the provider,
	// OnSignIn may take 30 seconds. The refresh token of a login without a session is revoked
	// (RFC 7009), unless the same user has a session in this browser.
	OnSignIn func(ctx context.Context, in *SignIn) error

	// BindDevices binds sessions to keys in the hardware of the user's device, in browsers that
	// support Device Bound Session Credentials: a copied cookie is worth minutes. Other
	// browsers are not affected. The key is registered, and its cookie renewed every ten
	// minutes, at LoginPath + "/device". See [Session.Bound], [Policy.Bound] and
	// docs/device-bound-sessions.md. All instances of an application need the same value.
	BindDevices bool

	// IdleTimeout ends a session that is not used for that long: 24 hours by default, or
	// MaxLifetime if that is less. It cannot be longer than MaxLifetime. The server enforces it
	// by a time inside the session, which is renewed after a tenth of IdleTimeout; a session
	// may therefore end up to a tenth early, and never late.
	IdleTimeout time.Duration

	// MaxLifetime ends a session that long after its login, used or not: 7 days by default. The
	// server enforces it by a time inside the session.
	MaxLifetime time.Duration

	// RefreshBefore is how long before its expiry an access token is refreshed: 60 seconds by
	// default, and never more than a quarter of the token's lifetime.
	RefreshBefore time.Duration

	// SessionsOutliveTokens keeps sessions for which the provider gave no refresh token
	// until IdleTimeout or MaxLifetime. By default such a session ends with its access
	// token, because afterwards nothing says whether the provider still knows the user.
	SessionsOutliveTokens bool

	// Coordinator is what the instances of an application agree through: one refreshes a
	// session's tokens for all, and a session that has ended at one has ended at all of them.
	// It sees only hashes and sealed values. Call [Middleware.Close] at the end.
	//
	// Without one, instances do not know of each other: a provider that rotates refresh tokens
	// may take the refreshes of two instances for theft, and end the session.
	Coordinator Coordinator

	// HomePath is the local path of the application's start page, "/" by default: for an
	// application below a prefix, set it to "/app/", beside LoginPath and LogoutPath. Login and
	// logout lead there without a return path, or if the return path could lead elsewhere (RFC
	// 9700 section 4.11); so do the links of the package's pages that lead home; and it is the
	// path of the default [Provider.PostLogoutRedirectURL]. It is a path that return_to could
	// have, with a query or without one, of at most 512 bytes.
	HomePath string

	// LoginPath and LogoutPath are served by [Middleware.Handler]: "/login" and "/logout" by
	// default. The callback's path is that of the RedirectURL of [Provider.OAuth2]. Providers
	// send logout tokens to LogoutPath + "/backchannel": see [Middleware.BackChannelLogout].
	LoginPath, LogoutPath string

	// TrustedOrigins are other origins whose pages may send unsafe requests: see
	// [Middleware.RequireAuth]. Each is scheme://host or scheme://host:port, in lower case,
	// and https, or http on loopback. Browsers send the session cookie with unsafe requests
	// of the same site only, so this serves subdomains of one domain. It adds no CORS
	// headers, and does not let these pages sign users out.
	TrustedOrigins []string

	// CookieName is the stem of all cookie names, 1 to 64 letters, digits, '-' and '_':
	// "oauthlogin" by default. Applications on one host need different ones.
	//
	// The cookies are NAME and, for large sessions, NAME.1 to NAME.4; NAME.flow.* while a login
	// is pending, for an hour at most; NAME.device for ten minutes with BindDevices;
	// NAME.rounds for a minute after a login that soon follows another; and NAME.silent for 30
	// days, and for 400 after a logout, if [Middleware.SilentLogin] is used. On https their
	// names begin with "__Host-".
	CookieName string

	// ErrorHandler, if set, writes the error pages in place of the package's, which give no
	// internals away: for requests to the package's own paths that fail, and for those that
	// [Middleware.Require] refuses or [Middleware.RequireAuth] does not let through and whose
	// response a user looks at. The error is an [*Error]; respond with its Status. It is logged
	// already, and cookies and caching headers are set. Pages can have the same words, and the
	// reference of the log line: see [Error]. Requests call ErrorHandler concurrently.
	ErrorHandler func(http.ResponseWriter, *http.Request, error)

	// Chooser, if set, writes the page on which the user chooses among several providers, in
	// place of the package's. It links to the URLs of some or all choices, or redirects to a
	// page that does. The URLs carry the return path, and no guarantee depends on the page.
	// Escape what it shows, as html/template does. Requests call Chooser concurrently.
	//
	// Chooser gets requests with the method GET only. Its response is sent as a whole after it
	// has returned, with "Cache-Control: no-store" always, and with "Referrer-Policy:
	// no-referrer" unless Chooser sets another. If it panics, the user gets an error page and
	// nothing of its response.
	Chooser func(w http.ResponseWriter, r *http.Request, choices []Choice)

	// Texts are the texts of the package's pages in one or more languages, the default language
	// first: English if there are none. Accept-Language chooses among them (RFC 4647 section
	// 3.4); with a single language, all pages are in it. An application that knows the user's
	// language better sets that header of the request in a handler around [Middleware.Handler].
	//
	// Texts are not HTML; pages escape them. [New] refuses keys that [EnglishTexts] does not
	// have, and logs a warning if some are missing: a page that lacks one is in English as a
	// whole.
	Texts []Texts

	// OnEvent, if set, is called for every [Event], for metrics and audit logs. It is called
	// while the request waits, with the values of its context, and has to be safe for
	// concurrent use. The module oauthloginotel has one that makes metrics and traces.
	OnEvent func(context.Context, Event)

	// Logger receives what happens, without tokens, codes, cookies or e-mail addresses:
	// slog.Default() by default. docs/operations.md lists all lines, with their levels and
	// keys.
	Logger *slog.Logger

	// HTTPClient calls providers. Only its Transport and its Timeout, for each request, are
	// used: no redirect is followed, no cookie is kept, and no response over 1 MiB is read.
	// Without HTTPClient, or with a Timeout of zero, the timeout is 10 seconds; a refresh of
	// tokens may take a minute whatever the Timeout is. [Middleware.Client], which calls APIs
	// and not providers, uses only the Transport.
	HTTPClient *http.Client
}

// Format keeps the keys out of whatever prints Options, with any verb.
func (o Options) Format(f fmt.State, _ rune) {
	names := make([]string, len(o.Providers))
	for i, p := range o.Providers {
		names[i] = p.name()
	}
	fmt.Fprintf(f, "oauthlogin.Options{Providers:%q Keys:[redacted]}", names)
}

// LogValue keeps the keys out of logs.
func (o Options) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(o)) }

// withDefaults returns a deep copy of o with defaults for what is not set.
func (o Options) withDefaults() Options {
	o.Providers = slices.Clone(o.Providers)
	for i := range o.Providers {
		o.Providers[i] = o.Providers[i].clone()
	}
	o.Keys = slices.Clone(o.Keys)
	for i := range o.Keys {
		o.Keys[i] = bytes.Clone(o.Keys[i])
	}
	o.TrustedOrigins = slices.Clone(o.TrustedOrigins)
	if o.MaxLifetime == 0 {
		o.MaxLifetime = defaultMaxLifetime
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = min(defaultIdleTimeout, max(o.MaxLifetime, 0))
	}
	if o.RefreshBefore == 0 {
		o.RefreshBefore = defaultRefresh
	}
	if o.HomePath == "" {
		o.HomePath = defaultHomePath
	}
	if o.LoginPath == "" {
		o.LoginPath = defaultLoginPath
	}
	if o.LogoutPath == "" {
		o.LogoutPath = defaultLogoutPath
	}
	if o.CookieName == "" {
		o.CookieName = defaultCookieName
	}
	if store, ok := o.Store.(*coordinatorStore); ok && o.Coordinator == nil {
		o.Coordinator = store.coordinator
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// validate returns every fault of o, which has its defaults, joined.
func (o *Options) validate() error {
	var faults faultList
	o.validateKeys(&faults)
	o.validateSessions(&faults)
	for _, p := range o.ownPaths() {
		if !weburl.IsRoutePath(p.path) {
			faults.add("%s %q is not a clean absolute path", p.field, p.path)
		}
	}
	o.validateHome(&faults)
	switch o.LoginPath {
	case o.LogoutPath:
		faults.add("LoginPath and LogoutPath are both %q", o.LoginPath)
	case o.backChannelPath():
		faults.add("LoginPath %q is the path of LogoutPath at which providers send logout tokens", o.LoginPath)
	}
	if o.devicePath() != "" && (o.LogoutPath == o.devicePath() || o.backChannelPath() == o.devicePath()) {
		faults.add("LogoutPath is %q, and BindDevices needs %q", o.LogoutPath, o.devicePath())
	}
	o.validateTrustedOrigins(&faults)
	o.validateTexts(&faults)
	o.validateProviders(&faults)
	o.validateRedirects(&faults)
	return errors.Join(faults...)
}

// A faultList collects what is wrong with Options.
type faultList []error

func (l *faultList) add(format string, args ...any) {
	*l = append(*l, fmt.Errorf("oauthlogin: Options."+format, args...))
}

func (o *Options) validateKeys(faults *faultList) {
	if len(o.Keys) == 0 {
		faults.add("Keys is empty; at least one key of %d random bytes is required", minKeyBytes)
	}
	for i, key := range o.Keys {
		switch {
		case len(key) < minKeyBytes:
			faults.add("Keys[%d] has %d bytes; at least %d are required", i, len(key), minKeyBytes)
		case bytes.Count(key, key[:1]) == len(key):
			faults.add("Keys[%d] is one byte repeated; random bytes are required", i)
		}
	}
}

func (o *Options) validateSessions(faults *faultList) {
	for _, d := range []struct {
		field string
		value time.Duration
	}{{"IdleTimeout", o.IdleTimeout}, {"MaxLifetime", o.MaxLifetime}, {"RefreshBefore", o.RefreshBefore}} {
		if d.value < 0 {
			faults.add("%s is %v; it must not be negative", d.field, d.value)
		}
	}
	if o.IdleTimeout > o.MaxLifetime && o.MaxLifetime > 0 {
		faults.add("IdleTimeout is %v, longer than MaxLifetime, %v", o.IdleTimeout, o.MaxLifetime)
	}
	if _, ok := o.Store.(*sessions.CookieStore); ok {
		faults.add("Store is a *sessions.CookieStore, which keeps nothing on the server; without a Store sessions are in cookies")
	}
	if !cookies.IsStem(o.CookieName) {
		faults.add("CookieName %q is not a cookie name of 1 to 64 letters, digits, '-' and '_'", o.CookieName)
	}
}

func (o *Options) validateTrustedOrigins(faults *faultList) {
	for i, origin := range o.TrustedOrigins {
		if wrong := weburl.CheckOrigin(origin); wrong != "" {
			faults.add("TrustedOrigins[%d] %q %s", i, weburl.Shown(origin), wrong)
		}
	}
}

// backChannelPath is where Handler mounts BackChannelLogout.
func (o *Options) backChannelPath() string {
	return strings.TrimSuffix(o.LogoutPath, "/") + "/backchannel"
}

// devicePath is where browsers register keys, "" without BindDevices.
func (o *Options) devicePath() string {
	if !o.BindDevices {
		return ""
	}
	return strings.TrimSuffix(o.LoginPath, "/") + "/device"
}

// paths are the local paths of o, which may have faults.
func (o *Options) paths() *weburl.Paths {
	paths := &weburl.Paths{
		Home: o.HomePath, Login: o.LoginPath, Logout: o.LogoutPath, BackChannel: o.backChannelPath(), Device: o.devicePath(), Choice: len(o.Providers) > 1,
	}
	for i := range o.Providers {
		if o.Providers[i].OAuth2 == nil {
			continue
		}
		u, err := url.Parse(o.Providers[i].OAuth2.RedirectURL)
		if err != nil {
			continue
		}
		paths.Origin = cmp.Or(paths.Origin, weburl.Origin(u))
		paths.Callbacks = append(paths.Callbacks, u.Path)
	}
	return paths
}

func (o *Options) validateHome(faults *faultList) {
	paths := o.paths()
	paths.Home = ""
	switch {
	case len(o.HomePath) > maxHomePath:
		faults.add("HomePath has %d bytes; at most %d are allowed", len(o.HomePath), maxHomePath)
	case weburl.ReturnPath(o.HomePath) != o.HomePath:
		faults.add("HomePath %q is not a local path in printable ASCII that begins with one slash", weburl.Shown(o.HomePath))
	case strings.Contains(o.HomePath, "#"):
		faults.add("HomePath %q has a fragment", o.HomePath)
	case paths.ReturnPath(o.HomePath) == "":
		faults.add("HomePath %q leads to the login, callback or logout path", o.HomePath)
	}
}

type ownPath struct{ field, path string }

// ownPaths are the paths of the package that do not belong to one provider.
func (o *Options) ownPaths() []ownPath {
	return []ownPath{{"LoginPath", o.LoginPath}, {"LogoutPath", o.LogoutPath}}
}

// validateProviders looks at each provider, and at what tells it apart from the others.
func (o *Options) validateProviders(faults *faultList) {
	if len(o.Providers) == 0 {
		faults.add("Providers is empty; at least one is required")
	}
	names := map[string]int{}
	for i := range o.Providers {
		p := &o.Providers[i]
		for _, err := range p.validate() {
			faults.add("Providers[%d].%w", i, err)
		}
		if j, taken := names[p.Name]; taken {
			faults.add("Providers[%d].Name %q is also the name of Providers[%d]", i, p.Name, j)
		}
		names[p.Name] = i
		for j := range i {
			if p.sharesUsers(&o.Providers[j]) {
				faults.add("Providers[%d] and Providers[%d] would both have the User.Issuer %q, so their users could not be told apart", j, i, p.userIssuer())
			}
		}
	}
}

// validateRedirects compares the redirect URLs, which share an origin and nothing else.
func (o *Options) validateRedirects(faults *faultList) {
	origin, paths := "", map[string]int{}
	for i := range o.Providers {
		config := o.Providers[i].OAuth2
		if config == nil {
			continue
		}
		u, err := url.Parse(config.RedirectURL)
		if err != nil || u.Host == "" {
			continue // validateProviders has named it
		}
		// RFC 9700 section 4.4.2.2: a redirect URI of its own for each issuer.
		if j, taken := paths[u.Path]; taken {
			faults.add("Providers[%d].OAuth2.RedirectURL has the path %q of Providers[%d]; each needs its own", i, u.Path, j)
		}
		paths[u.Path] = i
		if origin == "" {
			origin = weburl.Origin(u)
		}
		if weburl.Origin(u) != origin {
			faults.add("Providers[%d].OAuth2.RedirectURL is on %s, others on %s; all need one scheme and host", i, weburl.Origin(u), origin)
		}
		for _, own := range o.ownPaths() {
			if u.Path == own.path {
				faults.add("Providers[%d].OAuth2.RedirectURL has the path of Options.%s, %q", i, own.field, u.Path)
			}
		}
		if o.BindDevices && u.Path == o.devicePath() {
			faults.add("Providers[%d].OAuth2.RedirectURL has the path %q, which BindDevices needs", i, u.Path)
		}
		if u.Path == o.backChannelPath() {
			faults.add("Providers[%d].OAuth2.RedirectURL has the path below Options.LogoutPath at which providers send logout tokens, %q", i, u.Path)
		}
	}
}
