package protocol

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"
)

// tokenErrors are responses of the token endpoint without tokens.
var tokenErrors = []struct {
	name, contentType string
	status            int
	body              string
	want              error // nil: another
	grant, down       bool  // the grant has ended; the provider is unavailable
}{
	{"invalid_grant", "application/json", 400, `{"error":"invalid_grant","error_description":"hostile"}`, &TokenError{400, "invalid_grant", true}, true, false},
	{"invalid_client", "application/json", 401, `{"error":"invalid_client"}`, &TokenError{401, "invalid_client", true}, false, false},
	{"invalid_grant with status 401", "application/json", 401, `{"error":"invalid_grant"}`, &TokenError{401, "invalid_grant", true}, true, false},
	{"invalid_grant with status 200", "application/json", 200, `{"error":"invalid_grant"}`, &TokenError{200, "invalid_grant", true}, true, false},
	{"temporarily_unavailable", "application/json", 400, `{"error":"temporarily_unavailable"}`, &TokenError{400, "temporarily_unavailable", true}, false, false},
	{"unauthorized_client", "application/json", 400, `{"error":"unauthorized_client"}`, &TokenError{400, "unauthorized_client", true}, false, false},
	{"use_dpop_nonce", "application/json", 400, `{"error":"use_dpop_nonce"}`, &TokenError{400, "use_dpop_nonce", true}, false, false}, // RFC 9449 section 8
	// CVE-2021-41580 GHSA-f794-r6xc-hf3v of passport-oauth2, and what GitHub does.
	{"an error and tokens with status 200", "application/json", 200, `{"error":"server_error","access_token":"x","token_type":"Bearer"}`, &TokenError{200, "server_error", true}, false, false},
	{"an error and tokens in a form", "application/x-www-form-urlencoded", 200, "error=attack&access_token=hostile", &TokenError{200, "attack", true}, false, false},
	{"an error that is an object", "application/json", 200, `{"error":{"code":"hostile"}}`, &TokenError{200, "", true}, false, false},
	{"errors", "application/json", 200, `{"errors":["hostile"]}`, nil, false, false},
	{"a message", "application/json", 200, `{"message":"hostile"}`, nil, false, false},
	{"an error with status 200", "application/json", 200, `{"error":"bad_refresh_token","access_token":"x"}`, &TokenError{200, "bad_refresh_token", true}, true, false},
	{"an error in a form", "application/x-www-form-urlencoded", 200, "error=bad_refresh_token", &TokenError{200, "bad_refresh_token", true}, true, false},
	{"an error that is not a code", "", 400, `{"error":"hostile words"}`, &TokenError{400, "unknown", true}, false, false},
	{"an error that is almost one", "", 400, `{"error":"invalid_grant\u0000"}`, &TokenError{400, "unknown", true}, false, false},
	{"an error by another name", "", 400, `{"ERROR":"invalid_grant"}`, &TokenError{400, "", true}, false, false},
	{"an error of a server that is down", "", 500, `{"error":"invalid_grant"}`, StatusError(500), false, true},
	{"too many requests", "", 429, `{"error":"invalid_grant"}`, StatusError(429), false, true},
	{"tokens of a server that is down", "", 500, `{"access_token":"x"}`, StatusError(500), false, true},
	{"a page with status 400", "text/html", 400, "<html>hostile", &TokenError{400, "", false}, false, false},
	{"a page with status 403", "text/html", 403, "<html>hostile", StatusError(403), false, true},
	{"a page for 400", "text/html", 400, "<html>hostile", &TokenError{400, "", false}, false, false},
	{"a page for 401 that is not said to be one", "", 401, " <!doctype html>hostile", StatusError(401), false, true},
	{"400 with nothing", "", 400, "", &TokenError{400, "", true}, false, false},
	{"403 with text", "text/plain", 403, "hostile", &TokenError{403, "", true}, false, false},
	{"404", "application/json", 404, `{}`, StatusError(404), false, true},
	{"a page", "text/html", 503, "<html>hostile", StatusError(503), false, true},
	{"a redirect", "", 302, `{"access_token":"x"}`, StatusError(302), false, true},
	{"a page with status 200", "text/html", 200, "<html>hostile", nil, false, false},
	{"nothing", "", 200, "", nil, false, false},
	{"nothing with status 204", "", 204, "", nil, false, false},
	{"null", "", 200, "null", nil, false, false},
	{"a string", "", 200, `"hostile"`, nil, false, false},
	{"half a response", "", 200, `{"access_token":"hostile`, nil, false, false},
	{"an empty object", "", 200, "{}", nil, false, false},
	{"a form that is called JSON", "application/json", 200, "access_token=x", nil, false, false},
	{"a form that is called a page", "text/html", 200, "access_token=x", nil, false, false},
	{"a list", "", 200, `[{"access_token":"x"}]`, nil, false, false},
	{"a form that is not one", "application/x-www-form-urlencoded", 200, "access_token=%zz", nil, false, false},
	{"no access token", "", 200, `{"refresh_token":"hostile"}`, nil, false, false},
	{"an access token by another name", "", 200, `{"ACCESS_TOKEN":"hostile"}`, nil, false, false},
	{"an empty access token", "", 200, `{"access_token":""}`, nil, false, false},
	{"an access token that is null", "", 200, `{"access_token":null,"id_token":null}`, nil, false, false},
	{"an access token that is an object", "", 200, `{"access_token":{"hostile":1}}`, nil, false, false},
	{"an access token with a zero", "", 200, `{"access_token":"a\u0000"}`, nil, false, false},
	{"an access token with a DEL", "", 200, `{"access_token":"a\u007f"}`, nil, false, false},
	{"an access token that is a number", "", 200, `{"access_token":5}`, nil, false, false},
	{"an access token with a line break", "", 200, `{"access_token":"a\r\nb"}`, nil, false, false},
	{"an access token outside ASCII", "", 200, `{"access_token":"é"}`, nil, false, false},
	{"a refresh token with a zero", "", 200, `{"access_token":"a","refresh_token":"a\u0000"}`, nil, false, false},
	{"a refresh token with a line break", "", 200, `{"access_token":"a","refresh_token":"a\n"}`, nil, false, false},
	{"type N_A", "", 200, `{"access_token":"a","token_type":"N_A"}`, nil, false, false},
	{"type DPoP", "", 200, `{"access_token":"a","token_type":"DPoP"}`, nil, false, false},
	{"a type with a space before it", "", 200, `{"access_token":"a","token_type":" Bearer"}`, nil, false, false},
	{"two types in one", "", 200, `{"access_token":"a","token_type":"Bearer DPoP"}`, nil, false, false},
	{"a type and more", "", 200, `{"access_token":"a","token_type":"Bearer\r\nhostile"}`, nil, false, false},
	{"a type that is an object", "", 200, `{"access_token":"a","token_type":{"type":"DPoP"}}`, nil, false, false},
	{"another type", "", 200, `{"access_token":"a","token_type":"mac"}`, nil, false, false},
	{"a type that is a number", "", 200, `{"access_token":"a","token_type":5}`, nil, false, false},
	{"a type that is a list", "", 200, `{"access_token":"a","token_type":["bearer"]}`, nil, false, false},
}

func TestTokenErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range tokenErrors {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseTokens(tt.status, tt.contentType, []byte(tt.body), time.Now(), false)
			if err == nil || got != nil || tt.want != nil && err.Error() != tt.want.Error() || (RefusalOf(err) == GrantEnded) != tt.grant || Unavailable(err) != tt.down || strings.Contains(err.Error(), "hostile") {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	if err := fmt.Errorf("exchange code: %w", &TokenError{400, "bad_verification_code", true}); !RefusesCode(err) || RefusalOf(err) == GrantEnded {
		t.Error("GitHub's bad_verification_code")
	}
}

// tokenResponses are responses with tokens (RFC 6749 section 5.1).
var tokenResponses = []struct {
	name, contentType, body string
	want                    Tokens
	lives                   time.Duration // -1: not said
}{
	{"all", "application/json", `{"access_token":"a","token_type":"Bearer","expires_in":3600,"refresh_token":"r","id_token":"i","scope":"x y","hostile":{}}`, Tokens{Access: "a", Type: "Bearer", Refresh: "r", ID: "i", Scope: "x y", HasScope: true}, time.Hour},
	{"the least", "", `{"access_token":"a"}`, Tokens{Access: "a"}, -1},
	{"nulls", "", `{"access_token":"a","token_type":null,"expires_in":null,"refresh_token":null,"scope":null}`, Tokens{Access: "a"}, -1},
	{"an empty scope", "", `{"access_token":"a","scope":"","token_type":""}`, Tokens{Access: "a", HasScope: true}, -1},
	{"a type in other case", "", `{"access_token":"a","token_type":"bEARER"}`, Tokens{Access: "a", Type: "bEARER"}, -1},
	{"a form", "application/x-www-form-urlencoded; charset=utf-8", "access_token=a&token_type=bearer&scope=x&expires_in=60", Tokens{Access: "a", Type: "bearer", Scope: "x", HasScope: true}, time.Minute},
	{"a form as text in other case", "Text/Plain", "access_token=a", Tokens{Access: "a"}, -1},
	{"JSON that is called text", "text/plain", "\n" + `{"access_token":"a"}`, Tokens{Access: "a"}, -1},
	{"JSON that is called a script", "text/javascript", `{"access_token":"a"}`, Tokens{Access: "a"}, -1},
	{"a scope and a refresh token that are not strings", "", `{"access_token":"a","scope":{"x":1},"refresh_token":1}`, Tokens{Access: "a", HasScope: true}, -1},
	{"a scope that is a list", "", `{"access_token":"a","scope":["read:user","repo"]}`, Tokens{Access: "a", Scope: "read:user repo", HasScope: true}, -1},
	{"a scope that is a list of numbers", "", `{"access_token":"a","scope":[1]}`, Tokens{Access: "a", HasScope: true}, -1},
	{"a form as text", "text/plain", "access_token=a", Tokens{Access: "a"}, -1},
	{"JSON that is called a form", "application/x-www-form-urlencoded", ` {"access_token":"a"}`, Tokens{Access: "a"}, -1},
	{"an empty error", "", `{"access_token":"a","error":""}`, Tokens{Access: "a"}, -1},
	{"an expiry that is not a number", "", `{"access_token":"a","expires_in":"never"}`, Tokens{Access: "a"}, 0},
	{"an expiry in a string", "", `{"access_token":"a","expires_in":"3600"}`, Tokens{Access: "a"}, time.Hour},
	{"an expiry in a thousand years", "", `{"access_token":"a","expires_in":1e400}`, Tokens{Access: "a"}, maxExpiresIn},
}

func TestTokenResponses(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, tt := range tokenResponses {
		t.Run(tt.name, func(t *testing.T) {
			if tt.want.Issued = now; tt.lives >= 0 {
				tt.want.Expiry = now.Add(tt.lives)
			}
			got, err := parseTokens(200, tt.contentType, []byte(tt.body), now, false)
			if err != nil || *got != tt.want {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestTokensAreNotPrinted(t *testing.T) {
	t.Parallel()
	tokens := Tokens{Access: "s3cret", Refresh: "s3cret", ID: "s3cret", Type: "Bearer", Scope: "openid"}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		for _, value := range []any{tokens, &tokens, []*Tokens{&tokens}} {
			if text := fmt.Sprintf(format, value); strings.Contains(text, "s3cret") || strings.Contains(text, "733363726574") {
				t.Errorf("%s prints %s", format, text)
			}
		}
	}
}

// RFC 6749 section 2.3, and sections 4.1.3 and 6: one request, authenticated in one
// way.
func TestTokenRequests(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		config  oauth2.Config
		methods any // of the metadata
		inBody  bool
	}{
		{"by default", oauth2.Config{ClientSecret: "s&cret"}, nil, false}, // oidcc-client-test-client-secret-basic
		{"post alone", oauth2.Config{ClientSecret: "s&cret"}, []string{"client_secret_post", "none"}, true},
		{"both", oauth2.Config{ClientSecret: "s&cret"}, []string{"client_secret_post", "client_secret_basic"}, false},
		{"neither", oauth2.Config{ClientSecret: "s&cret"}, []string{"private_key_jwt"}, false},
		{"as configured", oauth2.Config{ClientSecret: "s&cret", Endpoint: oauth2.Endpoint{AuthStyle: oauth2.AuthStyleInParams}}, []string{"client_secret_basic"}, true},
		{"Basic as configured", oauth2.Config{ClientSecret: "s&cret", Endpoint: oauth2.Endpoint{AuthStyle: oauth2.AuthStyleInHeader}}, []string{"client_secret_post"}, false},
		{"Basic without a secret", oauth2.Config{Endpoint: oauth2.Endpoint{AuthStyle: oauth2.AuthStyleInHeader}}, nil, true},
		{"without a secret", oauth2.Config{}, []string{"client_secret_basic"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newFakeProvider()
			p.doc["token_endpoint_auth_methods_supported"] = tt.methods
			p.says["/token"] = func(w http.ResponseWriter, r *http.Request) {
				r.ParseForm()
				id, secret, basic := r.BasicAuth()
				if basic == tt.inBody || basic && (id != "a+%2F+b" || secret != "s%26cret") || r.Method != http.MethodPost ||
					tt.inBody && (r.PostForm.Get("client_id") != "a / b" || r.PostForm.Get("client_secret") != tt.config.ClientSecret || r.PostForm.Has("client_secret") != (tt.config.ClientSecret != "")) {
					t.Errorf("request %v %v", r.Header, r.PostForm)
				}
				switch r.PostForm.Get("grant_type") {
				case "authorization_code":
					if r.PostForm.Get("code") != "c" || r.PostForm.Get("code_verifier") != "v" || r.PostForm.Get("redirect_uri") != "https://app.test/auth/callback" {
						t.Errorf("request %v", r.PostForm)
					}
				case "refresh_token":
					if r.PostForm.Get("refresh_token") != "r" {
						t.Errorf("request %v", r.PostForm)
					}
				default:
					t.Errorf("request %v", r.PostForm)
				}
				w.Write([]byte(`{"access_token":"a","id_token":"i"}`))
			}
			c := p.client()
			config := tt.config
			config.ClientID, config.RedirectURL = "a / b", "https://app.test/auth/callback"
			c.OAuth2 = &config
			if got, err := c.Exchange(t.Context(), "c", "v", nil); err != nil || got.ID != "i" {
				t.Error(err)
			}
			if _, err := c.Refresh(t.Context(), "r", nil); err != nil {
				t.Error(err)
			}
			p.down("/token")
			if _, err := c.Exchange(t.Context(), "c", "v", nil); !Unavailable(err) || RefusalOf(err) != NotRefused {
				t.Error(err)
			}
			if n := p.count("/token"); n != 3 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// The expiry counts from when the tokens were asked for.
func TestExpiryCountsFromRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newFakeProvider()
		p.says["/token"] = func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(5 * time.Second)
			w.Write([]byte(`{"access_token":"a","expires_in":60}`))
		}
		start := time.Now()
		got, err := p.client().Refresh(t.Context(), "r", nil)
		if err != nil || !got.Issued.Equal(start) || !got.Expiry.Equal(start.Add(time.Minute)) {
			t.Errorf("%v, %v", got, err)
		}
	})
}

// The values of expires_in that are seen in the wild: what is not a positive number is
// a token that has expired.
func TestParseExpiresIn(t *testing.T) {
	t.Parallel()
	for want, texts := range map[time.Duration][]string{
		0: {
			"0", "-0", "0.0", "-1", `"-1"`, "-4294963696", "-99999999999999999999", "-1e400",
			`""`, `"abc"`, `"soon"`, `"NaN"`, `"-Inf"`, "true", "[3600]", "{}", `{"hostile":3600}`,
		},
		time.Millisecond:          {"0.001"},
		1500 * time.Millisecond:   {"1.5"},
		1000 * time.Second:        {"1e3", `"1e3"`},
		time.Hour:                 {"3600", `"3600"`, `" 3600 "`},
		time.Hour + time.Second/2: {"3600.5"},
		maxExpiresIn:              {"4294967297", "9223372036854775807", "12345678901234567890", "1e400", `"Inf"`}, // the first is 1 in 32 bits
	} {
		for _, text := range texts {
			if got := parseExpiresIn(json.RawMessage(text)); got != want {
				t.Errorf("%s is %v, want %v", text, got, want)
			}
		}
	}
}

// FuzzTokenResponse: whatever the token endpoint says, there are tokens that a
// header can carry, or an error that repeats nothing.
func FuzzTokenResponse(f *testing.F) {
	for _, tt := range tokenErrors {
		f.Add(tt.status, tt.contentType, []byte(tt.body))
	}
	for _, tt := range tokenResponses {
		f.Add(200, tt.contentType, []byte(tt.body))
	}
	now := time.Now()
	f.Fuzz(func(t *testing.T, status int, contentType string, body []byte) {
		got, err := parseTokens(status, contentType, body, now, false)
		var refused *TokenError
		switch {
		case (err == nil) != (got != nil):
			t.Fatal("neither tokens nor an error, or both")
		case errors.As(err, &refused) && refused.Code != ErrorCode(refused.Code):
			t.Fatalf("error code %q", refused.Code)
		case err != nil && (len(err.Error()) > 120 || strings.ContainsAny(err.Error(), "\r\n")):
			t.Fatalf("error %v", err)
		case err != nil:
			return
		}
		if status/100 != 2 || got.Access == "" || strings.ContainsFunc(got.Access+got.Refresh, notPrintable) ||
			got.Type != "" && !strings.EqualFold(got.Type, "bearer") || !got.Expiry.IsZero() && (got.Expiry.Before(now) || got.Expiry.After(now.Add(maxExpiresIn))) {
			t.Fatalf("%d %s makes %v", status, body, got)
		}
	})
}

// FuzzExpiresIn: however expires_in is written (RFC 6749 section 5.1), the result is
// between zero and a year, and for a number what the number says.
func FuzzExpiresIn(f *testing.F) {
	for _, seed := range []string{
		"3600", `"3600"`, `" 3600 "`, "3600.5", "1e3", `"1e3"`, "0", "-0", "0.0", "-1", `"-1"`, "-4294963696", "-99999999999999999999", "-1e400",
		`""`, `"abc"`, `"NaN"`, `"-Inf"`, `"Inf"`,
		"true", "[3600]", `{"x":3600}`, "4294967297", "9223372036854775807", "12345678901234567890", "1e400", "1e-400", `"0x10p2"`, `"1_000"`, `"+1"`, `"\u0031"`, "31536000", "31535999.999",
	} {
		f.Add(seed)
	}
	const year = 365 * 24 * time.Hour
	f.Fuzz(func(t *testing.T, text string) {
		if !json.Valid([]byte(text)) || len(text) > 1000 {
			return
		}
		text = strings.Trim(text, " \t\r\n") // as a json.RawMessage comes
		got := parseExpiresIn(json.RawMessage(text))
		if got < 0 || got > year {
			t.Fatalf("%s is %v", text, got)
		}
		n, _, err := big.ParseFloat(text, 10, 200, big.ToNearestEven)
		if err != nil {
			if strings.ContainsAny(text[:1], "tfn[{") && got != 0 {
				t.Fatalf("%s is %v", text, got)
			}
			return
		}
		want := new(big.Float).Mul(n, big.NewFloat(float64(time.Second)))
		switch {
		case n.Sign() <= 0:
			want.SetInt64(0)
		case n.Cmp(big.NewFloat(year.Seconds())) >= 0:
			want.SetInt64(int64(year))
		}
		off := new(big.Float).Sub(want, new(big.Float).SetInt64(int64(got)))
		if off.Abs(off).Cmp(big.NewFloat(16)) > 0 { // nanoseconds, of 53 bits
			t.Fatalf("%s is %v", text, got)
		}
	})
}
