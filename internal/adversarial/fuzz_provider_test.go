package adversarial_test

import (
	"encoding/json"
	"mime"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/apptest"
)

// members returns the members of a JSON object by their exact names, each with
// all its values; nil if it is none.
func members(text string) map[string][]json.RawMessage {
	d := json.NewDecoder(strings.NewReader(text))
	if first, err := d.Token(); err != nil || first != json.Delim('{') || !json.Valid([]byte(text)) {
		return nil
	}
	m := map[string][]json.RawMessage{}
	for d.More() {
		name, _ := d.Token()
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil
		}
		m[name.(string)] = append(m[name.(string)], value)
	}
	return m
}

// last is what the last of several members of one name says (RFC 7519 section
// 4), nil if there is none.
func last[T any](m map[string][]json.RawMessage, name string) (v *T) {
	if values := m[name]; len(values) > 0 && json.Unmarshal(values[len(values)-1], &v) != nil {
		return nil
	}
	return v
}

// once reports whether no member of these occurs twice, or under another
// spelling.
func once(m map[string][]json.RawMessage, names ...string) bool {
	for name, values := range m {
		for _, known := range names {
			if strings.EqualFold(name, known) && (name != known || len(values) > 1) {
				return false
			}
		}
	}
	return true
}

func printableASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < 0x20 || r > 0x7e }) < 0
}

// A tokenVerdict is what RFC 6749 section 5 makes of a response of the token endpoint, by
// a reader of its own.
type tokenVerdict struct {
	sure   bool   // there is one way to read it
	good   bool   // it has tokens
	access string // the access token, where it is good
	id     string
	error  string // the error, unless the server is down
}

func judgeTokens(a apptest.Reply) (v tokenVerdict) {
	m := members(a.Body)
	v.sure = m != nil && a.ContentType == "application/json"
	if m == nil {
		form, err := url.ParseQuery(a.Body)
		if err != nil || !strings.Contains(a.ContentType, "/") {
			return v
		}
		m = map[string][]json.RawMessage{}
		for name := range form {
			value, _ := json.Marshal(form.Get(name))
			m[name] = append(m[name], value)
		}
	}
	v.sure = v.sure && once(m, "access_token", "refresh_token", "id_token", "token_type", "error")
	str := func(name string) string {
		s := last[string](m, name)
		if s == nil {
			return ""
		}
		return *s
	}
	if a.Status < 500 && a.Status != http.StatusTooManyRequests {
		v.error = str("error")
	}
	v.access, v.id = str("access_token"), str("id_token")
	// A type that is no string is none that we understand (section 7.1).
	var kind any = "bearer"
	if values := m["token_type"]; len(values) > 0 {
		json.Unmarshal(values[len(values)-1], &kind)
	}
	name, isString := kind.(string)
	v.good = a.Status/100 == 2 && v.error == "" && v.access != "" && printableASCII(v.access) && printableASCII(str("refresh_token")) &&
		(kind == nil || isString && (name == "" || strings.EqualFold(name, "bearer")))
	return v
}

