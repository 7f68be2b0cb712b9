package oauthlogin_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/oauthlogin/oauthlogin"
)

// A leakHunt learns the secrets of a run, keeps whatever is said during it, and
// finds the one in the other.
type leakHunt struct {
	log, jsonLog logBuffer

	mu      sync.Mutex
	secrets map[string]string // what each is
	said    map[saying]bool
	printed map[string]bool // exported types
}

// A saying is a text, and where it could be read.
type saying struct{ where, text string }

func newLeakHunt() *leakHunt {
	return &leakHunt{secrets: map[string]string{}, said: map[saying]bool{}, printed: map[string]bool{}}
}

// documented are the places where a secret belongs, and whose decision that is.
var documented = []struct{ where, secrets, why string }{
	{`^GET \S+: Set-Cookie$`, `^cookie$`, "what is sealed is for the browser to keep"},
	{`^GET \S+: Location to https://\S+/authorize$`, `^(state|nonce|code_challenge)$`, "RFC 6749 section 4.1.1, OpenID Connect Core section 3.1.2.1, RFC 7636 section 4.3"},
	{`^request for \S+/authorize: URL$`, `^(state|nonce|code_challenge)$`, "the same, by the browser"},
	{`^POST /logout: Location to https://provider\.test/end_session$`, `^(id_token|payload of a JWT|nonce|e-mail address|state)$`, "OpenID Connect RP-Initiated Logout section 2, and what the ID token has in it"},
	{`^request for https://provider\.test/end_session: URL$`, `^(id_token|payload of a JWT|nonce|e-mail address|state)$`, "the same, by the browser"},
	{`^GET /recent: body$`, `^step_up$`, "a script gets the URL that the user has to go to"},
	{`^request for \S+token: body$`, `^(code|code_verifier|refresh_token|client_secret)$`, "RFC 6749 sections 2.3.1, 4.1.3 and 6, RFC 7636 section 4.5"},
	{`^request for \S+/revoke: body$`, `^refresh_token$`, "RFC 7009 section 2.1"},
	{`^request for \S+/(token|revoke): Authorization$`, `^client_secret$`, "RFC 6749 section 2.3.1"},
	{`^request for \S+(/userinfo|/api/v3/user|/api/v3/user/emails|//api\.test/\S*): Authorization$`, `^(access_token|payload of a JWT)$`, "RFC 6750 section 2.1"},
	{`^sealed value$`, `^cookie$`, "it is taken apart to see what is in it"},
	{`^print of \S*(User|Session)\b`, `^(e-mail address|nonce)$`, "a User is what the provider says of somebody, with RawClaims"},
	{`^print of oauthlogin\.Options by value in an unexported field$`, `^key$`, "fmt calls no method of a value that it finds there"},
}

// secret teaches the hunt a secret. What is shorter than a piece is none.
func (h *leakHunt) secret(what string, values ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, value := range values {
		if h.secrets[value] == "" && len(value) >= shortPiece {
			h.secrets[value] = what
		}
	}
}

func (h *leakHunt) says(where, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.said[saying{where, text}] = true
}

// A secret counts as found when a piece of any of its forms is: this many
// characters, and more of forms that use many for each byte.
const shortPiece, longPiece = 16, 48

// formsOf returns what becomes of a secret on its way through printers and
// encoders.
func formsOf(secret string) (short, long []string) {
	b := []byte(secret)
	inner := func(quoted string) string { return quoted[1 : len(quoted)-1] }
	inJSON, _ := json.Marshal(secret)
	short = []string{
		secret, url.QueryEscape(secret), url.QueryEscape(url.QueryEscape(secret)), url.PathEscape(secret), html.EscapeString(secret),
		inner(strconv.Quote(secret)), inner(strconv.QuoteToASCII(secret)), inner(strconv.Quote(strconv.Quote(secret))), inner(string(inJSON)),
		fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret),
	}
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		for shift, first := range []int{0, 2, 3} { // what stands before it moves the bits
			encoded := encoding.EncodeToString(append(make([]byte, shift), b...))
			short = append(short, strings.TrimRight(encoded, "=")[first:])
		}
	}
	for _, verb := range []string{"% x", "% X", "%d", "%o", "%b", "%c", "%U", "%#v"} {
		long = append(long, strings.Trim(strings.TrimPrefix(fmt.Sprintf(verb, b), "[]byte"), "[]{}"))
	}
	return short, long
}

