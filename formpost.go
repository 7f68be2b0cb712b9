package oauthlogin

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/oauthlogin/oauthlogin/internal/apple"
	"github.com/oauthlogin/oauthlogin/internal/page"
	"github.com/oauthlogin/oauthlogin/internal/protocol"
	"github.com/oauthlogin/oauthlogin/internal/record"
	"github.com/oauthlogin/oauthlogin/internal/weburl"
)

const (
	// maxPosted bounds the form of an authorization response, in bytes.
	maxPosted = 64 << 10
	// postedHere marks a form that a page of the package has posted. Without the mark, a
	// browser that keeps no cookies would go round forever.
	postedHere = "oauthlogin_posted"
)

// postedFields are the parameters of an authorization response that go on.
var postedFields = []string{"state", "code", "iss", "error"}

// userField is the field of Apple's form that has the user's name.
const userField = "user"

// response reads an authorization response from the query or, with Provider.FormPost, from
// the body. done reports that the response is written: the browser of a form that another
// site posts sends no cookies with SameSite=Lax, so a page posts it again from here.
func (m *Middleware) response(w http.ResponseWriter, r *http.Request) (response protocol.Response, done bool, err error) {
	if r.Method == http.MethodGet {
		response, err = protocol.ParseResponse(r.URL.RawQuery)
		return response, false, err
	}
	form, err := postedForm(w, r)
	if err == nil {
		response, err = protocol.ResponseOf(form)
	}
	p := m.providers.byForm(r.URL.Path)
	if field := form.Get(userField); p.apple != nil && apple.Name(field) != "" { // which bounds it
		response.User = field
	}
	switch {
	case err != nil:
		return response, false, err
	case p.apple != nil && len(form[userField]) > 1:
		return response, false, fmt.Errorf("parameter %s occurs more than once", userField)
	case len(form[postedHere]) > 1:
		return response, false, fmt.Errorf("parameter %s occurs more than once", postedHere)
	case form.Has(postedHere):
		page.SameOriginReferrer(w) // for cameFromForm; the URL has no code
		return response, false, nil
	case response.State == "" && response.Code == "" && !response.HasError:
		return response, false, errors.New("the form is no authorization response")
	}
	if response.HasError {
		m.events.logDescription(r.Context(), p.Name, response)
	}
	var fields []page.Field
	for _, name := range postedFields {
		if form.Has(name) {
			fields = append(fields, page.Field{Name: name, Value: form.Get(name)})
		}
	}
	if response.User != "" {
		fields = append(fields, page.Field{Name: userField, Value: response.User})
	}
	page.WritePost(w, m.responses.texts.of(r), p.callbackPath, append(fields, page.Field{Name: postedHere, Value: "1"}))
	return response, true, nil
}

// postedForm reads the body of an authorization response (OAuth 2.0 Form Post Response Mode
// section 2). It ignores the query. A handler around the middleware may have read the body
// already.
func postedForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err != nil || mediaType != "application/x-www-form-urlencoded":
		return nil, errors.New("the body is not application/x-www-form-urlencoded")
	case r.PostForm != nil:
		return r.PostForm, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPosted))
	if err != nil {
		return nil, fmt.Errorf("read the form: %w", err)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, errors.New("the form is malformed")
	}
	return form, nil
}

// byForm returns the provider that posts its responses to a path, nil if none does. Of a
// path that a router has cut, only the end is known.
func (ps providers) byForm(path string) *provider {
	i := slices.IndexFunc(ps, func(p *provider) bool { return p.callbackPath == path })
	if i < 0 {
		i = slices.IndexFunc(ps, func(p *provider) bool { return strings.HasSuffix(p.callbackPath, path) })
	}
	if i < 0 || !ps[i].FormPost {
		return nil
	}
	return ps[i]
}

// leave sends a browser to the provider. The form-action of the page that posted a response
// here would keep it from following a redirect there, in Chromium at least: a page leads on
// instead.
func (m *Middleware) leave(w http.ResponseWriter, r *http.Request, location string) {
	if m.cameFromForm(r) {
		page.WriteOnward(w, m.responses.texts.of(r), location)
		return
	}
	page.Redirect(w, location)
}

// cameFromForm reports whether a request belongs to the redirects after a form that a page
// of the package has posted: all of them have the URL of that page as Referer.
func (m *Middleware) cameFromForm(r *http.Request) bool {
	referrer := r.Referer()
	if referrer == "" {
		return false
	}
	u, err := url.Parse(referrer)
	if err != nil || weburl.Origin(u) != m.paths.Origin {
		return false
	}
	return slices.ContainsFunc(m.providers, func(p *provider) bool { return p.FormPost && p.callbackPath == u.Path })
}

// addName gives a user without a name that of the form, which nothing signs. Apple sends it
// only to the first login: a session of the same user here passes it on.
func (m *Middleware) addName(r *http.Request, rec *record.Record, field string) {
	if rec.User.Name != "" {
		return
	}
	name := apple.Name(field)
	if old, _ := m.sessions.OfSameUser(r, rec); name == "" && old != nil {
		name = old.Extra.FormName
	}
	rec.User.Name, rec.Extra.FormName = name, name
}