// RFC 6749 sections 5.1, 5.2 and 6: what the token endpoint says makes a
// session, or keeps or ends one, as documented; and no header gets anything in
// it that is no token.
func FuzzTokenEndpoint(f *testing.F) {
	form, text := "application/x-www-form-urlencoded", "text/plain; charset=utf-8"
	one := func(member string) string { return strings.TrimSuffix(apptest.GoodTokens, "}") + "," + member + "}" }
	for _, a := range []apptest.Reply{
		apptest.InJSON(apptest.GoodTokens),
		apptest.Say(200, form, "access_token=x&token_type=bearer&id_token={id_token}"),
		apptest.Say(200, text, "access_token=x&id_token={id_token}"),
		apptest.Say(200, form, apptest.GoodTokens),
		apptest.Say(200, "", apptest.GoodTokens),
		apptest.Say(400, "application/json", `{"error":"invalid_grant"}`),
		apptest.Say(401, "application/json", `{"error":"invalid_client"}`),
		apptest.Say(400, "application/json", `{"error":"\n\u0000hostile"}`),
		apptest.Say(400, "text/html", apptest.Hostile),
		apptest.Say(403, "text/html", apptest.Hostile),
		apptest.Say(429, "application/json", `{"error":"slow_down"}`),
		apptest.Say(500, "application/json", `{"error":"invalid_grant"}`),
		apptest.Say(503, "", ""),
		apptest.Say(500, "application/json", apptest.GoodTokens),
		apptest.Say(200, "application/json", `{"error":"bad_verification_code"}`),
		apptest.Say(200, form, "error=bad_refresh_token"),
		apptest.Say(200, form, "error=bad_refresh_to\xa4ken"), // no code that ends a session
		apptest.Say(400, "application/json", `{"error":"invalid_grant\u0000"}`),
		apptest.InJSON(one(`"error":"invalid_grant"`)), apptest.InJSON(one(`"error":""`)), apptest.InJSON(one(`"error":null`)), apptest.InJSON(one(`"ERROR":"x"`)),
		apptest.Say(200, "text/html", apptest.Hostile),
		apptest.Say(200, form, "access_token=%zz"),
		apptest.InJSON(""),
		apptest.Say(204, "", ""),
		apptest.InJSON("null"), apptest.InJSON("[" + apptest.GoodTokens + "]"), apptest.InJSON(`"x"`), apptest.InJSON(apptest.GoodTokens[:40]),
		apptest.Say(302, "", apptest.GoodTokens),
		apptest.Say(599, "", "{}"),
		apptest.InJSON(strings.Replace(apptest.GoodTokens, `"an-access-token"`, `""`, 1)), apptest.InJSON(strings.Replace(apptest.GoodTokens, `"an-access-token"`, `12345678`, 1)), apptest.InJSON(strings.Replace(apptest.GoodTokens, "access_token", "ACCESS_TOKEN", 1)),
		apptest.InJSON(strings.Replace(apptest.GoodTokens, "an-access", `a\r\nX-Hostile: 1`, 1)), apptest.InJSON(strings.Replace(apptest.GoodTokens, "an-access", `a\u0000`, 1)), apptest.InJSON(strings.Replace(apptest.GoodTokens, "an-access", `a\u007f`, 1)), apptest.InJSON(strings.Replace(apptest.GoodTokens, "an-access", "é", 1)),
		apptest.InJSON(strings.Replace(apptest.GoodTokens, "a-refresh", `a\n`, 1)), apptest.InJSON(strings.Replace(apptest.GoodTokens, "Bearer", "mac", 1)), apptest.InJSON(strings.Replace(apptest.GoodTokens, "Bearer", "bEARER", 1)), apptest.InJSON(strings.Replace(apptest.GoodTokens, `"Bearer"`, "5", 1)), apptest.InJSON(strings.Replace(apptest.GoodTokens, `"Bearer"`, `["mac"]`, 1)),
		apptest.InJSON(one(`"token_type":"mac"`)), apptest.InJSON(one(`"access_token":"b\r\n"`)), apptest.InJSON(one(`"id_token":"e30.e30.AAAA"`)), apptest.InJSON(one(`"id_token":null`)), apptest.InJSON(strings.Replace(apptest.GoodTokens, `"{id_token}"`, `["{id_token}"]`, 1)), apptest.InJSON(strings.Replace(apptest.GoodTokens, "{id_token}", "{id_token}.", 1)),
		apptest.InJSON(one(`"scope":["a"],"expires_in":"-1"`)), apptest.InJSON(one(`"expires_in":1e400`)), apptest.InJSON(one(`"expires_in":0.000000001`)), apptest.InJSON(one(`"expires_in":{}`)), apptest.InJSON(one(`"scope":"` + strings.Repeat("s ", 5000) + `"`)),
		apptest.InJSON("\ufeff" + apptest.GoodTokens), apptest.InJSON(" \t\n" + apptest.GoodTokens + "\n"), apptest.InJSON(apptest.GoodTokens + "{}"),
	} {
		f.Add(a.Status-200, a.ContentType, a.Body, false)
		f.Add(a.Status-200, a.ContentType, a.Body, true)
	}
	s := apptest.NewStage(f, nil)
	for _, a := range []apptest.Reply{
		apptest.InJSON(apptest.GoodTokens), apptest.InJSON("{}"),
		apptest.Say(500, "", ""),
		apptest.Say(400, "application/json", `{"error":"invalid_grant"}`),
		apptest.InJSON(strings.Replace(apptest.GoodTokens, "an-access-token", apptest.Incompressible(30_000), 1)), apptest.InJSON(strings.Replace(apptest.GoodTokens, "an-access-token", apptest.Incompressible(5_000), 1)),
	} {
		l := s.Begin(f)
		a.Body = strings.ReplaceAll(a.Body, "{id_token}", s.Sign(apptest.GoodHeader, l.Fill(apptest.GoodClaims)))
		s.Learn(s.Finish(f, l, a))
	}
	f.Fuzz(func(t *testing.T, status int, contentType, body string, refresh bool) {
		s.Reset()
		l := s.Begin(t)
		idToken := s.Sign(apptest.GoodHeader, l.Fill(apptest.GoodClaims))
		a := apptest.Say(200+int(uint(status)%400), contentType, strings.ReplaceAll(body, "{id_token}", idToken))
		v := judgeTokens(a)
		if refresh {
			fuzzRefresh(t, s, l, a, idToken)
			return
		}
		w := s.Finish(t, l, a)
		signedIn := w.Code == http.StatusSeeOther
		if len(a.Body) < 2500 || !signedIn { // or there are more cookies than one
			s.Plain(t, w)
		}
		if n := s.Asked["/token"]; n != 1 {
			t.Errorf("%d token requests", n)
		}
		switch {
		case signedIn && !(v.good && v.id == idToken):
			t.Errorf("signed in by %d %s", a.Status, a.Body)
		case !signedIn && v.sure && v.good && v.id == idToken && len(a.Body) < 2500:
			t.Errorf("not signed in: %d %s", w.Code, s.Log)
		case w.Code == http.StatusBadRequest && v.error != "invalid_grant" && v.error != "bad_verification_code",
			w.Code == http.StatusInternalServerError && len(a.Body) < 2500,
			!signedIn && !slices.Contains([]int{400, 500, 502}, w.Code):
			t.Errorf("status %d for %d %s", w.Code, a.Status, a.Body)
		}
		if s.SignedIn(t, apptest.KeptBy(w)) && (!signedIn || s.User.Subject != "alice") {
			t.Errorf("signed in as %q", s.User.Subject)
		}
		if s.Token != nil {
			if s.Token.AccessToken != v.access {
				t.Errorf("token is %q", s.Token.AccessToken)
			}
			// What is no number never makes a token that lives for ever.
			values := members(a.Body)["expires_in"]
			if len(values) > 0 && string(values[len(values)-1]) != "null" && s.Token.Expiry.IsZero() || time.Until(s.Token.Expiry) > 366*24*time.Hour {
				t.Errorf("token expires at %v", s.Token.Expiry)
			}
		}
		s.Quiet(t, l.Nonce, idToken)
	})
}

