package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/oauthlogin/oauthlogin"
	"golang.org/x/oauth2"
)

// A provider is where users sign in. /api/profile calls its user info endpoint.
type provider struct {
	login       oauthlogin.Provider
	userInfoURL func(context.Context, *http.Client) (string, error)
}

func openIDProvider(env getenv, redirectURL string) provider {
	client := registration(env, redirectURL)
	if len(client.Scopes) == 0 {
		client.Scopes = []string{"openid", "profile", "email"}
	}
	return provider{
		login:       oauthlogin.Provider{OAuth2: client, Issuer: env("OAUTH_ISSUER")},
		userInfoURL: discoverUserInfo(env("OAUTH_ISSUER")),
	}
}

func plainProvider(env getenv, redirectURL string) provider {
	client := registration(env, redirectURL)
	client.Endpoint = oauth2.Endpoint{AuthURL: env("OAUTH_AUTH_URL"), TokenURL: env("OAUTH_TOKEN_URL")}
	userInfoURL := env("OAUTH_USERINFO_URL")
	return provider{
		login: oauthlogin.Provider{OAuth2: client, Identify: func(ctx context.Context, client *http.Client) (oauthlogin.User, error) {
			return identify(ctx, client, userInfoURL)
		}},
		userInfoURL: always(userInfoURL),
	}
}

func gitHubProvider(env getenv, redirectURL string) provider {
	return provider{
		login: oauthlogin.GitHub(&oauth2.Config{
			ClientID:     env("GITHUB_CLIENT_ID"),
			ClientSecret: env("GITHUB_CLIENT_SECRET"),
			RedirectURL:  redirectURL,
		}),
		userInfoURL: always("https://api.github.com/user"),
	}
}

func registration(env getenv, redirectURL string) *oauth2.Config {
	return &oauth2.Config{
		ClientID:     env("OAUTH_CLIENT_ID"),
		ClientSecret: env("OAUTH_CLIENT_SECRET"),
		RedirectURL:  redirectURL,
		Scopes:       strings.Fields(env("OAUTH_SCOPES")),
	}
}

// identify returns the user described by the user info of a plain OAuth 2.0
// provider.
func identify(ctx context.Context, client *http.Client, userInfoURL string) (oauthlogin.User, error) {
	status, body, err := getJSON(ctx, client, userInfoURL)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d", status)
	}
	if err != nil {
		return oauthlogin.User{}, fmt.Errorf("read user info: %w", err)
	}
	var claims map[string]any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber() // a float64 would round a large id
	if err := decoder.Decode(&claims); err != nil {
		return oauthlogin.User{}, errors.New("read user info: response is not a JSON object")
	}
	subject := cmp.Or(text(claims["sub"]), text(claims["id"]))
	if subject == "" {
		return oauthlogin.User{}, errors.New("read user info: sub and id are missing, or neither a string nor a number")
	}
	return oauthlogin.User{
		Subject:   subject,
		Name:      text(claims["name"]),
		Email:     text(claims["email"]),
		RawClaims: body,
	}, nil
}

// text returns a JSON string or number as text, and "" for any other value.
func text(claim any) string {
	switch claim := claim.(type) {
	case string:
		return claim
	case json.Number:
		return claim.String()
	}
	return ""
}

func always(userInfoURL string) func(context.Context, *http.Client) (string, error) {
	return func(context.Context, *http.Client) (string, error) { return userInfoURL, nil }
}

// discoverUserInfo returns a function that reads the issuer's user info endpoint
// from its metadata (OpenID Connect Discovery 1.0 section 4), once.
func discoverUserInfo(issuer string) func(context.Context, *http.Client) (string, error) {
	var known atomic.Pointer[string]
	return func(ctx context.Context, client *http.Client) (string, error) {
		if endpoint := known.Load(); endpoint != nil {
			return *endpoint, nil
		}
		status, body, err := getJSON(ctx, client, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration")
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("status %d", status)
		}
		if err != nil {
			return "", fmt.Errorf("read the provider's metadata: %w", err)
		}
		var metadata struct {
			Issuer      string `json:"issuer"`
			UserInfoURL string `json:"userinfo_endpoint"`
		}
		switch err := json.Unmarshal(body, &metadata); {
		case err != nil:
			return "", fmt.Errorf("read the provider's metadata: %w", err)
		case metadata.Issuer != issuer:
			return "", fmt.Errorf("read the provider's metadata: issuer mismatch: want %q, metadata has %q", issuer, metadata.Issuer)
		case !mayCarryToken(metadata.UserInfoURL):
			return "", errors.New("read the provider's metadata: userinfo_endpoint is missing or not safe")
		}
		known.Store(&metadata.UserInfoURL)
		return metadata.UserInfoURL, nil
	}
}

// maxJSON is the size, in bytes, of the largest document that getJSON reads.
const maxJSON = 1 << 20

// getJSON returns the status and the JSON body of a response. The body is nil if
// an error response has no JSON; any other response without JSON is an error.
func getJSON(ctx context.Context, client *http.Client, url string) (status int, body json.RawMessage, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxJSON+1))
	switch {
	case err != nil:
		return 0, nil, err
	case len(body) > maxJSON:
		return 0, nil, fmt.Errorf("response has more than %d bytes", maxJSON)
	case resp.StatusCode >= http.StatusOK && json.Valid(body):
		return resp.StatusCode, body, nil
	case resp.StatusCode < http.StatusBadRequest:
		return 0, nil, fmt.Errorf("response with status %d is not JSON", resp.StatusCode)
	}
	return resp.StatusCode, nil, nil
}
