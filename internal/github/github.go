// Package github reads who a user is from the REST API of GitHub.
package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/oauthlogin/oauthlogin/internal/protocol"
	"github.com/oauthlogin/oauthlogin/internal/weburl"
)

// API returns the base URL of the REST API that belongs to an authorization
// endpoint: of github.com, of GHE.com, or of an Enterprise server.
func API(authURL string) string {
	u, err := url.Parse(authURL)
	if err != nil {
		return ""
	}
	if host := strings.ToLower(u.Hostname()); host == "github.com" || strings.HasSuffix(host, ".ghe.com") {
		return "https://api." + host
	}
	return weburl.Origin(u) + "/api/v3"
}

// A Profile is a user of GitHub.
type Profile struct {
	ID    string // which never changes hands, unlike the login name
	Name  string // or the login name
	Email string // the primary address if it is verified
	Raw   json.RawMessage
}

// Read asks the API whose access token client sends.
func Read(ctx context.Context, client *http.Client, api string) (Profile, error) {
	raw, err := getJSON(ctx, client, api+"/user")
	if err != nil {
		return Profile{}, err
	}
	var user struct {
		ID          int64
		Login, Name string
	}
	if err := json.Unmarshal(raw, &user); err != nil || user.ID <= 0 {
		return Profile{}, errors.New("response of /user has no id")
	}
	p := Profile{ID: strconv.FormatInt(user.ID, 10), Name: user.Name, Raw: raw}
	if p.Name == "" {
		p.Name = user.Login
	}
	p.Email, err = email(ctx, client, api)
	return p, err
}

// email returns the primary address if it is verified. /user has an address only
// of users who made it public.
func email(ctx context.Context, client *http.Client, api string) (string, error) {
	raw, err := getJSON(ctx, client, api+"/user/emails")
	var status protocol.StatusError
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
		return "", errors.New("response of /user/emails is not a list of addresses")
	}
	for _, e := range emails {
		if e.Primary && e.Verified {
			return e.Email, nil
		}
	}
	return "", nil
}

// getJSON reads a JSON document of the REST API.
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
	body, err := protocol.ReadBody(resp)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("read %s: %w", req.URL.Path, protocol.StatusError(resp.StatusCode))
	}
	if !json.Valid(body) {
		return nil, fmt.Errorf("read %s: response is not JSON", req.URL.Path)
	}
	return body, nil
}