// fuzzRefresh refreshes a session whose access token an API refuses, with this response.
func fuzzRefresh(t *testing.T, s *apptest.Stage, l apptest.PendingLogin, a apptest.Reply, idToken string) {
	v := judgeTokens(a)
	first := strings.ReplaceAll(strings.Replace(apptest.GoodTokens, "an-access", "a-first", 1), "{id_token}", idToken)
	cookies := apptest.KeptBy(s.Finish(t, l, apptest.InJSON(first)))
	s.Says["/token"] = apptest.Always(a)
	s.Inside = func(client *http.Client) {
		if resp, err := client.Get("https://api.test/thing"); err == nil {
			resp.Body.Close()
		}
	}
	refused := true
	s.Says["/thing"] = func(url.Values) apptest.Reply {
		if refused {
			refused = false
			return apptest.Reply{Status: http.StatusUnauthorized}
		}
		return apptest.Reply{Status: http.StatusOK}
	}
	defer func() { s.Says["/thing"] = apptest.Always(apptest.Reply{Status: http.StatusOK}) }()
	if !s.SignedIn(t, cookies) || s.User.Subject != "alice" {
		t.Fatalf("not signed in before the refresh: %s", s.Log)
	}
	s.Inside = nil
	if n := s.Asked["/token"]; n != 2 {
		t.Errorf("%d token requests", n)
	}

	// An ID token that no key verifies is passed over while keys were just fetched:
	// what becomes of it depends on the runs before.
	unsure := v.good && v.id != idToken && strings.Count(v.id, ".") == 2
	good := v.good && (v.id == "" || v.id == idToken || unsure)
	for i, bearer := range s.Bearers {
		if bearer != "Bearer a-first-token" && !(i > 0 && good && bearer == "Bearer "+v.access) || !printableASCII(bearer) {
			t.Errorf("sent %q", bearer)
		}
	}
	// A refusal, of a token that the API refuses as well, and an ID token that is wrong end
	// the session.
	ends := refuses(a, v.error) || v.good && v.id != "" && v.id != idToken
	alive := s.SignedIn(t, cookies)
	switch {
	case alive && s.User.Subject != "alice":
		t.Errorf("signed in as %q", s.User.Subject)
	case !alive && !ends, alive && ends && v.sure && !unsure:
		t.Errorf("signed in: %t; want the session ended: %t; %s", alive, ends, s.Log)
	case alive && s.Token != nil && s.Token.AccessToken != "a-first-token" && !(good && s.Token.AccessToken == v.access):
		t.Errorf("token is %q", s.Token.AccessToken)
	case alive && good && v.sure && !unsure && s.Token != nil && s.Token.AccessToken != v.access:
		t.Errorf("the new token is lost: %s", s.Log)
	}
	s.Quiet(t, idToken)
}

// refuses is RFC 6749 section 5.2, by a reader of its own.
func refuses(a apptest.Reply, code string) bool {
	mediaType, _, _ := mime.ParseMediaType(a.ContentType)
	isPage := strings.Contains(mediaType, "html") || strings.HasPrefix(strings.TrimSpace(a.Body), "<")
	switch code {
	case "invalid_client", "unauthorized_client", "temporarily_unavailable", "server_error", "slow_down", "use_dpop_nonce", "invalid_dpop_proof":
		return false
	}
	switch a.Status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		return !isPage
	}
	return a.Status/100 == 2 && code != ""
}