// A leak is a secret where it does not belong.
type leak struct{ what, where, excerpt string }

// leaks returns what of the secrets was said, but for what is documented; and
// which of documented was met.
func (h *leakHunt) leaks() (found []leak, met map[int]bool) {
	h.says("log", h.log.String())
	h.says("log in JSON", h.jsonLog.String())
	h.mu.Lock()
	defer h.mu.Unlock()
	pieces := map[int]map[string][]string{shortPiece: {}, longPiece: {}}
	begins := make([]bool, 1<<20) // whether a piece may, by hash of four bytes; most do not
	hash := func(s string) uint32 {
		return (uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24) * 2654435761 >> 12
	}
	for secret, what := range h.secrets {
		short, long := formsOf(secret)
		for size, forms := range map[int][]string{shortPiece: short, longPiece: long} {
			for _, form := range forms {
				for i := 0; i+size <= len(form); i += size {
					if piece := form[i : i+size]; !slices.Contains(pieces[size][piece], what) {
						pieces[size][piece] = append(pieces[size][piece], what)
						begins[hash(piece)] = true
					}
				}
			}
		}
	}
	met = map[int]bool{}
	for s := range h.said {
		seen := map[string]bool{}
		for size, pieces := range pieces {
			for i := 0; i+size <= len(s.text); i++ {
				if !begins[hash(s.text[i:])] {
					continue
				}
				kinds, ok := pieces[s.text[i:i+size]]
				if !ok || seen[strings.Join(kinds, "|")] {
					continue
				}
				seen[strings.Join(kinds, "|")] = true
				allowed := slices.IndexFunc(documentedPatterns, func(d [2]*regexp.Regexp) bool {
					return d[0].MatchString(s.where) && slices.ContainsFunc(kinds, d[1].MatchString)
				})
				if allowed >= 0 {
					met[allowed] = true
					continue
				}
				found = append(found, leak{strings.Join(kinds, "|"), s.where, s.text[max(0, i-80):min(len(s.text), i+size+20)]})
			}
		}
	}
	return found, met
}

var documentedPatterns = func() (patterns [][2]*regexp.Regexp) {
	for _, d := range documented {
		patterns = append(patterns, [2]*regexp.Regexp{regexp.MustCompile(d.where), regexp.MustCompile(d.secrets)})
	}
	return patterns
}()

// report fails the test for every secret that was said, with a few of the
// places.
func (h *leakHunt) report(t *testing.T) (met map[int]bool) {
	t.Helper()
	found, met := h.leaks()
	places := map[string]map[string]string{}
	for _, l := range found {
		if places[l.what] == nil {
			places[l.what] = map[string]string{}
		}
		places[l.what][l.where] = l.excerpt
	}
	for what, excerpts := range places {
		for i, where := range slices.Sorted(maps.Keys(excerpts)) {
			if i == 10 {
				t.Errorf("%s in %d more places", what, len(excerpts)-i)
				break
			}
			t.Errorf("%s in %s: ...%q...", what, where, excerpts[where])
		}
	}
	return met
}

// noSecrets fails the test if text has the client secret or a key in it.
func noSecrets(t *testing.T, text string, keys [][]byte) {
	t.Helper()
	h := newLeakHunt()
	h.secret("client_secret", testSecret)
	for _, key := range keys {
		h.secret("key", string(key))
	}
	h.says("text", text)
	h.report(t)
}

