package oauthlogin

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// tokens is a successful answer of the token endpoint (RFC 6749 section 5.1).
type tokens struct {
	access      string
	refresh, id token
	scope       string    // granted
	hasScope    bool      // the answer said so
	issued      time.Time // when we asked for them
	expiry      time.Time // zero: the provider did not say
}

// A token is a token that requests seldom need. A JWT that was unpacked stays
// in its segments until one does: encoding them takes time.
type token struct {
	whole    string
	segments [3][]byte // of a JWT, decoded, the first of them not empty; whole is "" then
}

func (t *token) isZero() bool { return t.whole == "" && len(t.segments[0]) == 0 }

// text returns what the provider issued, "" for no token.
func (t *token) text() string {
	if len(t.segments[0]) == 0 {
		return t.whole
	}
	return joinJWT(&t.segments)
}

// payload returns the payload of a JWT that was verified before, nil if it is
// none.
func (t *token) payload() []byte {
	if len(t.segments[0]) > 0 {
		return t.segments[1]
	}
	_, rest, _ := strings.Cut(t.whole, ".")
	segment, _, _ := strings.Cut(rest, ".")
	payload, err := base64.RawURLEncoding.DecodeString(segment) // signatures need not be strict
	if err != nil {
		return nil
	}
	return payload
}

// jwt returns the segments of a JWT; ok is false for what is none.
func (t *token) jwt() (segments [3][]byte, ok bool) {
	if len(t.segments[0]) > 0 {
		return t.segments, true
	}
	return splitJWT(t.whole)
}

// size returns how many bytes the token takes.
func (t *token) size() int {
	return len(t.whole) + len(t.segments[0]) + len(t.segments[1]) + len(t.segments[2])
}

// A tokenError is an error answer of the token endpoint (RFC 6749 section
// 5.2), without its description: that may repeat what we sent.
type tokenError struct {
	status int
	code   string
}

func (e *tokenError) Error() string {
	return fmt.Sprintf("token endpoint answered %d with error %q", e.status, e.code)
}

// maxExpiresIn bounds what expires_in can make of a token: no provider means
// longer, and a time that overflows would mean for ever.
const maxExpiresIn = 365 * 24 * time.Hour

// exchange redeems an authorization code (RFC 6749 section 4.1.3, RFC 7636
// section 4.5).
func (p *provider) exchange(ctx context.Context, md *metadata, code, verifier string) (*tokens, error) {
	return p.tokenRequest(ctx, md,
		"grant_type", "authorization_code",
		"code", code,
		"redirect_uri", p.OAuth2.RedirectURL,
		"code_verifier", verifier,
	)
}

// tokenRequest sends one request to the token endpoint, and never a second:
// oauth2.Config.Exchange tries client authentication methods in turn with the
// same code, and refuses or misreads values of expires_in that providers send.
func (p *provider) tokenRequest(ctx context.Context, md *metadata, params ...string) (*tokens, error) {
	sent := time.Now()
	resp, err := p.clientRequest(ctx, md, md.TokenURL, params...)
	if err != nil {
		return nil, err
	}
	body, err := readBody(resp)
	if err != nil {
		return nil, err
	}
	answer, err := parseTokenAnswer(resp.Header.Get("Content-Type"), body)
	if err != nil {
		if resp.StatusCode/100 != 2 {
			return nil, statusError(resp.StatusCode)
		}
		return nil, err
	}
	// GitHub answers errors with status 200.
	if code := answer.str("error"); code != "" && resp.StatusCode < 500 && resp.StatusCode != http.StatusTooManyRequests {
		return nil, &tokenError{resp.StatusCode, errorCode(code)}
	}
	if resp.StatusCode/100 != 2 {
		return nil, statusError(resp.StatusCode)
	}
	t, err := answer.tokens(sent)
	if err == nil && p.Issuer == "" {
		t.id = token{} // nobody verifies it
	}
	return t, err
}