// judgeIDToken is OpenID Connect Core section 3.1.3.7, by a reader of its own.
// holds is whether a client may take the claims at all, clear whether it has to;
// times within half a minute of a limit are neither.
func judgeIDToken(header, claims, nonce string, refresh bool) (sub string, holds, clear bool) {
	h, c := members(header), members(claims)
	str := func(m map[string][]json.RawMessage, name string) string {
		if s := last[string](m, name); s != nil {
			return *s
		}
		return ""
	}
	at := func(name string) (seconds float64, ok bool) {
		if n := last[float64](c, name); n != nil {
			return *n, true
		}
		return 0, false
	}
	var aud []string
	if list := last[[]string](c, "aud"); list != nil {
		aud = *list
	} else if one := last[string](c, "aud"); one != nil {
		aud = []string{*one}
	}
	now := float64(time.Now().Unix())
	exp, hasExp := at("exp")
	iat, hasIAT := at("iat")
	nbf, hasNBF := at("nbf")
	sub = str(c, "sub")
	said := func(name string) bool { return len(c[name]) > 0 }

	holds = str(h, "alg") == "ES256" && str(c, "iss") == "https://provider.test" &&
		sub != "" && len(sub) <= 255 && printableASCII(sub) &&
		len(aud) > 0 && !slices.ContainsFunc(aud, func(a string) bool { return a != "app" }) &&
		(!said("azp") || str(c, "azp") == "app") && (len(aud) == 1 || said("azp")) &&
		hasExp && exp > now-90 && hasIAT && iat >= 0 && iat < now+90 && (!hasNBF || nbf < now+90) &&
		!said("at_hash") // none is right
	if refresh { // section 12.2
		holds = holds && sub == "alice" && len(aud) == 1 && (!said("nonce") || str(c, "nonce") == nonce)
	} else {
		holds = holds && str(c, "nonce") == nonce
	}

	clear = holds && exp > now-30 && exp < 1e12 && iat < now+30 && !hasNBF && !said("nbf") && len(claims) < 1500
	for name, values := range h {
		clear = clear && len(values) == 1 && (name == "alg" || name == "kid" && str(h, name) == "k" || name == "typ" && str(h, name) != "")
	}
	for name, values := range c {
		clear = clear && len(values) == 1 && slices.Contains([]string{"iss", "sub", "aud", "exp", "iat", "nonce", "azp"}, name)
	}
	return sub, holds, clear
}