// saysError keeps the text of an error and of all that it wraps: reporters of
// errors walk down the chain.
func (h *leakHunt) saysError(where string, err error) {
	for _, verb := range []string{"%v", "%+v", "%#v", "%q", "%s", "%d"} {
		h.says(where, fmt.Sprintf(verb, err))
	}
	encoded, _ := json.Marshal(err)
	h.says(where, string(encoded))
	switch wrapped := err.(type) {
	case interface{ Unwrap() error }:
		if inner := wrapped.Unwrap(); inner != nil {
			h.saysError(strings.TrimSuffix(where, ", unwrapped")+", unwrapped", inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range wrapped.Unwrap() {
			h.saysError(strings.TrimSuffix(where, ", unwrapped")+", unwrapped", inner)
		}
	}
}

// prints has v printed in every way there is, by itself and inside of others.
func prints[T any](h *leakHunt, v T) {
	exported := strings.TrimPrefix(reflect.TypeFor[T]().String(), "*")
	h.mu.Lock()
	h.printed[exported] = true
	h.mu.Unlock()
	shapes := map[string]any{
		"":                                   v,
		" by pointer":                        &v,
		" in a slice":                        []T{v},
		" in a map":                          map[string]any{"v": v},
		" in a field":                        struct{ V T }{v},
		" by pointer in a field":             struct{ V *T }{&v},
		" in an error":                       fmt.Errorf("around %v, %+v and %#v", v, v, v),
		" by pointer in an unexported field": struct{ v *T }{&v},
	}
	if reflect.TypeFor[T]().Kind() == reflect.Pointer {
		// What vet lets nobody copy.
		shapes[" by value"] = reflect.ValueOf(v).Elem()
		shapes[" in an unexported field"] = struct{ v T }{v}
	} else {
		shapes[" by value in an unexported field"] = struct{ v T }{v}
	}
	for shape, v := range shapes {
		h.show("print of "+exported+shape, v)
	}
}

// show prints one value.
func (h *leakHunt) show(where string, v any) {
	verbs := []string{"%v", "%+v", "%#v", "%10v", "%T", "%s", "%q", "%d", "%x", "%X", "%o", "%b", "%c", "%U", "%!"}
	if strings.Contains(where, "by value") || strings.Contains(where, "unexported") {
		verbs = verbs[:5] // wrong verbs make fmt follow pointers, where it calls no method
	}
	for _, verb := range verbs {
		h.says(where, fmt.Sprintf(verb, v))
	}
	h.says(where, fmt.Sprintln(v))
	if _, ok := v.(reflect.Value); ok {
		return
	}
	encoded, err := json.Marshal(v)
	h.says(where, fmt.Sprintf("%s %v", encoded, err))
	var logged bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&logged, nil), slog.NewJSONHandler(&logged, nil)} {
		slog.New(handler).With("with", v).Info("shown", "value", v, slog.Group("group", "value", v))
	}
	h.says(where, logged.String())
}

// hook has everything that the middleware tells the application kept.
func (h *leakHunt) hook(opts *oauthlogin.Options) {
	debug := &slog.HandlerOptions{Level: slog.LevelDebug}
	opts.Logger = slog.New(slog.NewMultiHandler(slog.NewTextHandler(&h.log, debug), slog.NewJSONHandler(&h.jsonLog, debug)))
	opts.OnEvent = func(_ context.Context, e oauthlogin.Event) {
		prints(h, e)
		prints(h, e.Kind)
		if e.Err != nil {
			h.saysError("event "+string(e.Kind), e.Err)
		}
	}
	for _, key := range opts.Keys {
		h.secret("key", string(key))
	}
}

// handleError is an Options.ErrorHandler that shows nothing.
func (h *leakHunt) handleError(w http.ResponseWriter, _ *http.Request, err error) {
	failed := err.(*oauthlogin.Error)
	prints(h, failed)
	h.saysError("error "+failed.Code, err)
	w.WriteHeader(failed.Status)
}

// secretParameters are those of requests, by the names that the RFCs give them.
var secretParameters = []string{
	"state", "nonce", "code_challenge", "code", "code_verifier", "refresh_token", "access_token", "client_secret", "step_up",
}

func (h *leakHunt) learnParameters(query url.Values) {
	for _, name := range secretParameters {
		for _, value := range query[name] {
			if decoded, err := base64.URLEncoding.DecodeString(value); err == nil && bytes.Contains(decoded[:min(len(decoded), 12)], []byte("|")) {
				value = value[min(len(value), sealedTime):]
			}
			h.secret(name, value)
		}
	}
}

// learnTokens learns the tokens of an answer, and of JWTs the parts that are
// no one else's.
func (h *leakHunt) learnTokens(body []byte) {
	var answer map[string]any
	if json.Unmarshal(body, &answer) != nil {
		return
	}
	for _, name := range []string{"access_token", "refresh_token", "id_token"} {
		if value, ok := answer[name].(string); ok {
			h.learnToken(name, value)
		}
	}
}

