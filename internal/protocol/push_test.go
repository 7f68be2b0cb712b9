package protocol

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"
)

// pushes has the provider take pushed authorization requests.
func (p *fakeProvider) pushes(t *testing.T, respond http.HandlerFunc) *[]url.Values {
	t.Helper()
	p.doc["pushed_authorization_request_endpoint"] = testIssuer + "/par"
	forms := &[]url.Values{}
	p.says["/par"] = func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.Method != http.MethodPost || r.URL.RawQuery != "" {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
		}
		*forms = append(*forms, r.PostForm)
		respond(w, r)
	}
	return forms
}

func pushed(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusCreated)
	w.Write([]byte(`{"request_uri":"urn:example:a&b=c#d","expires_in":60}`))
}

// RFC 9126 sections 2.1 and 4: what is pushed is what would have been in the URL, and the
// URL has the reference alone, beside the endpoint's own query.
func TestPush(t *testing.T) {
	t.Parallel()
	front, push := newFakeProvider(), newFakeProvider()
	forms := push.pushes(t, pushed)
	ask := func(p *fakeProvider) (*AuthorizationRequest, url.Values) {
		p.doc["authorization_endpoint"] = testIssuer + "/authorize?tenant=a&STATE=x&prompt=x&request_uri=x"
		c := p.client()
		c.AuthParams = url.Values{"prompt": {"consent"}, "max_age": {"60"}}
		r, err := c.AuthorizationRequest(t.Context(), url.Values{"acr_values": {"b", "c"}, "login_hint": {"a & b"}}, "email")
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(r.URL)
		if err != nil || u.Fragment != "" {
			t.Fatalf("%s: %v", r.URL, err)
		}
		return r, u.Query()
	}
	_, inURL := ask(front)
	states := map[string]bool{}
	for range 2 {
		r, query := ask(push)
		want := url.Values{"tenant": {"a"}, "prompt": {"x"}, "client_id": {"app"}, "request_uri": {"urn:example:a&b=c#d"}}
		if query.Encode() != want.Encode() {
			t.Errorf("the browser carries %v", query)
		}
		form := (*forms)[len(*forms)-1]
		if form.Get("state") != r.State || form.Get("nonce") != r.Want.Nonce || form.Get("code_challenge") != oauth2.S256ChallengeFromVerifier(r.Verifier) {
			t.Errorf("pushed %v", form)
		}
		states[r.State] = true
		for _, name := range []string{"state", "nonce", "code_challenge"} {
			form.Set(name, inURL.Get(name))
		}
		if form.Encode() != inURL.Encode() {
			t.Errorf("pushed %v; the URL would have %v", form, inURL)
		}
	}
	if len(*forms) != 2 || len(states) != 2 {
		t.Errorf("%d pushes, states %v", len(*forms), states)
	}
}

// The client authenticates as at the token endpoint, and client_id is there once.
func TestPushAuthenticates(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*Client){
		"by Basic":     func(*Client) {},
		"in the body":  func(c *Client) { c.OAuth2.Endpoint.AuthStyle = oauth2.AuthStyleInParams },
		"public":       func(c *Client) { c.OAuth2.ClientSecret = "" },
		"by assertion": func(c *Client) { c.OAuth2.ClientSecret, c.ClientAssertion = "", fixedAssertion },
	} {
		p := newFakeProvider()
		basic := false
		forms := p.pushes(t, func(w http.ResponseWriter, r *http.Request) {
			_, _, basic = r.BasicAuth()
			pushed(w, r)
		})
		c := p.client()
		edit(c)
		if _, err := c.AuthorizationRequest(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		form := (*forms)[0]
		if len(form["client_id"]) != 1 || basic != (name == "by Basic") || form.Has("client_secret") != (name == "in the body") || form.Has("client_assertion") != (name == "by assertion") {
			t.Errorf("%s: basic %t, %v", name, basic, form)
		}
	}
}

