package protocol

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/oauthlogin/oauthlogin/internal/claims"
	"github.com/oauthlogin/oauthlogin/internal/dpop"
)

// maxUserInfo bounds user info, in bytes.
const maxUserInfo = 64 << 10

// ErrSubject refuses user info of another subject (OpenID Connect Core section 5.3.2).
var ErrSubject = errors.New("user info is of another subject")

// UserInfo reads the user info of the subject of a verified ID token (OpenID Connect
// Core section 5.3). It returns nil if the provider has no user info endpoint. Every
// error but [ErrSubject] says nothing about the user. key is the one that the access token is
// bound to, nil if it is a bearer token.
func (c *Client) UserInfo(ctx context.Context, accessToken, subject string, key *dpop.Key) (claims.Object, error) {
	md, err := c.metadata(ctx)
	if err != nil || md.UserInfoURL == "" {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, md.UserInfoURL, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := c.transport.WithToken(accessToken, key).do(req)
	if err != nil {
		return nil, err
	}
	resp.Body = http.MaxBytesReader(nil, resp.Body, maxUserInfo)
	body, err := ReadBody(resp)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		c.logDescription(ctx, "userinfo", resp.Header.Get("Content-Type"), body, accessToken)
		c.logChallenge(ctx, "userinfo", resp.Header, accessToken)
		return nil, StatusError(resp.StatusCode)
	}
	info, err := claims.Parse(body)
	switch text := strings.TrimSpace(string(body)); {
	case err == nil:
	case strings.HasPrefix(text, "eyJ") && strings.Count(text, ".") == 2:
		return nil, errors.New("user info is a signed JWT, which is not supported")
	case strings.HasPrefix(text, "eyJ") && strings.Count(text, ".") == 4:
		return nil, errors.New("user info is an encrypted JWT, which is not supported")
	case isHTML(resp.Header.Get("Content-Type"), body):
		return nil, errors.New("user info is a page")
	default:
		return nil, err
	}
	if info.String("sub") != subject {
		return nil, ErrSubject
	}
	return info, nil
}
