package adversarial_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/apptest"
)

// FuzzLogoutToken sends logout tokens with any header and claims, signed by the provider's
// key, and any body. A token that ends anything has all that a second reading asks of it,
// and what does not is refused without a trace.
func FuzzLogoutToken(f *testing.F) {
	const (
		signed = iota
		raw
		ways
	)
	const (
		header = `{"alg":"ES256","kid":"k","typ":"logout+jwt"}`
		event  = `"http://schemas.openid.net/event/backchannel-logout":{}`
		good   = `{"iss":"https://provider.test","aud":"app","iat":{now},"exp":{soon},"jti":"{jti}","sub":"alice","sid":"s-1","events":{` + event + `}}`
	)
	set := func(name, value string) string {
		var claims map[string]json.RawMessage
		if err := json.Unmarshal([]byte(strings.NewReplacer("{now}", `"{now}"`, "{soon}", `"{soon}"`).Replace(good)), &claims); err != nil {
			f.Fatal(err)
		}
		if claims[name] = json.RawMessage(value); value == "" {
			delete(claims, name)
		}
		var members []string
		for name, value := range claims {
			members = append(members, fmt.Sprintf("%q:%s", name, value))
		}
		return strings.NewReplacer(`"{now}"`, "{now}", `"{soon}"`, "{soon}").Replace("{" + strings.Join(members, ",") + "}")
	}
	and := func(member string) string { return strings.TrimSuffix(good, "}") + "," + member + "}" }
	for _, claims := range []string{
		good, set("sub", ""), set("sid", ""), set("sub", `""`), set("sub", "1"), set("sid", `""`), set("sid", "null"), set("iss", `"https://evil.test"`), set("iss", ""), set("aud", `"x"`), set("aud", `["app"]`), set("aud", `["app","x"]`), set("aud", "null"),
		set("iat", ""), set("iat", "0"), set("iat", "{later}"), set("iat", "{past}"), set("iat", `"{now}"`), set("exp", ""), set("exp", "{past}"), set("exp", "1e300"), set("exp", "1099511627775"), set("exp", "{later}"), set("jti", ""), set("jti", `""`), set("jti", "1"), set("jti", `"\u0000"`),
		set("events", ""), set("events", "{}"), set("events", "null"), set("events", "["+event[:len(event)-3]+"]"), set("events", `{"x":{},`+event+`}`), set("events", "{"+strings.Replace(event, "{}", "null", 1)+"}"), set("events", "{"+strings.Replace(event, "{}", "[]", 1)+"}"), set("events", "{"+event+","+strings.Replace(event, "{}", "1", 1)+"}"),
		and(`"nonce":"n"`), and(`"nonce":null`), and(`"Nonce":"n"`), and(`"azp":"x"`), and(`"nbf":{later}`), and(`"sub":"bob"`), and(`"SID":"s-2"`), and(`"events":{}`), "", "null", "[]", "{}", good + good, "\xff", strings.Repeat("[", 10_001),
	} {
		f.Add(header, claims, uint8(signed))
	}
	for _, header := range []string{
		`{"alg":"ES256"}`, `{"alg":"ES256","typ":"JWT"}`, `{"alg":"ES256","typ":"Application/Logout+JWT"}`, `{"alg":"ES256","typ":"at+jwt"}`, `{"alg":"ES256","typ":1}`, `{"alg":"none"}`, `{"alg":"HS256","kid":"k"}`, `{"alg":"ES384","kid":"k"}`, `{"alg":"ES256","kid":"x"}`, `{"alg":"ES256","crit":["exp"]}`, "", "{}",
	} {
		f.Add(header, good, uint8(signed))
	}
	for _, body := range []string{
		"logout_token={token}", "logout_token={token}&x=y", "logout_token={token}&logout_token={token}", "logout_token=", "", "&&", "logout_token={token};x", "logout_token={token}&%zz", "LOGOUT_TOKEN={token}", "logout_token={token}%00", "logout_token=a.b.c", "logout_token=..", "logout_token=" + strings.Repeat("x", 20_000), "logout%5Ftoken={token}", "logout_token={token}+", "x={token}", "\xff",
	} {
		f.Add("", body, uint8(raw))
	}

	const form = "application/x-www-form-urlencoded"
	s := apptest.NewStage(f, nil)
	n := 0
	send := func(t testing.TB, body string) int {
		w := s.Do(t, http.MethodPost, "/logout/backchannel", "", body, "Content-Type", form)
		if w.Header().Get("Cache-Control") != "no-store" || len(w.Header()["Set-Cookie"]) > 0 || w.Code != http.StatusOK && w.Code != http.StatusBadRequest || w.Body.Len() > 200 {
			t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
		}
		return w.Code
	}
	f.Fuzz(func(t *testing.T, header, claims string, way uint8) {
		n++
		if n%1000 == 0 { // what is remembered fills up
			s.Restart(t)
		}
		s.Reset()
		cookies := s.SignIn(t, strings.TrimSuffix(apptest.GoodClaims, "}")+`,"sid":"s-1"}`, apptest.GoodTokens)
		fill := strings.NewReplacer("{jti}", fmt.Sprint("j-", n), "{soon}", fmt.Sprint(time.Now().Unix()+120))
		now := apptest.PendingLogin{}
		token := s.Sign(header, now.Fill(fill.Replace(claims)))
		body := url.Values{"logout_token": {token}}.Encode()
		if way %= ways; way == raw {
			token = s.Sign(`{"alg":"ES256","kid":"k","typ":"logout+jwt"}`, now.Fill(fill.Replace(good)))
			body = strings.ReplaceAll(claims, "{token}", token)
		}
		code := send(t, body)
		signedIn := s.SignedIn(t, cookies)
		switch {
		case code == http.StatusBadRequest && !signedIn:
			t.Fatalf("refused, and signed out; %s", s.Log)
		case code == http.StatusOK:
			wantLogoutToken(t, token, signedIn)
			if again := send(t, body); again != http.StatusBadRequest {
				t.Errorf("again: %d", again)
			}
		}
		s.Quiet(t, token)
	})
}

// wantLogoutToken reads an accepted token a second time. Two readers of JSON may differ in
// names that are there twice, so it asks for less than all.
func wantLogoutToken(t *testing.T, token string, signedIn bool) {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	events, _ := claims["events"].(map[string]any)
	_, isObject := events["http://schemas.openid.net/event/backchannel-logout"].(map[string]any)
	_, hasNonce := claims["nonce"]
	jti, _ := claims["jti"].(string)
	sub, hasSub := claims["sub"].(string)
	sid, hasSID := claims["sid"].(string)
	iat, _ := claims["iat"].(float64)
	if claims["iss"] != "https://provider.test" || !isObject || hasNonce || jti == "" || !hasSub && !hasSID || time.Since(time.Unix(int64(iat), 0)).Abs() > 12*time.Minute {
		t.Errorf("accepted %s", payload)
	}
	if ends := hasSID && sid == "s-1" || !hasSID && sub == "alice"; ends == signedIn {
		t.Errorf("signed in: %t, after %s", signedIn, payload)
	}
}
