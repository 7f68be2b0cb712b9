package oauthlogin_test

import (
	"net/http"
	"net/url"
	"path"

	"github.com/oauthlogin/oauthlogin/internal/apptest"
)

// What the tests of gates and pages still call here: the same is in
// internal/adversarial and internal/apptest.

var pageFaults = apptest.PageFaults

func mayLead(a *apptest.App, asked string, resp *apptest.Response) {
	a.T.Helper()
	location := resp.Location()
	for _, read := range []string{location, path.Clean(location)} {
		if resp.StatusCode != http.StatusSeeOther || location == "" || apptest.BrowserOrigin(read) != "https://app.test" {
			a.T.Errorf("%q leads to %q with %d: %s", asked, read, resp.StatusCode, apptest.BrowserOrigin(read))
		}
	}
}

func withParameters(a *apptest.App, cb string, nameValue ...string) string {
	a.T.Helper()
	return apptest.Edited(a.T, cb, func(q url.Values) {
		for i := 0; i < len(nameValue); i += 2 {
			if q.Set(nameValue[i], nameValue[i+1]); nameValue[i+1] == "" {
				q.Del(nameValue[i])
			}
		}
	})
}