// OpenID Connect Core section 3.1.3.7, and 12.2 for refreshed ID tokens: what an
// ID token says with a good signature, and what comes without one.
func FuzzIDToken(f *testing.F) {
	const (
		signed = iota
		raw
		refreshed
		ways
	)
	set := func(name, value string) string {
		m := regexp.MustCompile(`"` + name + `":("[^"]*"|\{\w+\}|[^,}]*)`)
		return m.ReplaceAllLiteralString(apptest.GoodClaims, `"`+name+`":`+value)
	}
	and := func(member string) string { return strings.TrimSuffix(apptest.GoodClaims, "}") + "," + member + "}" }
	for _, claims := range []string{
		apptest.GoodClaims, set("iss", `"https://evil.test"`), set("iss", `"https://provider.test/"`), set("iss", `["https://provider.test"]`), set("iss", `""`), strings.Replace(apptest.GoodClaims, "iss", "ISS", 1), and(`"Iss":"https://evil.test"`), and(`"iss":"https://evil.test"`),
		set("sub", `""`), set("sub", "1"), set("sub", "null"), set("sub", `{}`), set("sub", `"`+strings.Repeat("a", 255)+`"`), set("sub", `"`+strings.Repeat("a", 256)+`"`), set("sub", `"é"`), set("sub", `"a\n"`), set("sub", `"bob"`), strings.Replace(apptest.GoodClaims, "sub", "SUB", 1), and(`"SUB":"bob"`), and(`"sub":"bob"`), and(`"\u017fub":"bob"`),
		set("aud", `"hostile"`), set("aud", `""`), set("aud", `[]`), set("aud", `null`), set("aud", `1`), set("aud", `"APP"`), set("aud", `["app"]`), set("aud", `["app","app"]`), set("aud", `["app","hostile"]`), set("aud", `["app",1]`), set("aud", `["app","hostile"],"azp":"app"`), set("aud", `"app","azp":"app"`), strings.Replace(apptest.GoodClaims, `"iat":{now},`, "", 1), strings.Replace(apptest.GoodClaims, `"exp":{later},`, "", 1), set("aud", `["app",""]`), strings.Replace(apptest.GoodClaims, `"aud":"app"`, `"aud":["app","app"],"azp":"app"`, 1), and(`"Aud":"hostile"`), and(`"aud":"hostile"`),
		and(`"azp":"app"`), and(`"azp":"hostile"`), and(`"azp":""`), and(`"azp":null`), and(`"azp":["app"]`),
		set("exp", "{past}"), set("exp", "{soon}"), set("exp", `"{later}"`), set("exp", "0"), set("exp", "-1"), set("exp", "null"), set("exp", "1e300"), set("exp", "1e400"), set("exp", "18446744073709551617"), set("exp", "{later}.5"), set("exp", "{}"), strings.Replace(apptest.GoodClaims, "exp", "EXP", 1), and(`"exp":0`),
		set("iat", "{later}"), set("iat", "{past}"), set("iat", "{soon}"), set("iat", `"0"`), set("iat", "null"), set("iat", "-1"), and(`"nbf":{later}`), and(`"nbf":{past}`), and(`"nbf":"0"`), and(`"nbf":null`),
		set("nonce", `"hostile"`), set("nonce", `""`), set("nonce", `null`), set("nonce", `["{nonce}"]`), set("nonce", `"{nonce}A"`), strings.Replace(apptest.GoodClaims, "nonce", "Nonce", 1), and(`"nonce":"x"`), and(`"Nonce":"x"`), strings.Replace(apptest.GoodClaims, `,"nonce":"{nonce}"`, "", 1),
		and(`"at_hash":"AAAAAAAAAAAAAAAAAAAAAA"`), and(`"at_hash":""`), and(`"at_hash":null`), and(`"_claim_names":{"age":"s"},"_claim_sources":{"s":{"endpoint":"https://evil.test"}}`), and(`"_claim_names":1`), and(`"email":1,"email_verified":"true","name":{}`), and(`"auth_time":"x","acr":[]`),
		"", "null", "{}", "[]", "[" + apptest.GoodClaims + "]", apptest.GoodClaims + apptest.GoodClaims, "\xff", " " + apptest.GoodClaims + "\n", strings.Repeat("[", 10_001),
	} {
		f.Add(apptest.GoodHeader, claims, uint8(signed))
		f.Add(apptest.GoodHeader, claims, uint8(refreshed))
	}
	for _, header := range []string{
		`{"alg":"ES256"}`, `{"alg":"ES256","kid":"x"}`, `{"alg":"ES256","kid":1}`, `{"alg":"none"}`, `{"alg":"None"}`, `{"alg":""}`, `{}`, `{"alg":"HS256","kid":"k"}`, `{"alg":"RS256","kid":"k"}`, `{"alg":"ES384","kid":"k"}`, `{"alg":["ES256"]}`, `{"alg":"none","alg":"ES256"}`, `{"alg":"ES256","alg":"none"}`, `{"ALG":"ES256"}`,
		`{"alg":"ES256","crit":["x"],"x":1}`, `{"alg":"ES256","crit":"exp"}`, `{"alg":"ES256","crit":["b64"],"b64":false}`, `{"alg":"ES256","kid":"k","jku":"https://evil.test/","x5u":"https://evil.test/","x5c":["AAAA"]}`, `{"alg":"ES256","kid":"k","jwk":{"kty":"EC"}}`, `{"alg":"ES256","zip":"DEF"}`, `["alg"]`, "",
	} {
		f.Add(header, apptest.GoodClaims, uint8(signed))
		f.Add(header, apptest.GoodClaims, uint8(refreshed))
	}
	for _, token := range []string{
		"{token}", "{header}.{claims}.", "{header}.{claims}.AAAA", "{header}.{claims}.{signature}=", "{header}.{claims}.{signature}A", " {token}", "{token}\n", "{header} .{claims}.{signature}", ".{claims}.{signature}", "{header}..{signature}", "{claims}.{header}.{signature}",
		`{"payload":"{claims}","protected":"{header}","signature":"{signature}"}`, `{"a":"..","payload":"{claims}","protected":"{header}","signature":"{signature}"}`, `{"a":"..","payload":"{claims}","signatures":[{"protected":"{header}","signature":"{signature}"}]}`,
		"", ".", "..", "...", "a.b", strings.Repeat(".", 5000), "<a>.<b>.<c>", "eyJhbGciOiJub25lIn0.{claims}.", "eyJhbGciOiJIUzI1NiJ9.{claims}.AAAA", "e30.e30.AAAA", "WyJhIl0.e30.AAAA", "null", "eyJhbGciOiJSU0EtT0FFUCJ9.AAAA.AAAA.AAAA.AAAA", "{token}.{token}", "{header}.{claims}.{signature}\r\nX: y",
	} {
		f.Add("", token, uint8(raw))
	}

	s := apptest.NewStage(f, nil)
	tokens := func(idToken string) apptest.Reply {
		quoted, _ := json.Marshal(idToken)
		return apptest.InJSON(strings.Replace(apptest.GoodTokens, `"{id_token}"`, string(quoted), 1))
	}
	l := s.Begin(f)
	s.Learn(s.Finish(f, l, tokens(s.Sign(apptest.GoodHeader, l.Fill(apptest.GoodClaims)))))
	s.Learn(s.Finish(f, s.Begin(f), apptest.InJSON("{}")))
	s.Learn(s.Finish(f, s.Begin(f), apptest.Reply{Status: http.StatusInternalServerError})) // the same page as without keys
	f.Fuzz(func(t *testing.T, header, claims string, way uint8) {
		s.Reset()
		l := s.Begin(t)
		if way %= ways; way == raw {
			good := s.Sign(apptest.GoodHeader, l.Fill(apptest.GoodClaims))
			part := strings.Split(good, ".")
			token := strings.NewReplacer("{token}", good, "{header}", part[0], "{claims}", part[1], "{signature}", part[2]).Replace(claims)
			w := s.Finish(t, l, tokens(token))
			s.Plain(t, w)
			if got := w.Code == http.StatusSeeOther; got && !strings.HasPrefix(token, part[0]+"."+part[1]+".") || !got && (token == good || w.Code != http.StatusBadGateway) {
				t.Errorf("%d for %q; %s", w.Code, token, s.Log)
			}
			s.Quiet(t, l.Nonce)
			return
		}
		header, claims = l.Fill(header), l.Fill(claims)
		token := s.Sign(header, claims)
		sub, holds, clear := judgeIDToken(header, claims, l.Nonce, way == refreshed)
		if way == refreshed {
			cookies := apptest.KeptBy(s.Finish(t, l, tokens(s.Sign(apptest.GoodHeader, l.Fill(apptest.GoodClaims)))))
			s.Says["/token"] = apptest.Always(tokens(token))
			s.Says["/thing"] = func(url.Values) apptest.Reply { return apptest.Reply{Status: http.StatusUnauthorized} }
			s.Inside = func(client *http.Client) {
				if resp, err := client.Get("https://api.test/thing"); err == nil {
					resp.Body.Close()
				}
			}
			s.Get(t, "/dashboard", "", cookies)
			s.Inside = nil
			alive := s.SignedIn(t, cookies)
			// Keys are not fetched all the time. An ID token that no key at hand has
			// signed, as its header says, is then passed over, for want of newer ones.
			alg := last[string](members(header), "alg")
			noKey := header != apptest.GoodHeader && (alg == nil || *alg == "ES256" || *alg == "RS256")
			if alive && (!holds && !noKey || s.User.Subject != "alice") || !alive && clear {
				t.Errorf("signed in: %t, as %q; the ID token holds: %t; %s", alive, s.User.Subject, holds, s.Log)
			}
			s.Quiet(t, l.Nonce)
			return
		}
		w := s.Finish(t, l, tokens(token))
		if len(claims) < 2500 || w.Code != http.StatusSeeOther {
			s.Plain(t, w)
		}
		switch got := w.Code == http.StatusSeeOther; {
		case got && !holds:
			t.Errorf("signed in by %s %s", header, claims)
		case !got && clear, !got && w.Code != http.StatusBadGateway && len(claims) < 2500:
			t.Errorf("not signed in: %d %s", w.Code, s.Log)
		case got && (!s.SignedIn(t, apptest.KeptBy(w)) || s.User.Subject != sub || s.User.Issuer != "https://provider.test"):
			t.Errorf("signed in as %q at %q", s.User.Subject, s.User.Issuer)
		// RFC 9700 section 4.5.3.2: until the ID token is verified, all tokens are disregarded.
		case !holds && s.Asked["/userinfo"] > 0:
			t.Error("user info was asked for")
		}
		s.Quiet(t, l.Nonce)
	})
}

