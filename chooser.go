package oauthlogin

import (
	"fmt"
	"net/http"

	"github.com/oauthlogin/oauthlogin/internal/flight"
	"github.com/oauthlogin/oauthlogin/internal/page"
)

// A Choice is a provider on the page where the user chooses one: see [Options.Chooser].
type Choice struct {
	// Provider is the [Provider.Name].
	Provider string
	// Label is the [Provider.Label], or the name. It is not HTML.
	Label string
	// URL is a local path and query. A GET request starts the login; the return path is in it.
	URL string
}

// choose responds with a page that has a link for each provider. The page may be loaded
// again, so a form that was sent leads to it by a redirect.
func (m *Middleware) choose(w http.ResponseWriter, r *http.Request, returnTo string) {
	if r.Method != http.MethodGet {
		page.Redirect(w, m.paths.LoginURL("", returnTo))
		return
	}
	var choices []Choice
	for _, p := range m.providers {
		choices = append(choices, Choice{Provider: p.Name, Label: p.Label, URL: m.paths.LoginURL(p.Name, returnTo)})
	}
	if m.opts.Chooser == nil {
		var links []page.Choice
		for _, c := range choices {
			links = append(links, page.Choice(c))
		}
		page.WriteChooser(w, m.responses.texts.of(r), links)
		return
	}
	response := page.NewBuffer(w)
	if err := callChooser(m.opts.Chooser, response, r, choices); err != nil {
		m.responses.fail(w, r, &Error{
			Code: "internal", Status: http.StatusInternalServerError, RetryURL: m.paths.LoginURL("", returnTo),
			err: fmt.Errorf("Options.Chooser: %w", err),
		})
		return
	}
	response.Send(w)
}

// callChooser turns a panic into an error.
func callChooser(chooser func(http.ResponseWriter, *http.Request, []Choice), w http.ResponseWriter, r *http.Request, choices []Choice) (err error) {
	defer flight.Recover(&err)
	chooser(w, r, choices)
	return nil
}
