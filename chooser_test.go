package oauthlogin_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
)

func TestOwnChooser(t *testing.T) {
	t.Parallel()
	a, _ := apptest.NewTwoProviders(t, func(o *oauthlogin.Options) {
		o.Providers[0].Label = "The <first>"
		o.Chooser = func(w http.ResponseWriter, r *http.Request, choices []oauthlogin.Choice) {
			if h := w.Header(); h.Get("Cache-Control") != "no-store" || h.Get("Referrer-Policy") != "no-referrer" {
				t.Errorf("headers %v", h)
			}
			w.Header().Set("Cache-Control", "public, max-age=3600")
			w.Header().Set("X-Own", r.URL.RawQuery)
			for _, c := range choices {
				fmt.Fprintf(w, "%s|%s|<a href=%q></a>\n", c.Provider, c.Label, strings.ReplaceAll(c.URL, "&", "&amp;"))
			}
		}
	})
	b := a.Browser(t)
	resp := b.Get("/login?return_to=%2Fdashboard%3Fa%3Db")
	h := resp.Header
	if resp.StatusCode != http.StatusOK || h.Get("Cache-Control") != "no-store" || h.Get("Expires") != "0" || h.Get("Referrer-Policy") != "no-referrer" ||
		h.Get("X-Own") != "return_to=%2Fdashboard%3Fa%3Db" || h.Get("Content-Security-Policy") != "" || len(h["Set-Cookie"]) > 0 {
		t.Errorf("%d %v", resp.StatusCode, h)
	}
	if !strings.HasPrefix(resp.Text, "one|The <first>|") || !strings.Contains(resp.Text, "two|two|") {
		t.Error(resp.Text)
	}
	links := resp.Links()
	if len(links) != 2 {
		t.Fatalf("links %q", links)
	}
	if got := b.Follow(links[1]); got.Request.URL.RequestURI() != "/dashboard?a=b" || apptest.UserOf(t, b.Get("/api/me")).Provider != "two" {
		t.Errorf("the second link led to %s: %s", got.Request.URL, got.Text)
	}
	// A link of another site does not choose.
	if resp := b.Page("https://evil.test").Link("https://app.test/login?provider=one"); !strings.Contains(resp.Text, "two|two|") {
		t.Errorf("a foreign link: %d %s", resp.StatusCode, resp.Text)
	}
}

// What a Chooser has written before it panics is not sent.
func TestChooserPanics(t *testing.T) {
	t.Parallel()
	for name, panicking := range map[string]any{"as any function": "s3cret", "as net/http may": http.ErrAbortHandler} {
		t.Run(name, func(t *testing.T) {
			a, _ := apptest.NewTwoProviders(t, func(o *oauthlogin.Options) {
				o.Chooser = func(w http.ResponseWriter, _ *http.Request, _ []oauthlogin.Choice) {
					w.Header().Set("Set-Cookie", "half=page")
					fmt.Fprint(w, "half a page")
					panic(panicking)
				}
			})
			resp := a.Browser(t).Get("/login?return_to=%2Fa")
			if resp.StatusCode != http.StatusInternalServerError || strings.Contains(resp.Text, "half") || len(resp.Header["Set-Cookie"]) > 0 {
				t.Errorf("%d %v %s", resp.StatusCode, resp.Header, resp.Text)
			}
			for _, fault := range apptest.PageFaults(resp) {
				t.Error(fault)
			}
			if links := resp.Links(); !slices.Equal(links, []string{"/login?return_to=%2Fa"}) {
				t.Errorf("links %q", links)
			}
			if log := a.Log.String(); !strings.Contains(log, "Options.Chooser: panic") || strings.Contains(log, "s3cret") || !strings.Contains(log, "level=ERROR") {
				t.Errorf("log: %s", log)
			}
		})
	}
}

// The page is one of /login alone, whatever a handler was asked with.
func TestChoiceAfterForm(t *testing.T) {
	t.Parallel()
	called := ""
	a, _ := apptest.NewTwoProviders(t, func(o *oauthlogin.Options) {
		o.Chooser = func(_ http.ResponseWriter, r *http.Request, _ []oauthlogin.Choice) { called += r.Method }
	})
	a.Routes = func(mux *http.ServeMux) {
		mux.HandleFunc("/join", func(w http.ResponseWriter, r *http.Request) {
			a.Auth.StartLogin(w, r, oauthlogin.LoginOptions{ReturnTo: "/welcome"})
		})
	}
	b := a.Browser(t)
	if resp := b.Post("/join", nil); resp.StatusCode != http.StatusSeeOther || resp.Location() != "/login?return_to=%2Fwelcome" || called != "" {
		t.Errorf("a form: %d to %q, Chooser called: %q", resp.StatusCode, resp.Location(), called)
	}
	if resp := b.Get("/join"); resp.StatusCode != http.StatusOK || called != "GET" {
		t.Errorf("a link: %d, Chooser called: %q", resp.StatusCode, called)
	}
}
