package apptest

import (
	"net/http"
	"net/url"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// AuthorizationResponse has the authorization endpoint redirect to the callback
// at once, with the state of the request, the issuer and what change adds.
func (a *App) AuthorizationResponse(change func(query url.Values)) {
	a.Provider.Intercept(oauthlogintest.Authorization, func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
		query := url.Values{"state": {r.URL.Query().Get("state")}, "iss": {a.Provider.Issuer()}}
		change(query)
		w.Header().Set("Location", a.URL+"/auth/callback?"+query.Encode())
		w.WriteHeader(http.StatusSeeOther)
	})
}