// OpenID Connect Core section 5.3.2: user info adds to the user, and never makes
// it another one, whichever of two members a reader takes.
func FuzzUserInfo(f *testing.F) {
	for _, seed := range []struct {
		status int
		body   string
	}{
		{200, `{"sub":"alice","name":"Alice","email":"alice@example.com","email_verified":true}`},
		{200, `{"sub":"mallory"}`},
		{200, `{"sub":"Alice"}`},
		{200, `{}`},
		{200, `{"sub":""}`},
		{200, `{"sub":["alice"]}`},
		{200, `{"SUB":"alice"}`},
		{200, `{"sub":"mallory","sub":"alice"}`},
		{200, `{"sub":"alice","sub":"mallory"}`},
		{200, `{"sub":"alice","SUB":"mallory"}`},
		{200, `{"sub":"alice","\u017fub":"mallory"}`},
		{200, `{"s\u0075b":"alice","iss":"https://evil.test","aud":"evil","groups":["admin"]}`},
		{200, `{"sub":"alice","Groups":["admin"],"group\u017f":["admin"],"Iss":"https://evil.test","i\u017fs":"https://evil.test"}`},
		{200, `{"sub":"alice","acr":"phr","auth_time":1,"amr":["x"],"nonce":"x","Acr":"phr","Auth_Time":"x"}`},
		{200, `{"sub":"alice","email":"a@b","email_verified":"true"}`},
		{200, `{"sub":"alice","email_verified":true}`},
		{200, `{"sub":"alice","email":"a@b","email_verified":true,"email_verified":false}`},
		{200, `{"sub":"alice","email":"a@b","EMAIL_VERIFIED":true}`},
		{200, `{"sub":"alice","email":["a@b"],"email_verified":true}`},
		{200, `{"sub":"alice","name":1,"preferred_username":"<script>"}`},
		{200, `{"sub":"alice\u0000"}`},
		{200, `[{"sub":"alice"}]`},
		{200, `null`},
		{200, ``},
		{200, apptest.Hostile},
		{200, `{"sub":"alice"}{}`},
		{200, "\ufeff" + `{"sub":"alice"}`},
		{200, "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9."},
		{401, `{"sub":"mallory"}`},
		{403, apptest.Hostile},
		{404, ""},
		{500, `{"sub":"alice"}`},
		{503, ""},
		{204, ""},
		{302, `{"sub":"alice"}`},
		{200, `{"sub":"alice","x":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`},
	} {
		f.Add(seed.status-200, seed.body)
	}
	s := apptest.NewStage(f, nil)
	claims := strings.TrimSuffix(apptest.GoodClaims, "}") + `,"groups":["user"]}`
	come := func(t testing.TB, a apptest.Reply) *httptest.ResponseRecorder {
		s.Says["/userinfo"] = apptest.Always(a)
		l := s.Begin(t)
		return s.Finish(t, l, apptest.InJSON(strings.ReplaceAll(apptest.GoodTokens, "{id_token}", s.Sign(apptest.GoodHeader, l.Fill(claims)))))
	}
	for _, a := range []apptest.Reply{apptest.InJSON(`{"sub":"alice"}`), apptest.InJSON(`{}`), {Status: 500}, apptest.InJSON(`{"sub":"alice","x":"` + apptest.Incompressible(5000) + `"}`), apptest.InJSON(`{"sub":"alice","x":"` + apptest.Incompressible(30_000) + `"}`)} {
		s.Learn(come(f, a))
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		s.Reset()
		a := apptest.Say(200+int(uint(status)%400), "application/json", body)
		w := come(t, a)
		if len(body) < 2000 || w.Code != http.StatusSeeOther {
			s.Plain(t, w)
		}
		info := members(body)
		sub := last[string](info, "sub")
		var object map[string]json.RawMessage
		isObject := a.Status == http.StatusOK && json.Unmarshal([]byte(body), &object) == nil && object != nil
		of := isObject && sub != nil && *sub == "alice"
		unread := !isObject // the login goes on with the ID token
		switch got := w.Code == http.StatusSeeOther; {
		case got && !unread && !of && len(body) < 60_000:
			t.Errorf("signed in by %d %s", a.Status, body)
		case !got && (unread || of) && len(body) < 2000, !got && w.Code != http.StatusBadGateway && len(body) < 2000:
			t.Errorf("not signed in: %d %s", w.Code, s.Log)
		case !got:
			return
		}
		if !s.SignedIn(t, apptest.KeptBy(w)) || s.User.Subject != "alice" || s.User.Issuer != "https://provider.test" {
			t.Fatalf("signed in as %q at %q", s.User.Subject, s.User.Issuer)
		}
		all := members(string(s.User.RawClaims))
		for name, values := range all {
			if len(values) != 1 {
				t.Errorf("%d claims %q: %s", len(values), name, s.User.RawClaims)
			}
		}
		// What was signed stays as it was, for readers of any kind.
		var signed struct {
			Sub, Iss, Aud, Acr string
			Groups             []string
			AuthTime           string `json:"auth_time"`
		}
		if err := s.User.Claims(&signed); err != nil || signed.Sub != "alice" || signed.Iss != "https://provider.test" || signed.Aud != "app" ||
			!slices.Equal(signed.Groups, []string{"user"}) || all["acr"] != nil || all["amr"] != nil || all["auth_time"] != nil || signed.Acr+signed.AuthTime != "" {
			t.Errorf("claims %s: %v", s.User.RawClaims, err)
		}
		verified := last[any](info, "email_verified")
		if email := last[string](info, "email"); s.User.EmailVerified && (unread || email == nil || s.User.Email != *email || verified == nil || *verified != true) {
			t.Errorf("%q is verified by %s", s.User.Email, body)
		}
	})
}

