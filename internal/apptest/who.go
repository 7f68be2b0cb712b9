package apptest

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin"
)

// SignIn returns a new browser in which a user is signed in. Later logins are
// alice's again.
func (a *App) SignIn(t *testing.T, subject string) *Browser {
	t.Helper()
	a.Provider.AutoApprove(subject)
	defer a.Provider.AutoApprove("alice")
	b := a.Browser(t)
	b.Login("/dashboard")
	return b
}

// UserAt returns the subject of the user that the guarded page at path shows, ""
// if the page is not shown.
func (b *Browser) UserAt(path string) string {
	b.T.Helper()
	user, _ := b.user(path)
	return user.Subject
}

func (b *Browser) user(path string) (user oauthlogin.User, ok bool) {
	b.T.Helper()
	resp := b.Get(path)
	ok = resp.StatusCode == http.StatusOK && json.Unmarshal([]byte(resp.Text), &user) == nil
	return user, ok
}

// WantUser fails the test unless UserAt is subject.
func (b *Browser) WantUser(path, subject string) {
	b.T.Helper()
	if got := b.UserAt(path); got != subject {
		b.T.Errorf("at %s signed in as %q; want %q", path, got, subject)
	}
}

// SessionCookies returns the cookies that the session is in, without those of
// logins.
func (b *Browser) SessionCookies() map[string]string {
	b.T.Helper()
	cookies := b.Cookies()
	for name := range cookies {
		if strings.HasPrefix(name, FlowPrefix) || !strings.HasPrefix(name, SessionCookie) || name == SessionCookie+".rounds" {
			delete(cookies, name)
		}
	}
	return cookies
}
