package protocol

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"
)

// RFC 7009 section 2.1.
func TestRevoke(t *testing.T) {
	t.Parallel()
	p := newFakeProvider()
	status := 200
	p.says["/revoke"] = func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		if id, secret, _ := r.BasicAuth(); r.PostForm.Encode() != "token=r&token_type_hint=refresh_token" || id != "app" || secret != "s3cret" {
			t.Errorf("request %v %v", r.PostForm, r.Header)
		}
		w.WriteHeader(status)
	}
	c := p.client()
	if err := c.Revoke(t.Context(), ""); err != nil || len(p.asked) > 0 {
		t.Errorf("without a token: %v, %v", err, p.asked)
	}
	if err := c.Revoke(t.Context(), "r"); err != nil || p.count("/revoke") != 1 {
		t.Error(err)
	}
	for _, status = range []int{204, 302, 400, 503, 599} {
		if err := c.Revoke(t.Context(), "r"); !Unavailable(err) {
			t.Errorf("%d: %v", status, err)
		}
	}
	delete(p.doc, "revocation_endpoint")
	if err := p.client().Revoke(t.Context(), "r"); err != nil || p.count("/revoke") != 6 {
		t.Errorf("without an endpoint: %v", err)
	}
	p.down(metadataPath)
	if err := p.client().Revoke(t.Context(), "r"); !Unavailable(err) {
		t.Errorf("without metadata: %v", err)
	}
}

// OpenID Connect RP-Initiated Logout section 2.
func TestEndSessionURL(t *testing.T) {
	t.Parallel()
	p := newFakeProvider()
	c := p.client()
	for hint, sent := range map[string]bool{"": false, "i&d": true, strings.Repeat("a", maxHintBytes): true, strings.Repeat("a", maxHintBytes+1): false} {
		location, err := c.EndSessionURL(t.Context(), hint, "s&t")
		u, _ := url.Parse(location)
		want := url.Values{"a": {"b"}, "client_id": {"app"}, "post_logout_redirect_uri": {"https://app.test/"}, "state": {"s&t"}}
		if sent {
			want.Set("id_token_hint", hint)
		}
		if err != nil || !strings.HasPrefix(location, testIssuer+"/logout?") || u.Query().Encode() != want.Encode() {
			t.Errorf("%.20s: %.300s, %v", hint, location, err)
		}
	}
	delete(p.doc, "end_session_endpoint")
	if location, err := p.client().EndSessionURL(t.Context(), "i", "s"); err != nil || location != "" {
		t.Errorf("without an endpoint: %s, %v", location, err)
	}
	p.down(metadataPath)
	if location, err := p.client().EndSessionURL(t.Context(), "i", "s"); !Unavailable(err) || location != "" {
		t.Errorf("without metadata: %s, %v", location, err)
	}
}

// A plain OAuth 2.0 provider has neither keys nor an issuer: nothing that it says of
// a user is verified here.
func TestPlainOAuth(t *testing.T) {
	t.Parallel()
	p := newFakeProvider()
	p.says["/token"] = func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(`{"access_token":"a","id_token":"i"}`)) }
	c := NewClient(Registration{OAuth2: &oauth2.Config{ClientID: "app", Endpoint: oauth2.Endpoint{AuthURL: "https://forge.test/authorize", TokenURL: "https://forge.test/token"}}}, NewBounded(p, nil), p.client().log)
	if err := c.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	if got, err := c.Exchange(t.Context(), "c", "v"); err != nil || got.ID != "" || got.Access != "a" {
		t.Errorf("%v, %v", got, err)
	}
	if _, _, err := c.VerifyIDToken(t.Context(), newSigner(t, "k", "ES256").idToken(nil), "a"); err == nil {
		t.Error("an ID token is verified by nothing")
	}
	if err := c.Revoke(t.Context(), "r"); err != nil {
		t.Error(err)
	}
	if location, err := c.EndSessionURL(t.Context(), "", ""); location != "" || err != nil {
		t.Error(location, err)
	}
	if info, err := c.UserInfo(t.Context(), "a", "alice"); info != nil || err != nil {
		t.Error(info, err)
	}
	if len(p.asked) != 1 {
		t.Errorf("asked %v", p.asked)
	}
}