func (h *leakHunt) learnToken(name, value string) {
	parts := strings.Split(value, ".")
	if len(parts) != 3 || !strings.HasPrefix(value, "eyJ") {
		if name != "id_token" {
			h.secret(name, value)
		}
		return
	}
	signature, _ := base64.RawURLEncoding.DecodeString(parts[2])
	h.secret(name, parts[2], string(signature))
	h.secret("payload of a JWT", parts[1]) // of which several have parts in common
}

// learnCookies learns what is sealed in the cookies of a response, and says
// what there is to read in it without a key.
func (h *leakHunt) learnCookies(header http.Header) {
	sealed := map[string]string{}
	for _, line := range header["Set-Cookie"] {
		c, err := http.ParseSetCookie(line)
		if err != nil || len(c.Value) < 64 {
			continue
		}
		switch rest, chunk := strings.CutPrefix(c.Name, sessionCookie); {
		case chunk && rest == "": // "2", a mark of six characters
			sealed[sessionCookie] = c.Value[min(7, len(c.Value)):] + sealed[sessionCookie]
		case chunk && len(rest) == 2:
			sealed[sessionCookie] += c.Value[6:]
		default:
			sealed[c.Name] = c.Value
		}
	}
	for _, value := range sealed {
		h.learnSealed(value)
	}
}

// sealedTime is how much of a sealed value tells little more than the time.
const sealedTime = 32

// learnSealed takes securecookie's encoding apart: base64 of "time|value|MAC",
// whose value is base64 again. The time is no secret.
func (h *leakHunt) learnSealed(sealed string) {
	h.secret("cookie", sealed[min(len(sealed), sealedTime):])
	decoded, err := base64.URLEncoding.DecodeString(sealed)
	if err != nil {
		return
	}
	h.says("sealed value", string(decoded))
	_, rest, _ := bytes.Cut(decoded, []byte("|"))
	value, mac, _ := bytes.Cut(rest, []byte("|"))
	h.secret("cookie", string(value), string(mac))
	if decoded, err = base64.URLEncoding.DecodeString(string(value)); err == nil {
		h.secret("cookie", string(decoded))
		h.says("sealed value", string(decoded))
	}
}

// tap listens to a host of the network: to what the application answers, and
// to what everybody else is asked.
func (h *leakHunt) tap(host string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		form, _ := url.ParseQuery(string(body))
		h.learnParameters(form)
		h.learnParameters(r.URL.Query())
		h.learnToken("id_token", r.URL.Query().Get("id_token_hint"))
		if host != "app.test" {
			where := "request for https://" + host + r.URL.Path + ": "
			h.says(where+"URL", r.URL.String())
			h.says(where+"body", string(body))
			for name, values := range r.Header {
				text := strings.Join(values, "\n")
				if credentials, ok := strings.CutPrefix(text, "Basic "); ok {
					decoded, _ := base64.StdEncoding.DecodeString(credentials)
					text = string(decoded)
				}
				if name != "Cookie" { // which is the browser's and the provider's
					h.says(where+name, text)
				}
			}
		}

		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		if host == "app.test" {
			h.learnCookies(rec.Header())
			h.answered(r.Method+" "+r.URL.Path+": ", rec)
		} else if strings.HasSuffix(r.URL.Path, "token") {
			h.learnTokens(rec.Body.Bytes())
		}
		maps.Copy(w.Header(), rec.Header())
		w.WriteHeader(rec.Code)
		w.Write(rec.Body.Bytes())
	})
}

// answered keeps an answer of the application.
func (h *leakHunt) answered(where string, rec *httptest.ResponseRecorder) {
	h.says(where+"body", rec.Body.String())
	var links map[string]string
	if json.Unmarshal(rec.Body.Bytes(), &links) == nil {
		if u, err := url.Parse(links["login_url"]); err == nil {
			h.learnParameters(u.Query())
		}
	}
	for name, values := range rec.Header() {
		place := where + name
		if u, err := url.Parse(rec.Header().Get(name)); err == nil && name == "Location" && u.Host != "" {
			h.learnParameters(u.Query())
			u.RawQuery = ""
			place += " to " + u.String()
		}
		h.says(place, strings.Join(values, "\n"))
	}
}
