package protocol

import (
	"context"
	"errors"
	"net/http"

	"github.com/oauthlogin/oauthlogin/internal/claims"
)

// UserInfo reads the user info of the subject of a verified ID token (OpenID
// Connect Core section 5.3). It returns nil if the provider has no user info
// endpoint, or does not let the token's scopes read it (401 or 403). User info of
// another subject is an error (section 5.3.2).
func (c *Client) UserInfo(ctx context.Context, accessToken, subject string) (claims.Object, error) {
	md, err := c.metadata(ctx)
	if err != nil || md.UserInfoURL == "" {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, md.UserInfoURL, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+accessToken)
	req.Header.Set("Accept", "application/json")
	resp, err := c.transport.do(req)
	if err != nil {
		return nil, err
	}
	body, err := ReadBody(resp)
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode == http.StatusUnauthorized, resp.StatusCode == http.StatusForbidden:
		return nil, nil
	case resp.StatusCode != http.StatusOK:
		return nil, StatusError(resp.StatusCode)
	}
	info, err := claims.Parse(body)
	if err != nil {
		return nil, err
	}
	if info.String("sub") != subject {
		return nil, errors.New("user info is of another subject")
	}
	return info, nil
}
