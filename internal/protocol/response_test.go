package protocol

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/oauth2"
)

// RFC 6749 sections 3.1 and 4.1.2.
func TestParseResponse(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]Response{
		"state=s&code=c": {State: "s", Code: "c"},
		"state=s&code=c&iss=i&hostile=1&hostile=2": {State: "s", Code: "c", Issuer: "i", HasIssuer: true},
		"state=s&error=access_denied&error_uri=u":  {State: "s", Error: "access_denied", HasError: true},
		"state=s&error=&iss=":                      {State: "s", HasError: true, HasIssuer: true},
		"":                                         {},
		"State=s&CODE=c":                           {},
		"code=" + strings.Repeat("a", maxParam):    {Code: strings.Repeat("a", maxParam)},
	} {
		if got, err := ParseResponse(query); err != nil || got != want {
			t.Errorf("%.60s: %+v, %v", query, got, err)
		}
	}
	for _, query := range []string{
		"state=s&state=s", "code=c&code=d", "iss=a&iss=b", "error=a&error=b", "error_description=a&error_description=b", "error_uri=a&error_uri=b",
		"state=%zz", "state=s;code=c", "state=" + strings.Repeat("a", maxParam+1), "error_description=" + strings.Repeat("a", maxParam+1),
	} {
		if got, err := ParseResponse(query); err == nil || got != (Response{}) {
			t.Errorf("%.60s is accepted", query)
		}
	}
}

// RFC 9207 section 2.4.
func TestCheckIssuer(t *testing.T) {
	t.Parallel()
	p := newFakeProvider()
	plain, promising := p.client(), newFakeProvider()
	promising.doc["authorization_response_iss_parameter_supported"] = true
	oauth := NewClient(Registration{OAuth2: &oauth2.Config{Endpoint: oauth2.Endpoint{AuthURL: "https://Forge.test:443/authorize"}}}, nil, plain.log)
	for _, tt := range []struct {
		name   string
		client *Client
		resp   Response
		ok     bool
	}{
		{"no iss", plain, Response{}, true},
		{"the issuer", plain, Response{Issuer: testIssuer, HasIssuer: true}, true},
		{"another", plain, Response{Issuer: "https://evil.test", HasIssuer: true}, false},
		{"a slash more", plain, Response{Issuer: testIssuer + "/", HasIssuer: true}, false},
		{"an empty one", plain, Response{HasIssuer: true}, false},
		{"no iss though promised", promising.client(), Response{}, false},
		{"no iss though promised, in an error", promising.client(), Response{Error: "access_denied", HasError: true}, false},
		{"the issuer as promised", promising.client(), Response{Issuer: testIssuer, HasIssuer: true}, true},
		{"no iss without metadata", oauth, Response{}, true},
		{"an issuer on the host, without metadata", oauth, Response{Issuer: "https://forge.test/login/oauth", HasIssuer: true}, true},
		{"an issuer elsewhere, without metadata", oauth, Response{Issuer: "https://evil.test/login/oauth", HasIssuer: true}, false},
		{"not a URL, without metadata", oauth, Response{Issuer: "%zz", HasIssuer: true}, false},
	} {
		err := tt.client.CheckIssuer(t.Context(), tt.resp)
		if (err == nil) != tt.ok || !tt.ok && (!errors.Is(err, ErrMixUp) || Unavailable(err)) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	p = newFakeProvider()
	p.down(metadataPath)
	if err := p.client().CheckIssuer(t.Context(), Response{}); !Unavailable(err) || errors.Is(err, ErrMixUp) {
		t.Errorf("without metadata: %v", err)
	}
}
