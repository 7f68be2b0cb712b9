package protocol

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/oauthlogin/oauthlogin/internal/dpop"
	"github.com/oauthlogin/oauthlogin/internal/weburl"
)

// maxLogoutURL bounds the provider's logout URL, in bytes: some servers refuse longer
// ones.
const maxLogoutURL = 4096

// Revoke revokes a refresh token, and with it the access tokens of the same grant
// (RFC 7009 section 2.1). It does nothing without a token, or if the provider has
// no revocation endpoint. key is that of [Client.Exchange].
func (c *Client) Revoke(ctx context.Context, refreshToken string, key *dpop.Key) error {
	if refreshToken == "" {
		return nil
	}
	md, err := c.metadata(ctx)
	if err != nil || md.RevocationURL == "" {
		return err
	}
	resp, err := c.post(ctx, c.transport, md, md.RevocationURL, key,
		"token", refreshToken,
		"token_type_hint", "refresh_token",
	)
	switch {
	case resp != nil && resp.status == http.StatusOK:
		return nil
	case err != nil:
		return fmt.Errorf("revoke refresh token: %w", err)
	}
	c.logDescription(ctx, "revocation", resp.contentType(), resp.body, resp.secrets...)
	return fmt.Errorf("revoke refresh token: %w", StatusError(resp.status))
}

// EndSessionURL returns the URL that logs the user out at the provider (OpenID
// Connect RP-Initiated Logout section 2), "" if the provider has none. idTokenHint may be
// "". The URL stays below 4,096 bytes: the hint is left out of a longer one first, and
// then the state.
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
	maps.Copy(query, c.LogoutParams)
	if idTokenHint != "" {
		query.Set("id_token_hint", idTokenHint)
	}
	c.hintAtUser(query, idTokenHint)
	query.Set("client_id", c.OAuth2.ClientID)
	query.Set("post_logout_redirect_uri", c.PostLogoutRedirectURL)
	query.Set("state", state)
	for _, optional := range []string{"", "id_token_hint", "state"} {
		query.Del(optional)
		u.RawQuery = query.Encode()
		if location := u.String(); len(location) < maxLogoutURL {
			return location, nil
		}
	}
	return "", fmt.Errorf("logout URL of over %d bytes", maxLogoutURL)
}

// LogoutOrigins returns the origins that a browser goes to on its way through
// [Client.EndSessionURL]; none if the provider has none. It performs no I/O: the issuer's
// stands for the endpoint's until the metadata is known.
func (c *Client) LogoutOrigins() (origins []string) {
	endpoint := c.Issuer
	if md := c.knownMetadata(); md != nil {
		endpoint = md.EndSessionURL
	}
	if endpoint == "" {
		return nil
	}
	for _, location := range []string{endpoint, c.PostLogoutRedirectURL} {
		if u, err := url.Parse(location); err == nil && u.Host != "" && !slices.Contains(origins, weburl.Origin(u)) {
			origins = append(origins, weburl.Origin(u))
		}
	}
	return origins
}

// ownLogoutParams are the parameters that EndSessionURL sets.
var ownLogoutParams = []string{"id_token_hint", "client_id", "post_logout_redirect_uri", "state"}

// CheckLogoutParams refuses parameters that EndSessionURL sets itself.
func CheckLogoutParams(params url.Values) error {
	for name := range params {
		if slices.Contains(ownLogoutParams, strings.ToLower(name)) {
			return fmt.Errorf("sets %q, which the package sets itself", name)
		}
	}
	return nil
}
