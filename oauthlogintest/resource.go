package oauthlogintest

import (
	"net/url"
	"slices"
	"strings"
)

// audienceOf returns the API that a refresh requests a token for, by resource (RFC 8707) or
// audience; "": the Provider's own user info.
func (p *Provider) audienceOf(form url.Values) (string, *oauthError) {
	audience := form.Get("audience")
	if resource := form.Get("resource"); resource != "" {
		u, err := url.Parse(resource)
		if err != nil || !u.IsAbs() || strings.Contains(resource, "#") {
			return "", &oauthError{Code: "invalid_target", Description: "resource must be an absolute URI without a fragment"}
		}
		if audience != "" && audience != resource {
			return "", &oauthError{Code: "invalid_target", Description: "resource and audience differ"}
		}
		audience = resource
	}
	if audience != "" && !slices.Contains(p.config.Resources, audience) {
		return "", &oauthError{Code: "invalid_target", Description: "the resource is not in Config.Resources"}
	}
	return audience, nil
}
