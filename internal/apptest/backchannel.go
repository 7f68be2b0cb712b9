package apptest

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
)

// SendLogoutToken sends a logout token to the application as a provider does, with header
// as for Serve in place of the form's Content-Type.
func (a *App) SendLogoutToken(token string, header ...string) *httptest.ResponseRecorder {
	return a.PostBackChannel(url.Values{"logout_token": {token}}.Encode(), append([]string{"Content-Type", "application/x-www-form-urlencoded"}, header...)...)
}

// PostBackChannel posts a body to where providers send logout tokens.
func (a *App) PostBackChannel(body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, a.URL+"/logout/backchannel", strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w
}

// SID returns the sid of the session that a browser has, "" if it has none.
func (b *Browser) SID() string {
	b.T.Helper()
	user, ok := b.user("/api/me")
	var claims struct {
		SID string `json:"sid"`
	}
	if ok && user.Claims(&claims) != nil {
		b.T.Error("the session has no claims")
	}
	return claims.SID
}
