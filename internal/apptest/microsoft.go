package apptest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// Tenants of Microsoft Entra ID. Consumers is that of personal accounts.
const (
	Contoso   = "aaaabbbb-0000-cccc-1111-dddd2222eeee"
	Fabrikam  = "bbbbcccc-1111-dddd-2222-eeee3333ffff"
	Consumers = "9188040d-6c67-4c5b-b112-36a304b66dad"

	MicrosoftCloud    = "https://login.microsoftonline.com/"
	MicrosoftTemplate = MicrosoftCloud + "{tenantid}/v2.0"
)

// A FakeMicrosoft is a provider as Microsoft documents Entra ID.
type FakeMicrosoft struct {
	mu        sync.Mutex
	tid       string
	keyIssuer any
	edit      func(header, claims map[string]any)
}

// Tenant has users of a tenant sign in from now on.
func (m *FakeMicrosoft) Tenant(tid string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tid = tid
}

// KeyIssuer is the member issuer of published keys from now on; nil: none.
func (m *FakeMicrosoft) KeyIssuer(issuer any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keyIssuer = issuer
}

// EditIDToken changes ID tokens further.
func (m *FakeMicrosoft) EditIDToken(f func(header, claims map[string]any)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.edit = f
}

// NewMicrosoft is New with Microsoft Entra ID, whose metadata for a tenant have the issuer
// published. alice of Contoso signs in.
func NewMicrosoft(t *testing.T, tenant, published string, change func(*oauthlogin.Options)) (*App, *FakeMicrosoft) {
	t.Helper()
	m := &FakeMicrosoft{tid: Contoso, keyIssuer: MicrosoftTemplate}
	a := New(t, Config{
		Provider: oauthlogintest.Config{Issuer: MicrosoftCloud + tenant + "/v2.0"},
		Change: func(opts *oauthlogin.Options) {
			client := *opts.Providers[0].OAuth2
			client.Scopes = nil
			opts.Providers[0] = oauthlogin.Microsoft(tenant, &client)
			if change != nil {
				change(opts)
			}
		},
	})
	a.Net["login.microsoftonline.com"] = a.Provider
	a.Provider.EditDiscovery(func(doc map[string]any) {
		doc["issuer"] = published
		delete(doc, "revocation_endpoint")
		delete(doc, "authorization_response_iss_parameter_supported")
		doc["token_endpoint_auth_methods_supported"] = []string{"client_secret_post", "private_key_jwt", "client_secret_basic"}
		doc["response_modes_supported"] = []string{"query", "fragment", "form_post"}
	})
	a.Provider.EditAuthorizationResponse(func(params url.Values) { params.Del("iss") })
	a.Provider.EditIDToken(func(header, claims map[string]any) {
		m.mu.Lock()
		defer m.mu.Unlock()
		claims["iss"], claims["tid"], claims["ver"] = MicrosoftCloud+m.tid+"/v2.0", m.tid, "2.0"
		claims["oid"], claims["preferred_username"] = "00000000-0000-0000-0000-000000000001", "alice@contoso.example"
		for _, name := range []string{"at_hash", "azp", "auth_time", "acr", "email_verified"} {
			delete(claims, name)
		}
		if m.edit != nil {
			m.edit(header, claims)
		}
	})
	a.Provider.Intercept(oauthlogintest.JWKS, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		recorded := httptest.NewRecorder()
		next(recorded, r)
		var set struct {
			Keys []map[string]any `json:"keys"`
		}
		if err := json.Unmarshal(recorded.Body.Bytes(), &set); err != nil {
			t.Error(err)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, key := range set.Keys {
			if m.keyIssuer != nil {
				key["issuer"] = m.keyIssuer
			}
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(set)
	})
	return a, m
}
