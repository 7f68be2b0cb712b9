package oauthlogin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// A claimsFixture is what a provider says about a user, apart from the claims of the
// protocol.
type claimsFixture struct {
	IDToken  map[string]any `json:"id_token"`
	UserInfo map[string]any `json:"user_info"`
}

// says lets the provider say what a file below testdata/claims has.
func says(t *testing.T, a *apptest.App, name string) {
	t.Helper()
	text, err := os.ReadFile("testdata/claims/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var fixture claimsFixture
	if err := json.Unmarshal(text, &fixture); err != nil {
		t.Fatal(err)
	}
	own := func(name string, _ any) bool {
		return slices.Contains([]string{"name", "email", "email_verified"}, name)
	}
	a.Provider.EditIDToken(func(_, claims map[string]any) {
		maps.DeleteFunc(claims, own)
		maps.Copy(claims, fixture.IDToken)
	})
	a.Provider.EditUserInfo(func(claims map[string]any) {
		maps.DeleteFunc(claims, own)
		maps.Copy(claims, fixture.UserInfo)
	})
}

// Policies find roles and groups where providers have them.
func TestClaimsOfProviders(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		provider, claim, value string
		allowed                bool
		reads                  int // of user info
	}{
		{"keycloak", "realm_access.roles", "admin", true, 0},
		{"keycloak", "realm_access.roles", "editor", false, 0},
		{"keycloak", "resource_access.app.roles", "editor", true, 0},
		{"keycloak", "resource_access.app.roles", "owner", false, 0},
		{"keycloak", "resource_access.app.v2.roles", "owner", true, 0},
		{"keycloak", "groups", "/staff/admins", true, 0},
		{"keycloak", "groups", "/staff/admin", false, 0},
		{"keycloak", "email", "alice@example.com", true, 0},
		{"okta", "groups", "Admins", true, 1},
		{"okta", "groups", "admins", false, 1},
		{"gitlab", "groups_direct", "acme/platform", true, 0},
		{"gitlab", "groups_direct", "acme/platform/on-call", false, 0},
		{"gitlab", "groups", "acme/platform/on-call", true, 1},
		{"gitlab", "https://gitlab.org/claims/groups/owner", "acme/platform", true, 1},
		{"gitlab", "https://gitlab.org/claims/groups/owner", "acme", false, 1},
		{"gitlab", "https://gitlab.org/claims/groups/reporter", "acme", false, 1},
		{"entra", "roles", "Survey.Read", true, 0},
		{"entra", "tid", "9122040d-6c67-4c5b-b112-36a304b66dad", true, 0},
		{"entra", "groups", adminGroup, false, 1},
		{"entra", "email", "alice@contoso.example", false, 0}, // not verified
	} {
		t.Run(fmt.Sprintf("%s, %s is %s", tt.provider, tt.claim, tt.value), func(t *testing.T) {
			t.Parallel()
			a := apptest.New(t, apptest.Config{})
			says(t, a, tt.provider)
			a.GuardBy(oauthlogin.Policy{Claims: map[string][]string{tt.claim: {tt.value}}})
			b := a.Browser(t)
			b.Login("/dashboard")
			wantGuarded(t, a, b, tt.allowed)
			wantGuarded(t, a, b, tt.allowed)
			if n := a.Provider.Count(oauthlogintest.UserInfo); n != tt.reads {
				t.Errorf("user info was read %d times; want %d", n, tt.reads)
			}
		})
	}
}

const adminGroup = "0f3a3a6f-5d7f-4c1e-8d46-9f2f6a1c0b11"

// knownGroups returns those of the groups that the application knows by name. A user can be
// in thousands, for which sessions have no room.
func knownGroups(groups []string) []string {
	return slices.DeleteFunc(groups, func(group string) bool { return group != adminGroup })
}

// entraGroups fetches the groups of a user who is in more of them than fit into an ID
// token. It calls Microsoft Graph, and not the endpoint of _claim_sources, which is of an
// API that has been retired.
func entraGroups(ctx context.Context, in *oauthlogin.SignIn) error {
	var overage struct {
		ClaimNames map[string]string `json:"_claim_names"`
		HasGroups  bool              `json:"hasgroups"`
	}
	if err := in.User.Claims(&overage); err != nil {
		return err
	}
	if _, elsewhere := overage.ClaimNames["groups"]; !elsewhere && !overage.HasGroups {
		return nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://graph.microsoft.com/v1.0/me/getMemberObjects", strings.NewReader(`{"securityEnabledOnly":true}`))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := in.Client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("graph: %s", resp.Status)
	}
	var members struct{ Value []string }
	if err := json.NewDecoder(resp.Body).Decode(&members); err != nil {
		return err
	}
	return in.User.SetClaim("groups", knownGroups(members.Value))
}

// A user of Entra with over 200 groups has none of them in the ID token. OnSignIn fetches
// them, and they stay when tokens are refreshed. Without them the login is refused.
func TestEntraGroupOverage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		graph   func(w http.ResponseWriter, r *http.Request, token string)
		allowed bool
		login   int
	}{
		{"an administrator", memberOf(300, adminGroup), true, http.StatusOK},
		{"someone else", memberOf(300), false, http.StatusOK},
		{"a token that Graph refuses", func(w http.ResponseWriter, _ *http.Request, _ string) { w.WriteHeader(http.StatusUnauthorized) }, false, http.StatusForbidden},
		{"an outage of Graph", func(w http.ResponseWriter, _ *http.Request, _ string) { w.WriteHeader(http.StatusBadGateway) }, false, http.StatusForbidden},
	} {
		apptest.InBubble(t, tt.name, func(t *testing.T) {
			a := asking(t, apptest.Config{}, entraGroups)
			says(t, a, "entra")
			called := 0
			a.Net["graph.microsoft.com"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				called++
				tt.graph(w, r, a.LastIssued("access_token"))
			})
			a.Net["graph.windows.net"] = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the endpoint of the claims was called") })
			a.GuardBy(oauthlogin.Policy{Claims: map[string][]string{"groups": {adminGroup}}})
			b := a.Browser(t)
			resp := b.Follow("/dashboard")
			if resp.StatusCode != tt.login || b.SignedIn() != (tt.login == http.StatusOK) {
				t.Fatalf("the login ends at %s with %d", resp.Request.URL, resp.StatusCode)
			}
			if tt.login != http.StatusOK {
				return
			}
			wantGuarded(t, a, b, tt.allowed)
			time.Sleep(2 * time.Hour)
			wantGuarded(t, a, b, tt.allowed)
			a.WantRefreshes(t, 1)
			if called != 1 {
				t.Errorf("Graph was called %d times", called)
			}
		})
	}
}

// memberOf is Graph for a user of n groups and these.
func memberOf(n int, groups ...string) func(http.ResponseWriter, *http.Request, string) {
	for i := range n {
		groups = append(groups, fmt.Sprintf("00000000-0000-4000-8000-%012d", i))
	}
	return func(w http.ResponseWriter, r *http.Request, token string) {
		var body bytes.Buffer
		_, err := body.ReadFrom(r.Body)
		if err = errors.Join(err, r.Body.Close()); err != nil || r.Method != http.MethodPost || r.URL.Path != "/v1.0/me/getMemberObjects" ||
			r.Header.Get("Authorization") != "Bearer "+token || body.String() != `{"securityEnabledOnly":true}` {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#Collection(Edm.String)", "value": groups})
	}
}
