package tokens

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/oauthlogin/oauthlogin/internal/instances"
	"github.com/oauthlogin/oauthlogin/internal/protocol"
	"github.com/oauthlogin/oauthlogin/internal/record"
	"github.com/oauthlogin/oauthlogin/internal/weburl"
)

// A Target is an API as a session asks for its token.
type Target struct {
	key    string   // what its tokens are kept under, of one session
	origin string   // that gets them; "": any
	params []string // of the request to the token endpoint
}

// NewTarget returns the target of a session. The fields are those of a Resource.
func NewTarget(rec *record.Record, api, audience string, scopes []string) (*Target, error) {
	t := &Target{}
	if api != "" {
		u, fault := weburl.CheckAbsolute(api)
		if fault != "" {
			return nil, fmt.Errorf("oauthlogin: Resource.URL %q %s", weburl.Shown(api), fault)
		}
		t.origin = weburl.Origin(u)
	}
	switch {
	case audience != "":
		t.params = append(t.params, "audience", audience)
	case api != "":
		t.params = append(t.params, "resource", api)
	case len(scopes) == 0:
		return nil, errors.New("oauthlogin: Resource has neither URL nor Audience nor Scopes")
	}
	scopes = slices.Compact(slices.Sorted(slices.Values(scopes)))
	if i := slices.IndexFunc(scopes, protocol.NoScopeToken); i >= 0 {
		return nil, fmt.Errorf("oauthlogin: Resource.Scopes has %q, which is not a scope", scopes[i])
	}
	if len(scopes) > 0 {
		t.params = append(t.params, "scope", strings.Join(scopes, " "))
	}
	// The origin is not part of the name: the token is the same.
	t.key = instances.Key(instances.KindResource, string(rec.ID[:])+weburl.Encode(t.params...))
	return t, nil
}

var errNotResource = errors.New("oauthlogin: the request goes to another origin than that of Resource.URL")

// mayGetToken returns why a request gets no token, nil if it does.
func (t *Target) mayGetToken(r *http.Request) error {
	if t.origin != "" && weburl.Origin(&url.URL{Scheme: strings.ToLower(r.URL.Scheme), Host: r.URL.Host}) != t.origin {
		return errNotResource
	}
	return nil
}
