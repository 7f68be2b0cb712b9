package protocol

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// maxHintBytes bounds the ID token in the provider's logout URL: servers refuse
// request lines over 8 KiB.
const maxHintBytes = 4 << 10

// Revoke revokes a refresh token, and with it the access tokens of the same grant
// (RFC 7009 section 2.1). It does nothing without a token, or if the provider has
// no revocation endpoint.
func (c *Client) Revoke(ctx context.Context, refreshToken string) error {
	if refreshToken == "" {
		return nil
	}
	md, err := c.metadata(ctx)
	if err != nil || md.RevocationURL == "" {
		return err
	}
	resp, err := c.clientRequest(ctx, md, md.RevocationURL,
		"token", refreshToken,
		"token_type_hint", "refresh_token",
	)
	if err != nil {
		return fmt.Errorf("revoke refresh token: %w", err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("revoke refresh token: %w", StatusError(resp.StatusCode))
	}
	return nil
}

// EndSessionURL returns the URL that logs the user out at the provider (OpenID
// Connect RP-Initiated Logout section 2), "" if the provider has none. An ID token
// of over 4 KiB is left out.
func (c *Client) EndSessionURL(ctx context.Context, idTokenHint, state string) (string, error) {
	md, err := c.metadata(ctx)
	if err != nil || md.EndSessionURL == "" {
		return "", err
	}
	u, err := url.Parse(md.EndSessionURL)
	if err != nil {
		return "", err
	}
	query := u.Query()
	if idTokenHint != "" && len(idTokenHint) <= maxHintBytes {
		query.Set("id_token_hint", idTokenHint)
	}
	query.Set("client_id", c.OAuth2.ClientID)
	query.Set("post_logout_redirect_uri", c.PostLogoutRedirectURL)
	query.Set("state", state)
	u.RawQuery = query.Encode()
	return u.String(), nil
}
