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
	if err := c.Revoke(t.Context(), "", nil); err != nil || len(p.asked) > 0 {
		t.Errorf("without a token: %v, %v", err, p.asked)
	}
	if err := c.Revoke(t.Context(), "r", nil); err != nil || p.count("/revoke") != 1 {
		t.Error(err)
	}
	for _, status = range []int{204, 302, 400, 503, 599} {
		if err := c.Revoke(t.Context(), "r", nil); !Unavailable(err) {
			t.Errorf("%d: %v", status, err)
		}
	}
	delete(p.doc, "revocation_endpoint")
	if err := p.client().Revoke(t.Context(), "r", nil); err != nil || p.count("/revoke") != 6 {
		t.Errorf("without an endpoint: %v", err)
	}
	p.down(metadataPath)
	if err := p.client().Revoke(t.Context(), "r", nil); !Unavailable(err) {
		t.Errorf("without metadata: %v", err)
	}
}

// OpenID Connect RP-Initiated Logout section 2.
func TestEndSessionURL(t *testing.T) {
	t.Parallel()
	p := newFakeProvider()
	c := p.client()
	// The URL stays below 4,096 bytes.
	rest, _ := c.EndSessionURL(t.Context(), "", "s&t")
	room := maxLogoutURL - 1 - len(rest) - len("&id_token_hint=")
	for hint, sent := range map[string]bool{"": false, "i&d": true, strings.Repeat("a", room): true, strings.Repeat("a", room+1): false, strings.Repeat("&", room/3+1): false} {
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
	if location, err := c.EndSessionURL(t.Context(), "i", strings.Repeat("s", maxLogoutURL)); err != nil || len(location) >= maxLogoutURL || strings.Contains(location, "state=") || strings.Contains(location, "hint") {
		t.Errorf("a long state: %.300s, %v", location, err)
	}
	c.LogoutParams = url.Values{"logout_hint": {"alice"}, "ui_locales": {"de", "en"}}
	if location, err := c.EndSessionURL(t.Context(), "i", "s"); err != nil || !strings.Contains(location, "logout_hint=alice") || !strings.Contains(location, "ui_locales=de&ui_locales=en") {
		t.Errorf("with LogoutParams: %s, %v", location, err)
	}
	c.LogoutParams = url.Values{"long": {strings.Repeat("a", maxLogoutURL)}}
	if location, err := c.EndSessionURL(t.Context(), "i", "s"); err == nil || location != "" {
		t.Errorf("with LogoutParams that are too long: %.300s", location)
	}
	for name, own := range map[string]bool{"state": true, "Client_ID": true, "id_token_hint": true, "post_logout_redirect_uri": true, "logout_hint": false} {
		if err := CheckLogoutParams(url.Values{name: {"x"}}); (err != nil) != own {
			t.Errorf("%s: %v", name, err)
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
	if err := c.ready(t.Context()); err != nil {
		t.Error(err)
	}
	if got, err := c.Exchange(t.Context(), "c", "v", nil); err != nil || got.ID != "" || got.Access != "a" {
		t.Errorf("%v, %v", got, err)
	}
	if _, _, err := c.VerifyIDToken(t.Context(), newSigner(t, "k", "ES256").idToken(nil), "a"); err == nil {
		t.Error("an ID token is verified by nothing")
	}
	if err := c.Revoke(t.Context(), "r", nil); err != nil {
		t.Error(err)
	}
	if location, err := c.EndSessionURL(t.Context(), "", ""); location != "" || err != nil {
		t.Error(location, err)
	}
	if info, err := c.UserInfo(t.Context(), "a", "alice", nil); info != nil || err != nil {
		t.Error(info, err)
	}
	if len(p.asked) != 1 {
		t.Errorf("asked %v", p.asked)
	}
}
