package oauthlogintest

import (
	"net/http"
	"slices"
	"strings"
)

// An Endpoint identifies an endpoint of a [Provider], for [Provider.Requests], [Provider.Count]
// and [Provider.Intercept].
type Endpoint string

// The endpoints of a [Provider] and their paths below the issuer URL.
const (
	Discovery     Endpoint = "discovery"     // /.well-known/openid-configuration
	JWKS          Endpoint = "jwks"          // /jwks
	Authorization Endpoint = "authorization" // /authorize
	Token         Endpoint = "token"         // /token
	UserInfo      Endpoint = "userinfo"      // /userinfo
	Revocation    Endpoint = "revocation"    // /revoke
	EndSession    Endpoint = "end_session"   // /end_session

	PushedAuthorization Endpoint = "pushed_authorization" // /par, with Config.RequirePAR
)

const (
	discoveryPath     = "/.well-known/openid-configuration"
	jwksPath          = "/jwks"
	authorizationPath = "/authorize"
	tokenPath         = "/token"
	userInfoPath      = "/userinfo"
	revocationPath    = "/revoke"
	endSessionPath    = "/end_session"
	pushPath          = "/par"
)

type route struct {
	endpoint Endpoint
	methods  []string
	serve    http.HandlerFunc
}

func (p *Provider) newRoutes() map[string]route {
	get := []string{http.MethodGet, http.MethodHead}
	post := []string{http.MethodPost}
	both := []string{http.MethodGet, http.MethodPost}
	routes := map[string]route{
		discoveryPath:     {Discovery, get, p.serveDiscovery},
		jwksPath:          {JWKS, get, p.serveJWKS},
		authorizationPath: {Authorization, both, p.serveAuthorization},
		tokenPath:         {Token, post, p.serveToken},
		userInfoPath:      {UserInfo, both, p.serveUserInfo},
		revocationPath:    {Revocation, post, p.serveRevocation},
		endSessionPath:    {EndSession, both, p.serveEndSession},
	}
	if p.config.RequirePAR {
		routes[pushPath] = route{PushedAuthorization, post, p.servePush}
	}
	return routes
}

// ServeHTTP serves the endpoints below the issuer's path and responds 404 to all
// other paths. It records each request to an endpoint, then calls the interceptor
// if there is one, else the endpoint. A request body over 1 MiB gets a 400
// response.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, ok := strings.CutPrefix(r.URL.Path, p.path)
	route, found := p.routes[path]
	if !ok || !found {
		http.NotFound(w, r)
		return
	}
	next := func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains(route.methods, r.Method) {
			w.Header().Set("Allow", strings.Join(route.methods, ", "))
			http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		route.serve(w, r)
	}
	rw, err := p.log.record(w, r, route.endpoint, p.config.Now())
	if err != nil {
		http.Error(rw, "cannot read the request body", http.StatusBadRequest)
		return
	}
	if intercept := p.interceptor(route.endpoint); intercept != nil {
		intercept(rw, r, next)
	} else {
		next(rw, r)
	}
	rw.finish()
}
