package protocol

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/claims"
	"github.com/oauthlogin/oauthlogin/internal/dpop"
)

// Tokens is a successful response of the token endpoint (RFC 6749 section 5.1).
type Tokens struct {
	Access, Refresh, ID string    // "": none. The ID token is not verified
	Type                string    // as the provider wrote it: Bearer or DPoP in any case, or ""
	Scope               string    // granted
	HasScope            bool      // the response says so
	Issued              time.Time // when they were asked for
	Expiry              time.Time // of the access token; zero: not said
}

// Format keeps the tokens out of whatever prints them.
func (t Tokens) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "protocol.Tokens{Type:%q Scope:%q Expiry:%v}", t.Type, t.Scope, t.Expiry)
}

// Exchange redeems an authorization code (RFC 6749 section 4.1.3, RFC 7636 section
// 4.5). At a plain OAuth 2.0 provider it drops an ID token, which nothing verifies. With
// the key of the authorization request, the access token has to be bound to that.
func (c *Client) Exchange(ctx context.Context, code, verifier string, key *dpop.Key) (*Tokens, error) {
	return c.tokenRequest(ctx, c.transport, key,
		"grant_type", "authorization_code",
		"code", code,
		"redirect_uri", c.OAuth2.RedirectURL,
		"code_verifier", verifier,
	)
}

// refreshTimeout bounds a refresh, whatever the timeout of other requests is: the
// response may be the only copy of a rotated refresh token.
const refreshTimeout = time.Minute

// Refresh redeems a refresh token (RFC 6749 section 6). A response without a
// refresh token leaves the old one in force, and one without a scope leaves the
// scope as it was. [RefusalOf] says what an error means for the grant. Refresh may
// take a minute. key is that of [Client.Exchange]. params are alternating names and values
// of further parameters, such as resource (RFC 8707 section 2.2).
func (c *Client) Refresh(ctx context.Context, refreshToken string, key *dpop.Key, params ...string) (*Tokens, error) {
	return c.tokenRequest(ctx, c.transport.within(refreshTimeout), key, append([]string{
		"grant_type", "refresh_token",
		"refresh_token", refreshToken,
	}, params...)...)
}

type fenceKey struct{}

// WithFence returns a context in which a token request is sent only if fence, called right
// before, returns nil.
func WithFence(ctx context.Context, fence func() error) context.Context {
	return context.WithValue(ctx, fenceKey{}, fence)
}

// passFence asks the fence of a context, if it has one.
func passFence(ctx context.Context) error {
	if fence, ok := ctx.Value(fenceKey{}).(func() error); ok {
		return fence()
	}
	return nil
}

// tokenRequest sends one request to the token endpoint, and never a second, unless the
// provider asks for a DPoP nonce, before which it looks at nothing else:
// oauth2.Config.Exchange tries client authentication methods in turn with the same
// code, and refuses or misreads values of expires_in that providers send.
func (c *Client) tokenRequest(ctx context.Context, t *Transport, key *dpop.Key, params ...string) (*Tokens, error) {
	md, err := c.metadata(ctx)
	if err != nil {
		return nil, err
	}
	sent := time.Now()
	resp, err := c.post(ctx, t, md, md.TokenURL, key, params...)
	if err != nil {
		return nil, err
	}
	tokens, err := parseTokens(resp.status, resp.contentType(), resp.body, sent, key != nil)
	if err != nil {
		c.logDescription(ctx, "token", resp.contentType(), resp.body, resp.secrets...)
		return nil, later(err, resp.header)
	}
	if c.Issuer == "" {
		tokens.ID = ""
	}
	return tokens, nil
}

// parseTokens reads a response of the token endpoint (RFC 6749 sections 5.1, 5.2). bound
// says that the access token has to be bound to a DPoP key.
func parseTokens(status int, contentType string, body []byte, sent time.Time, bound bool) (*Tokens, error) {
	o, err := parseTokenResponse(contentType, body)
	// Servers refuse in many words, or in none (RFC 6749 section 5.2). A page comes from
	// something in front of them.
	refused := (status == 400 || status == 401 || status == 403) && !isHTML(contentType, body)
	// GitHub sends errors with status 200, and others an object there.
	code := o.String("error")
	inWords := code != "" || status/100 == 2 && o.String("access_token") == "" && isObject(o["error"])
	if refused || status == 400 || inWords && status < 500 && status != http.StatusTooManyRequests {
		return nil, &TokenError{status, shownCode(code), refused || status/100 == 2}
	}
	if status/100 != 2 {
		return nil, StatusError(status)
	}
	if err != nil {
		return nil, err
	}
	t := &Tokens{
		Access: o.String("access_token"), Refresh: o.String("refresh_token"), ID: o.String("id_token"),
		Type: o.String("token_type"), Scope: o.String("scope"), Issued: sent,
	}
	if t.Access == "" {
		return nil, errors.New("response has no access_token")
	}
	if strings.ContainsFunc(t.Access+t.Refresh, notPrintable) {
		return nil, errors.New("response has a token with characters that a header cannot carry")
	}
	// RFC 6749 section 7.1: not a token of a type that is not understood.
	switch raw := string(o["token_type"]); {
	case bound: // RFC 9449 section 5: a response of another type is discarded
		if !strings.EqualFold(t.Type, "dpop") {
			return nil, errors.New("response has a token of a type that is not DPoP")
		}
	case raw == "", raw == "null", raw == `""`: // some providers leave it out
	case !strings.EqualFold(t.Type, "bearer"):
		return nil, errors.New("response has a token of a type that is not Bearer")
	}
	if raw, ok := o["scope"]; ok && string(raw) != "null" {
		t.HasScope = true
		var list []string // as some providers send it
		if json.Unmarshal(raw, &list) == nil {
			t.Scope = strings.Join(list, " ")
		}
	}
	if raw, ok := o["expires_in"]; ok && string(raw) != "null" {
		t.Expiry = sent.Add(parseExpiresIn(raw))
	}
	return t, nil
}

// parseTokenResponse reads JSON, and the form encoding that some providers send.
func parseTokenResponse(contentType string, body []byte) (claims.Object, error) {
	mediaType, _, _ := mime.ParseMediaType(contentType)
	if mediaType != "application/x-www-form-urlencoded" && mediaType != "text/plain" || strings.HasPrefix(strings.TrimSpace(string(body)), "{") {
		return claims.Parse(body)
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, errors.New("response is not a form")
	}
	o := claims.Object{}
	for name := range values {
		o[name], _ = json.Marshal(values.Get(name))
	}
	return o, nil
}

func isObject(raw json.RawMessage) bool { return len(raw) > 0 && raw[0] == '{' }

// isHTML reports whether a response is a page. Some servers call their JSON one.
func isHTML(contentType string, body []byte) bool {
	text := strings.TrimSpace(strings.TrimPrefix(string(body), "\ufeff"))
	if strings.HasPrefix(text, "{") {
		return false
	}
	mediaType, _, _ := mime.ParseMediaType(contentType)
	return mediaType == "text/html" || mediaType == "application/xhtml+xml" || strings.HasPrefix(text, "<")
}

// maxExpiresIn bounds expires_in: no provider means longer, and a time that
// overflows would make a token that never expires.
const maxExpiresIn = 365 * 24 * time.Hour

// parseExpiresIn reads a number or a string that contains one. Anything but a
// positive number makes a token that has expired, never one that does not expire.
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