// pushResponses are responses that are not a success.
var pushResponses = []struct {
	name   string
	status int
	body   string
	down   bool
	says   string
}{
	{"an error", 400, `{"error":"invalid_request","error_description":"hostile"}`, false, `400 with error "invalid_request"`},
	{"invalid_client", 401, `{"error":"invalid_client"}`, false, `401 with error "invalid_client"`},
	{"an error with status 201", 201, `{"error":"invalid_scope","request_uri":"urn:x"}`, false, `201 with error "invalid_scope"`},
	{"an error that is an object", 201, `{"error":{"code":"hostile"},"request_uri":"urn:x"}`, false, "error without a code"},
	{"an error that is null", 201, `{"error":null,"request_uri":"urn:x"}`, false, "error without a code"},
	{"an error that is empty", 201, `{"error":"","request_uri":"urn:x"}`, false, "error without a code"},
	{"an error that is false", 200, `{"error":false,"request_uri":"urn:x"}`, false, "error without a code"},
	{"an error that is no code", 400, `{"error":"hostile words"}`, false, `error "unknown"`},
	{"a server that is down", 503, `{"error":"temporarily_unavailable"}`, true, `503 with error "temporarily_unavailable"`},
	{"a page of one that is down", 502, `<html>hostile`, true, "502"},
	{"too many requests", 429, ``, true, "429"},
	{"an error that says it is down", 400, `{"error":"temporarily_unavailable"}`, true, "temporarily_unavailable"},
	{"404", 404, `hostile`, false, "404"},
	{"202", 202, `{"request_uri":"urn:x"}`, false, "202"},
	{"204", 204, ``, false, "204"},
	{"a redirect", 303, `{"request_uri":"urn:x"}`, false, "303"},
	{"nothing", 201, ``, false, "not a JSON object"},
	{"a page", 201, `<html>hostile`, false, "not a JSON object"},
	{"a list", 201, `["request_uri","urn:x"]`, false, "not a JSON object"},
	{"null", 201, `null`, false, "not a JSON object"},
	{"text behind", 201, `{"request_uri":"urn:x"} hostile`, false, "not a JSON object"},
	{"no request_uri", 201, `{"expires_in":60}`, false, "no request_uri"},
	{"an empty one", 201, `{"request_uri":""}`, false, "no request_uri"},
	{"one by another name", 201, `{"Request_URI":"urn:x"}`, false, "no request_uri"},
	{"one that is a number", 201, `{"request_uri":7}`, false, "no request_uri"},
	{"one that is a list", 201, `{"request_uri":["urn:x"]}`, false, "no request_uri"},
	{"one with a line break", 201, `{"request_uri":"urn:hostile\r\nx"}`, false, "no URL can carry"},
	{"one with a null", 201, `{"request_uri":"urn:hostile\u0000"}`, false, "no URL can carry"},
	{"one with a C1 control", 201, `{"request_uri":"urn:hostile\u0085"}`, false, "no URL can carry"},
	{"one that is too long", 201, `{"request_uri":"` + strings.Repeat("a", maxRequestURI+1) + `"}`, false, "no URL can carry"},
	{"2 MiB", 201, `{"request_uri":"` + strings.Repeat("a", 2<<20) + `"}`, false, "response of over"},
}

// A response counts only if it is a success in each respect. No other way is tried.
func TestPushRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range pushResponses {
		t.Run(tt.name, func(t *testing.T) {
			p := newFakeProvider()
			forms := p.pushes(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				w.Write([]byte(tt.body))
			})
			r, err := p.client().AuthorizationRequest(t.Context(), nil)
			var refused *PushError
			if r != nil || !errors.As(err, &refused) || Unavailable(err) != tt.down || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "hostile") {
				t.Errorf("%+v, %v; unavailable %t", r, err, Unavailable(err))
			}
			if len(*forms) != 1 {
				t.Errorf("%d pushes", len(*forms))
			}
			if strings.Contains(p.logged(), "hostile") {
				t.Errorf("logged %s", p.logged())
			}
		})
	}
}

