package oauthlogin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/github"
)

// GitHub returns the provider "github" for an OAuth app or GitHub App
// registered there. Without Scopes it asks for "user:email" alone, which
// together with the public profile is all that it reads. Without an Endpoint
// it is github.com; the API of a GitHub Enterprise server is taken to be at
// /api/v3 of the Endpoint's host, that of GHE.com at api. and the host.
//
// The user's Subject is the numeric id, which unlike the login name never
// changes hands; Email is the primary address if GitHub has verified it. Tokens
// of OAuth apps do not expire.
func GitHub(client *oauth2.Config) Provider {
	if client == nil {
		return Provider{Name: "github", Identify: identifyGitHub("")}
	}
	config := *client
	if config.Endpoint.AuthURL == "" && config.Endpoint.TokenURL == "" {
		config.Endpoint.AuthURL, config.Endpoint.TokenURL = github.Endpoint.AuthURL, github.Endpoint.TokenURL
	}
	if config.Endpoint.AuthStyle == oauth2.AuthStyleAutoDetect {
		config.Endpoint.AuthStyle = oauth2.AuthStyleInParams // as GitHub documents it
	}
	if config.Scopes == nil {
		config.Scopes = []string{"user:email"}
	}
	return Provider{Name: "github", OAuth2: &config, Identify: identifyGitHub(gitHubAPI(config.Endpoint.AuthURL))}
}

// gitHubAPI returns the base URL of the REST API that belongs to an
// authorization endpoint: of github.com, of GHE.com, of a server of one's own.
func gitHubAPI(authURL string) string {
	u, err := url.Parse(authURL)
	if err != nil {
		return ""
	}
	if host := strings.ToLower(u.Hostname()); host == "github.com" || strings.HasSuffix(host, ".ghe.com") {
		return "https://api." + host
	}
	return originOf(u) + "/api/v3"
}

func identifyGitHub(api string) func(context.Context, *http.Client) (User, error) {
	return func(ctx context.Context, client *http.Client) (User, error) {
		raw, err := getJSON(ctx, client, api+"/user")
		if err != nil {
			return User{}, err
		}
		var profile struct {
			ID          int64
			Login, Name string
		}
		if err := json.Unmarshal(raw, &profile); err != nil || profile.ID <= 0 {
			return User{}, errors.New("answer of /user has no id")
		}
		user := User{Subject: strconv.FormatInt(profile.ID, 10), Name: profile.Name, RawClaims: raw}
		if user.Name == "" {
			user.Name = profile.Login
		}
		user.Email, err = gitHubEmail(ctx, client, api)
		user.EmailVerified = user.Email != ""
		return user, err
	}
}

// gitHubEmail returns the primary address if it is verified. /user has one
// only of those who made it public.
func gitHubEmail(ctx context.Context, client *http.Client, api string) (string, error) {
	raw, err := getJSON(ctx, client, api+"/user/emails")
	var status statusError
	if errors.As(err, &status) && (status == http.StatusForbidden || status == http.StatusNotFound) {
		return "", nil // the scope was not granted
	}
	if err != nil {
		return "", err
	}
	var emails []struct {
		Email             string
		Primary, Verified bool
	}
	if err := json.Unmarshal(raw, &emails); err != nil {
		return "", errors.New("answer of /user/emails is no list of addresses")
	}
	for _, e := range emails {
		if e.Primary && e.Verified {
			return e.Email, nil
		}
	}
	return "", nil
}

// getJSON reads a JSON document, with what GitHub wants said of API versions.
func getJSON(ctx context.Context, client *http.Client, url string) (json.RawMessage, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/vnd.github+json")
	req.Header.Set("X-GitHub-Api-Version", "2022-11-28")
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	body, err := readBody(resp)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("read %s: %w", req.URL.Path, statusError(resp.StatusCode))
	}
	if !json.Valid(body) {
		return nil, fmt.Errorf("read %s: answer is no JSON", req.URL.Path)
	}
	return body, nil
}
