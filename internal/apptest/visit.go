package apptest

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/oauthlogin/oauthlogin"
)

// Visit requests a page behind RequireAuth of one instance, with exactly these
// cookies, each byte as it is. It returns the session that the page sees, nil if the
// page is not shown.
func Visit(t *testing.T, auth *oauthlogin.Middleware, cookies map[string]string) (s *oauthlogin.Session, w *httptest.ResponseRecorder) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "https://app.test/page", nil)
	for name, value := range cookies {
		r.Header.Add("Cookie", name+"="+value)
	}
	w = httptest.NewRecorder()
	Audited(t, true, auth.RequireAuth(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s, _ = oauthlogin.FromContext(r.Context())
	}))).ServeHTTP(w, r)
	return s, w
}