// clientRequest posts a form of params, names and values, as the client, authenticated one way (RFC 6749
// section 2.3).
func (p *provider) clientRequest(ctx context.Context, md *metadata, endpoint string, params ...string) (*http.Response, error) {
	inParams := md.authStyle(p.OAuth2) == oauth2.AuthStyleInParams
	if inParams {
		params = append(params, "client_id", p.OAuth2.ClientID)
		if p.OAuth2.ClientSecret != "" {
			params = append(params, "client_secret", p.OAuth2.ClientSecret)
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(encodeParams(params...)))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if !inParams {
		req.SetBasicAuth(url.QueryEscape(p.OAuth2.ClientID), url.QueryEscape(p.OAuth2.ClientSecret))
	}
	return p.do(req)
}

// parseTokenAnswer reads JSON, and the form encoding that some servers answer
// with.
func parseTokenAnswer(contentType string, body []byte) (object, error) {
	mediaType, _, _ := mime.ParseMediaType(contentType)
	if mediaType != "application/x-www-form-urlencoded" && mediaType != "text/plain" || strings.HasPrefix(strings.TrimSpace(string(body)), "{") {
		return parseObject(body)
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, errors.New("answer is no form")
	}
	o := object{}
	for name := range values {
		o[name], _ = json.Marshal(values.Get(name))
	}
	return o, nil
}

func (o object) tokens(sent time.Time) (*tokens, error) {
	t := &tokens{
		access: o.str("access_token"), refresh: token{whole: o.str("refresh_token")}, id: token{whole: o.str("id_token")},
		scope: o.str("scope"), issued: sent,
	}
	if t.access == "" {
		return nil, errors.New("answer has no access_token")
	}
	for _, token := range []string{t.access, t.refresh.whole} {
		if strings.IndexFunc(token, func(r rune) bool { return r < 0x20 || r > 0x7e }) >= 0 {
			return nil, errors.New("answer has a token with characters that no header can carry")
		}
	}
	// RFC 6749 section 7.1: no token of a type that we do not understand.
	switch raw := string(o["token_type"]); raw {
	case "", "null", `""`: // some providers leave it out
	default:
		if !strings.EqualFold(o.str("token_type"), "bearer") {
			return nil, errors.New("answer has a token of a type that is not Bearer")
		}
	}
	if raw, ok := o["scope"]; ok && string(raw) != "null" {
		t.hasScope = true
	}
	if raw, ok := o["expires_in"]; ok && string(raw) != "null" {
		t.expiry = sent.Add(parseExpiresIn(raw))
	}
	return t, nil
}

// parseExpiresIn reads a number or a string with one in it. What is not a
// positive number makes a token that has expired, never one that lives for ever.
func parseExpiresIn(raw json.RawMessage) time.Duration {
	s := string(raw)
	if unquoted, err := strconv.Unquote(s); err == nil {
		s = unquoted
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	switch {
	case errors.Is(err, strconv.ErrRange) && n > 0, err == nil && n >= maxExpiresIn.Seconds():
		return maxExpiresIn
	case err != nil, !(n > 0):
		return 0
	}
	return time.Duration(n * float64(time.Second))
}

// errorCode is an error code as it may be shown. Registered ones are lower-case
// letters and underscores; anything else may repeat what we sent.
func errorCode(code string) string {
	if len(code) > 64 || strings.ContainsFunc(code, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }) {
		return "unknown"
	}
	return code
}

// authStyle decides how the client authenticates at the token endpoint.
// x/oauth2's detection would send a code twice.
func (md *metadata) authStyle(config *oauth2.Config) oauth2.AuthStyle {
	switch {
	case config.ClientSecret == "":
		return oauth2.AuthStyleInParams
	case config.Endpoint.AuthStyle != oauth2.AuthStyleAutoDetect:
		return config.Endpoint.AuthStyle
	case len(md.AuthMethods) > 0 && !slices.Contains(md.AuthMethods, "client_secret_basic") &&
		slices.Contains(md.AuthMethods, "client_secret_post"):
		return oauth2.AuthStyleInParams
	}
	// RFC 8414 section 2: client_secret_basic unless metadata says otherwise.
	return oauth2.AuthStyleInHeader
}

// valid reports whether there is an access token that has not expired.
func (t *tokens) valid(now time.Time) bool {
	return t.access != "" && (t.expiry.IsZero() || now.Before(t.expiry))
}