func TestPushAccepted(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status int
		body   string
	}{
		"201":                     {201, `{"request_uri":"urn:x","expires_in":60}`},
		"200":                     {200, `{"request_uri":"urn:x","expires_in":60}`},
		"no expires_in":           {201, `{"request_uri":"urn:x"}`},
		"an expires_in of a kind": {201, `{"request_uri":"urn:x","expires_in":"soon"}`},
		"unknown members":         {201, `{"request_uri":"urn:x","x":{}}`},
	} {
		if got, err := parsePush(tt.status, []byte(tt.body)); got != "urn:x" || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// RFC 9126 section 5: a provider that requires pushing, and has nowhere to push to, gets
// no request at all.
func TestPushRequired(t *testing.T) {
	t.Parallel()
	for name, endpoint := range map[string]any{"none": nil, "an empty one": "", "a number": 7, "plain http": "http://provider.test/par", "a relative one": "/par"} {
		p := newFakeProvider()
		p.doc["require_pushed_authorization_requests"] = true
		p.doc["pushed_authorization_request_endpoint"] = endpoint
		r, err := p.client().AuthorizationRequest(t.Context(), nil)
		if err == nil || !Unavailable(err) {
			t.Errorf("%s: %v, %v", name, r, err)
		}
	}
	p := newFakeProvider()
	p.doc["require_pushed_authorization_requests"] = false
	if _, err := p.client().AuthorizationRequest(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

// A browser waits for the push, so all of it together has one bound.
func TestPushIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newFakeProvider()
		p.pushes(t, func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(time.Hour):
			case <-r.Context().Done():
			}
			w.WriteHeader(599)
		})
		c := p.client()
		c.OAuth2.ClientSecret = ""
		c.ClientAssertion = func(context.Context, string) (string, error) {
			time.Sleep(requestTimeout - time.Second)
			return "assertion", nil
		}
		if err := c.ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		_, err := c.AuthorizationRequest(t.Context(), nil)
		if took := time.Since(start); !Unavailable(err) || took > requestTimeout {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

// The log at Debug has what the provider says, without what was sent.
func TestPushIsDescribed(t *testing.T) {
	t.Parallel()
	for description, want := range map[string]string{
		"scope is not allowed here": "scope is not allowed here", "unknown user alice.archer": "", "state %s is short": "",
	} {
		p := newFakeProvider()
		var forms *[]url.Values
		forms = p.pushes(t, func(w http.ResponseWriter, _ *http.Request) {
			text := description
			if strings.Contains(text, "%s") {
				text = fmt.Sprintf(text, (*forms)[0].Get("state"))
			}
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"error":"invalid_request","error_description":%q}`, text)
		})
		c := p.client()
		c.log = debugLog(p)
		if _, err := c.AuthorizationRequest(t.Context(), url.Values{"login_hint": {"alice.archer"}}); err == nil {
			t.Error("accepted")
		}
		log := p.logged()
		if got := strings.Contains(log, "pushed_authorization_request"); got != (want != "") || !strings.Contains(log, want) || strings.Contains(log, "alice") {
			t.Errorf("%s: logged %q", description, log)
		}
	}
}

// FuzzPush: whatever the endpoint says, there is a URI that a URL can carry, or an error
// that repeats nothing.
func FuzzPush(f *testing.F) {
	for _, tt := range pushResponses {
		f.Add(tt.status, []byte(tt.body))
	}
	f.Add(201, []byte(`{"request_uri":"urn:x"}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		uri, err := parsePush(status, body)
		var refused *PushError
		switch {
		case (err == nil) != (uri != ""):
			t.Fatal("neither a URI nor an error, or both")
		case err == nil && (status != 200 && status != 201 || strings.ContainsFunc(uri, func(r rune) bool { return r < 0x20 || r == 0x7f })):
			t.Fatalf("%d: %q", status, uri)
		case err != nil && (!errors.As(err, &refused) || refused.Code != "" && refused.Code != ErrorCode(refused.Code) || len(err.Error()) > 200):
			t.Fatalf("error %v", err)
		}
	})
}