// isSafeToSend reports whether a URL is one that tokens and users can be sent to:
// https, or http on loopback (RFC 8252 section 7.3).
func isSafeToSend(rawURL string) bool {
	scheme, rest, _ := strings.Cut(rawURL, "://")
	authority := rest
	if i := strings.IndexAny(rest, "/?#\\"); i >= 0 {
		authority = rest[:i]
	}
	if authority == "" || strings.Contains(authority, "@") {
		return false
	}
	host := authority
	if i := strings.LastIndex(authority, ":"); i > strings.LastIndex(authority, "]") {
		host = authority[:i]
	}
	host, _, _ = strings.Cut(strings.Trim(host, "[]"), "%") // zone
	ip := net.ParseIP(host)
	return strings.EqualFold(scheme, "https") || strings.EqualFold(scheme, "http") && (strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback())
}

// OpenID Connect Discovery section 4.3, RFC 8414 section 3.3: metadata leads to
// a place that is safe to be led to, with our own parameters, or to an error.
func FuzzDiscovery(f *testing.F) {
	set := func(name, value string) string {
		return regexp.MustCompile(`"`+name+`":("[^"]*"|\[[^\]]*\])`).ReplaceAllLiteralString(apptest.Metadata, `"`+name+`":`+value)
	}
	for _, seed := range []string{
		apptest.Metadata, set("issuer", `"https://evil.test"`), set("issuer", `"https://provider.test/"`), set("issuer", `["https://provider.test"]`), set("issuer", `null`), strings.Replace(apptest.Metadata, "issuer", "ISSUER", 1), strings.Replace(apptest.Metadata, "{", `{"issuer":"https://evil.test",`, 1),
		set("authorization_endpoint", `"http://provider.test/authorize"`), set("authorization_endpoint", `"http://127.0.0.1:8080/authorize"`), set("authorization_endpoint", `"http://localhost.evil.test/"`), set("authorization_endpoint", `"javascript:alert(1)//"`), set("authorization_endpoint", `"/authorize"`), set("authorization_endpoint", `"//provider.test/authorize"`),
		set("authorization_endpoint", `"https://provider.test/authorize#"`), set("authorization_endpoint", `"https://provider.test/%zz"`), set("authorization_endpoint", `"https://user:pass@provider.test/"`), set("authorization_endpoint", `"https://provider.test/authorize?state=x&client_id=y&tenant=a%20b&state=z"`), set("authorization_endpoint", `"https:///authorize"`), set("authorization_endpoint", `"https:opaque"`),
		set("authorization_endpoint", `"HTTPS://PROVIDER.test\\@evil.test/"`), set("authorization_endpoint", `" https://provider.test/"`), set("authorization_endpoint", `"https://provider.test/\r\nX: y"`), set("authorization_endpoint", `"http://[::1]/a"`), set("authorization_endpoint", `"http://[::ffff:127.0.0.1%25x]/a"`), set("authorization_endpoint", "\"http://[::ffff:127.0.0.1%25\xc8x]/a\""), set("authorization_endpoint", `"https://provider.test?max_age=x&acr_values=a"`), set("authorization_endpoint", `""`), set("authorization_endpoint", `1`),
		set("authorization_endpoint", "\"https://provider.test/a\x93 \u00e9<'b\""), set("authorization_endpoint", "\"https://provider.test/?a\x93 \u00e9<'b=\""),
		set("token_endpoint", `"http://provider.test/token"`), set("jwks_uri", `"ftp://provider.test/"`), set("userinfo_endpoint", `"http://127.0.0.1.evil.test/"`), set("end_session_endpoint", `"http://provider.test/"`), set("token_endpoint", `null`), set("jwks_uri", `""`),
		set("id_token_signing_alg_values_supported", `["none"]`), set("id_token_signing_alg_values_supported", `["HS256"]`), set("id_token_signing_alg_values_supported", `"RS256"`), set("id_token_signing_alg_values_supported", `[]`), set("id_token_signing_alg_values_supported", `[1]`),
		"", "null", "{}", "[]", apptest.Hostile, apptest.Metadata[:60], apptest.Metadata + apptest.Metadata, "\ufeff" + apptest.Metadata,
	} {
		f.Add(seed)
	}
	s := apptest.NewStage(f, nil)
	come := func(t testing.TB, body string) *httptest.ResponseRecorder {
		s.Says["/.well-known/openid-configuration"] = apptest.Always(apptest.InJSON(body))
		s.Restart(t)
		return s.Get(t, "/login", "return_to=%2Fdashboard", "")
	}
	for _, body := range []string{apptest.Metadata, "{}", strings.Replace(apptest.Metadata, "/authorize", "/authorize?max_age=x", 1)} {
		w := come(f, body)
		w.Header().Del("Location")
		s.Learn(w)
	}
	f.Fuzz(func(t *testing.T, body string) {
		w := come(t, body)
		location := w.Header().Get("Location")
		w.Header().Del("Location")
		s.Plain(t, w)
		s.Quiet(t)
		doc := members(body)
		if w.Code != http.StatusSeeOther {
			if location != "" || body == apptest.Metadata || w.Code == http.StatusInternalServerError && !strings.Contains(s.Log.String(), "max_age") {
				t.Errorf("%d to %q: %s", w.Code, location, s.Log)
			}
			return
		}
		endpoint := last[string](doc, "authorization_endpoint")
		issuer := last[string](doc, "issuer")
		if spelled := once(doc, "issuer", "authorization_endpoint"); spelled && (endpoint == nil || issuer == nil || *issuer != "https://provider.test") {
			t.Errorf("taken for metadata: %s", body)
		} else if spelled {
			// Up to its query the endpoint is there as it was written, but for escapes and case of the scheme.
			want, err := url.Parse(*endpoint)
			u, err2 := url.Parse(location)
			zone := err == nil && strings.Contains(want.Host, "%") // net/url writes what it does not read
			if !zone && (err != nil || err2 != nil || u.Host != want.Host || u.Scheme != want.Scheme || u.Path != want.Path) {
				t.Errorf("led to %q, not to %q", location, *endpoint)
			}
		}
		for _, name := range []string{"token_endpoint", "jwks_uri", "userinfo_endpoint", "revocation_endpoint", "end_session_endpoint"} {
			if e := last[string](doc, name); once(doc, name) && e != nil && *e != "" && !isSafeToSend(*e) {
				t.Errorf("%s %q was taken", name, *e)
			}
		}
		if !isSafeToSend(location) || strings.Contains(location, "#") || !printableASCII(location) || strings.ContainsAny(location, "\\ ") {
			t.Errorf("led to %q", location)
		}
		_, query, _ := strings.Cut(location, "?")
		sent, err := url.ParseQuery(query) // which refuses semicolons
		if err != nil {
			t.Errorf("led to %q: %v", location, err)
		}
		for name, want := range map[string]string{"client_id": "app", "redirect_uri": apptest.Origin + "/auth/callback", "response_type": "code", "scope": "openid", "code_challenge_method": "S256", "state": "", "nonce": "", "code_challenge": ""} {
			if values := sent[name]; len(values) != 1 || want != "" && values[0] != want || want == "" && len(values[0]) != 43 {
				t.Errorf("%s is %q in %q", name, values, location)
			}
		}
	})
}
