package interop_test

import (
	"net/http"
	"testing"
)

// TestFormPost has providers post their responses (response_mode=form_post), through several rotations of the refresh token.
func TestFormPost(t *testing.T) {
	for name, newProvider := range providers {
		t.Run(name, func(t *testing.T) {
			a, p := newAppAt(t, newProvider)
			a.env = append(a.env, "OAUTH_FORM_POST=1", "OAUTH_SCOPES=openid profile email offline_access")
			p.shortTokens()
			p.start(t)
			a.start(t)

			keepsReturnPath(t, a, p)
			twoTabs(t, a, p)
			cancelled(t, a, p)
			whoSignedIn(t, a, p)

			v := newVisitor(t)
			signedIn(v, a, p)
			for range 2 {
				before := p.tokenCalls(t)
				eventually(t, patience, "a refresh", func() bool {
					v.fetch(http.MethodGet, a.url, a.url+"/api/profile").want(http.StatusOK, a.url+"/api/profile")
					return p.tokenCalls(t) > before
				})
			}
			dashboard := v.open(a.url+"/dashboard").want(http.StatusOK, a.url+"/dashboard")
			p.signOut(dashboard.submit(nil)).want(http.StatusOK, a.url+"/")
		})
	}
}
