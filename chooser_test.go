package oauthlogin_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// With several providers the login page is a choice: links in a list with a
// heading, and no script.
func TestChooser(t *testing.T) {
	t.Parallel()
	a, two := apptest.NewTwoProviders(t, nil)
	for _, query := range []string{"?return_to=%2Fdashboard%3Fq%3D1%26r%3D2", "?provider=&return_to=%2Fdashboard%3Fq%3D1%26r%3D2"} {
		resp := a.Browser(t).Get("/login" + query)
		if resp.StatusCode != http.StatusOK || len(resp.Cookies()) > 0 {
			t.Errorf("%d %v", resp.StatusCode, resp.Header)
		}
		for _, fault := range apptest.PageFaults(resp) {
			t.Errorf("%s\n%s", fault, resp.Text)
		}
		for _, part := range []string{"<ul", ">one</a>", ">two</a>"} {
			if !strings.Contains(resp.Text, part) {
				t.Errorf("page has no %s: %s", part, resp.Text)
			}
		}
		links := resp.Links()
		if len(links) != 2 {
			t.Fatalf("links %q", links)
		}
		for i, user := range []string{"alice", "bob"} {
			resp := a.Browser(t).Follow(links[i])
			if resp.Request.URL.RequestURI() != "/dashboard?q=1&r=2" || !strings.Contains(resp.Text, user) {
				t.Errorf("%s leads to %s: %s", links[i], resp.Request.URL, resp.Text)
			}
		}
	}
	if n := a.Provider.Count(oauthlogintest.Discovery) + two.Count(oauthlogintest.Discovery); n != 2 {
		t.Errorf("%d discoveries; a choice alone needs none", n)
	}
}

// Names and return paths that try to break out of the page work as names and
// return paths.
func TestChooserEscapesNames(t *testing.T) {
	t.Parallel()
	for _, names := range [][2]string{
		{`<script>alert("hostile")</script>`, `" onclick='x' & / ? # é %2F {{.}}`},
		{`a&b "c" <i>d</i>`, "javascript:alert(1)"},
	} {
		a, _ := apptest.NewTwoProviders(t, func(o *oauthlogin.Options) {
			o.Providers[0].Name, o.Providers[1].Name = names[0], names[1]
		})
		const value = `"><script>alert(1)</script>`
		resp := a.Browser(t).Get("/login?return_to=" + url.QueryEscape("/dashboard?q="+value+"&y='"))
		links := resp.Links()
		if len(links) != 2 {
			t.Fatalf("links %q", links)
		}
		for i, link := range links {
			if !strings.HasPrefix(link, "/login?") || apptest.QueryOf(link).Get("provider") != names[i] {
				t.Errorf("%s: link %q", names[i], link)
			}
			resp := a.Browser(t).Follow(link)
			if user := apptest.UserOf(t, resp); user.Provider != names[i] || resp.Request.URL.Query().Get("q") != value {
				t.Errorf("%s leads to %s: %s", link, resp.Request.URL, resp.Text)
			}
		}
		if strings.Contains(resp.Text, "<i>") || strings.Contains(resp.Text, `" onclick`) {
			t.Errorf("page %s", resp.Text)
		}
		resp.Text = strings.NewReplacer(">javascript:alert(1)<", "", ">&#34; onclick=", "").Replace(resp.Text) // names, as text
		for _, fault := range apptest.PageFaults(resp) {
			t.Errorf("%s\n%s", fault, resp.Text)
		}
	}
}

// The chooser shows Label, and Name where there is none. Name remains what URLs,
// sessions and events say.
func TestProviderLabel(t *testing.T) {
	t.Parallel()
	a, _ := apptest.NewTwoProviders(t, func(o *oauthlogin.Options) { o.Providers[0].Label = `Sign in <b>& "on"</b> at Ünï` })
	b := a.Browser(t)
	resp := b.Get("/login?return_to=%2Fdashboard")
	for _, text := range []string{">Sign in &lt;b&gt;&amp; &#34;on&#34;&lt;/b&gt; at Ünï</a>", ">two</a>"} {
		if !strings.Contains(resp.Text, text) {
			t.Errorf("no %s on %s", text, resp.Text)
		}
	}
	links := resp.Links()
	if len(links) != 2 || apptest.QueryOf(links[0]).Get("provider") != "one" {
		t.Fatalf("links %q", links)
	}
	if user := apptest.UserOf(t, b.Follow(links[0])); user.Provider != "one" || user.Subject != "alice" {
		t.Errorf("signed in as %q of %q", user.Subject, user.Provider)
	}
	a.Events.Want(t, "login one/alice")
}

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
