package oauthlogintest_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

const (
	clientID     = "app"
	clientSecret = "s3cr:t/+ %"
	publicID     = "native"
	redirectURI  = "http://127.0.0.1:9/callback?tenant=1"
	publicURI    = "com.example.app:/callback"
	signedOutURI = "http://127.0.0.1:9/bye"
)

func start(t *testing.T, change ...func(*oauthlogintest.Config)) *oauthlogintest.Provider {
	t.Helper()
	cfg := oauthlogintest.Config{Clients: []oauthlogintest.Client{
		{ID: clientID, Secret: clientSecret, RedirectURIs: []string{redirectURI}, PostLogoutRedirectURIs: []string{signedOutURI}},
		{ID: publicID, RedirectURIs: []string{publicURI}},
	}}
	for _, f := range change {
		f(&cfg)
	}
	p := oauthlogintest.Start(cfg)
	t.Cleanup(p.Close)
	return p
}

// A browser keeps cookies and does not follow redirects.
type browser struct {
	t *testing.T
	*http.Client
}

func newBrowser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, &http.Client{
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

type response struct {
	*http.Response
	body string
}

func (b *browser) do(req *http.Request) response {
	b.t.Helper()
	resp, err := b.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return response{resp, string(body)}
}

func (b *browser) get(uri string, header ...string) response {
	b.t.Helper()
	return b.do(b.request("GET", uri, nil, header...))
}

func (b *browser) post(uri string, form url.Values, header ...string) response {
	b.t.Helper()
	return b.do(b.request("POST", uri, form, header...))
}

func (b *browser) request(method, uri string, form url.Values, header ...string) *http.Request {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, uri, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return req
}

// redirect returns the parameters of a redirect to the redirect URI.
func (a response) redirect(t *testing.T) url.Values {
	t.Helper()
	location := a.Header.Get("Location")
	if a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(location, redirectURI+"&") && !strings.HasPrefix(location, publicURI+"?") {
		t.Fatalf("got %d to %q, want 303 to the redirect URI\n%s", a.StatusCode, location, a.body)
	}
	u, err := url.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

func (a response) json(t *testing.T) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("%d %q: %v", a.StatusCode, a.body, err)
	}
	return v
}

// submit fills in the form on the page and submits it as a browser does.
func (b *browser) submit(page response, fields ...string) response {
	b.t.Helper()
	action := regexp.MustCompile(`<form method="post" action="([^"]*)"`).FindStringSubmatch(page.body)
	if page.StatusCode != http.StatusOK || action == nil {
		b.t.Fatalf("no form: %d\n%s", page.StatusCode, page.body)
	}
	form := url.Values{}
	hidden := regexp.MustCompile(`type="hidden" name="([^"]*)" value="([^"]*)"`)
	for _, m := range hidden.FindAllStringSubmatch(page.body, -1) {
		form.Add(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	target, err := page.Request.URL.Parse(html.UnescapeString(action[1]))
	if err != nil {
		b.t.Fatal(err)
	}
	return b.post(target.String(), form, "Sec-Fetch-Site", "same-origin")
}

// A login is an authorization request from the client app.
type login struct {
	p        *oauthlogintest.Provider
	verifier string
	params   url.Values
}

func newLogin(p *oauthlogintest.Provider, params ...string) login {
	verifier := rand.Text() + rand.Text()
	sum := sha256.Sum256([]byte(verifier))
	l := login{p, verifier, url.Values{
		"client_id": {clientID}, "redirect_uri": {redirectURI}, "response_type": {"code"},
		"scope": {"openid profile email"}, "state": {"some state"}, "nonce": {"some nonce"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}}
	for i := 0; i < len(params); i += 2 {
		l.params.Set(params[i], params[i+1])
		if params[i+1] == "" {
			l.params.Del(params[i])
		}
	}
	return l
}

func (l login) url() string {
	return l.p.Issuer() + "/authorize?" + l.params.Encode()
}

func (l login) exchangeForm(code string) url.Values {
	return url.Values{
		"grant_type": {"authorization_code"}, "code": {code},
		"redirect_uri": {redirectURI}, "code_verifier": {l.verifier},
	}
}

// basic returns the header that authenticates the client app.
func basic() []string {
	credentials := url.QueryEscape(clientID) + ":" + url.QueryEscape(clientSecret)
	return []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(credentials))}
}

// token posts to the token endpoint as the client app.
func (b *browser) token(p *oauthlogintest.Provider, form url.Values) response {
	b.t.Helper()
	return b.post(p.Issuer()+"/token", form, basic()...)
}

// signIn completes a login without a page and returns the token response. It
// requires AutoApprove or a session.
func (b *browser) signIn(p *oauthlogintest.Provider, params ...string) map[string]any {
	b.t.Helper()
	l := newLogin(p, params...)
	code := b.get(l.url()).redirect(b.t).Get("code")
	a := b.token(p, l.exchangeForm(code))
	if a.StatusCode != http.StatusOK {
		b.t.Fatalf("token endpoint: %d %s", a.StatusCode, a.body)
	}
	return a.json(b.t)
}

func (b *browser) refresh(p *oauthlogintest.Provider, token any, extra ...string) response {
	b.t.Helper()
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token.(string)}}
	for i := 0; i < len(extra); i += 2 {
		form.Set(extra[i], extra[i+1])
	}
	return b.token(p, form)
}

func (b *browser) userInfo(p *oauthlogintest.Provider, token any) response {
	b.t.Helper()
	return b.get(p.Issuer()+"/userinfo", "Authorization", "Bearer "+token.(string))
}

// wantError checks an error response of the token or revocation endpoint.
func wantError(t *testing.T, a response, status int, code string) {
	t.Helper()
	if a.StatusCode != status || a.json(t)["error"] != code {
		t.Errorf("got %d %s, want %d %s", a.StatusCode, a.body, status, code)
	}
	if a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("Cache-Control = %q, want no-store", a.Header.Get("Cache-Control"))
	}
}

func wantKeys(t *testing.T, m map[string]any, keys ...string) {
	t.Helper()
	slices.Sort(keys)
	if got := slices.Sorted(maps.Keys(m)); !slices.Equal(got, keys) {
		t.Errorf("got keys %q, want %q", got, keys)
	}
}
