package apptest

import (
	"encoding/json"
	"html"
	"net/http"
	"regexp"
	"testing"

	"github.com/oauthlogin/oauthlogin"
)

// A Response has been read to its end.
type Response struct {
	*http.Response
	Text string // the body
}

// Location returns the header as it is, unlike http.Response.Location.
func (r *Response) Location() string { return r.Header.Get("Location") }

var linkPattern = regexp.MustCompile(`href="([^"]*)"`)

// Links returns the targets of all links of a page.
func (r *Response) Links() (targets []string) {
	for _, match := range linkPattern.FindAllStringSubmatch(r.Text, -1) {
		targets = append(targets, html.UnescapeString(match[1]))
	}
	return targets
}

// UserOf returns the user that a guarded path of the application sees.
func UserOf(t *testing.T, resp *Response) (user oauthlogin.User) {
	t.Helper()
	if err := json.Unmarshal([]byte(resp.Text), &user); err != nil {
		t.Fatalf("%d %s: %v", resp.StatusCode, resp.Text, err)
	}
	return user
}
