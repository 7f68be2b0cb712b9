package oauthlogin_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
)

// inCapitals is a language in which all texts can be told from English.
func inCapitals(lang string) oauthlogin.Texts {
	texts := oauthlogin.EnglishTexts()
	texts.Lang = lang
	for key, text := range texts.ByKey {
		texts.ByKey[key] = strings.ToUpper(text)
	}
	return texts
}

func TestTexts(t *testing.T) {
	t.Parallel()
	two := []oauthlogin.Texts{oauthlogin.EnglishTexts(), inCapitals("de")}
	for _, tt := range []struct {
		name     string
		texts    []oauthlogin.Texts
		accept   string
		capitals bool
	}{
		{"none", nil, "de", false},
		{"one language", two[1:], "en", true},
		{"two, and the browser wants the second", two, "de-AT, en;q=0.5", true},
		{"two, and the browser wants the first", two, "en, de;q=0.5", false},
		{"two, and the browser wants neither", two, "fr", false},
		{"two, and the browser says nothing", two, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var seen *oauthlogin.Error
			handler := func(w http.ResponseWriter, _ *http.Request, err error) { errors.As(err, &seen) }
			own, _ := apptest.NewTwoProviders(t, func(o *oauthlogin.Options) { o.Texts, o.ErrorHandler = tt.texts, handler })
			a, _ := apptest.NewTwoProviders(t, func(o *oauthlogin.Options) { o.Texts = tt.texts })
			get := func(a *apptest.App, path string) *apptest.Response {
				b := a.Browser(t)
				return b.Get(path, "Accept-Language", tt.accept)
			}
			lang, says := "en", func(text string) string { return text }
			if tt.capitals {
				lang, says = "de", strings.ToUpper
			}
			for path, texts := range map[string][]string{
				"/login":                 {"Choose a provider to sign in with."},
				"/auth/callback?state=x": {"Sign-in could not be matched", "Try again", "Reference:"},
				"/logout":                {"Request not understood", "Home"},
			} {
				resp := get(a, path)
				for _, text := range append(texts, `<html lang="`+lang+`"`) {
					if !strings.HasPrefix(text, "<") {
						text = ">" + says(text)
					}
					if !strings.Contains(resp.Text, text) {
						t.Errorf("%s lacks %s: %s", path, text, resp.Text)
					}
				}
			}
			get(own, "/auth/callback?state=x")
			if seen == nil || seen.Lang != lang || seen.Title != says("Sign-in could not be matched") || !strings.HasPrefix(seen.Text, says("This sign-in was")) || seen.RetryLabel != says("Try again") {
				t.Errorf("ErrorHandler got %q %q %q %q", seen.Lang, seen.Title, seen.Text, seen.RetryLabel)
			}
		})
	}
}

// New copies the texts.
func TestTextsAreCopied(t *testing.T) {
	t.Parallel()
	texts := []oauthlogin.Texts{inCapitals("de")}
	a, _ := apptest.NewTwoProviders(t, func(o *oauthlogin.Options) { o.Texts = texts })
	clear(texts[0].ByKey)
	texts[0].Lang = "fr"
	if resp := a.Browser(t).Get("/login"); !strings.Contains(resp.Text, `<html lang="de"`) || !strings.Contains(resp.Text, "CHOOSE A PROVIDER") {
		t.Error(resp.Text)
	}
}

func TestTextsFaults(t *testing.T) {
	t.Parallel()
	opts := apptest.ValidOptions()
	opts.Texts = []oauthlogin.Texts{
		{Lang: "de", ByKey: map[string]string{"forbiden.title": "Kein Zugriff", "button.home": ""}},
		{ByKey: map[string]string{"button.home": "Start"}},
		{Lang: "DE"},
	}
	_, err := oauthlogin.New(opts)
	if err == nil {
		t.Fatal("New accepts faulty texts")
	}
	want := []string{
		`oauthlogin: Options.Texts[0].ByKey["button.home"] is empty`,
		`oauthlogin: Options.Texts[0].ByKey["forbiden.title"] is not a key of EnglishTexts`,
		`oauthlogin: Options.Texts[1].Lang "" is not a language tag such as "de" or "pt-BR"`,
		`oauthlogin: Options.Texts[2].Lang "DE" is also the language of Texts[0]`,
	}
	if got := strings.Split(err.Error(), "\n"); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// A page with a text that a translation lacks is in English, and the log says so at the start.
func TestMissingTexts(t *testing.T) {
	t.Parallel()
	german := inCapitals("de")
	delete(german.ByKey, "invalid_request.text")
	a, _ := apptest.NewTwoProviders(t, func(o *oauthlogin.Options) { o.Texts = []oauthlogin.Texts{german} })
	if log := a.Log.String(); !strings.Contains(log, "level=WARN") || !strings.Contains(log, "lang=de keys=[invalid_request.text]") {
		t.Errorf("log: %s", log)
	}
	for path, text := range map[string]string{
		"/logout": `<html lang="en"`,
		"/login":  `<html lang="de"`,
	} {
		if resp := a.Browser(t).Get(path); !strings.Contains(resp.Text, text) {
			t.Errorf("%s lacks %s: %s", path, text, resp.Text)
		}
	}
	// A translation that has only begun is one short line.
	german.ByKey = map[string]string{"button.home": "Startseite"}
	a = apptest.New(t, apptest.Config{Change: func(o *oauthlogin.Options) { o.Texts = []oauthlogin.Texts{german} }})
	more := fmt.Sprintf(`lang=de keys="[access_denied.text access_denied.title authorization_failed.text and %d more]"`, len(oauthlogin.EnglishTexts().ByKey)-4)
	if log := a.Log.String(); !strings.Contains(log, more) {
		t.Errorf("log: %s; want %s", log, more)
	}
}

// A page of ErrorHandler can say what the package's page says, and name the log line.
func TestErrorHandlerHasReference(t *testing.T) {
	t.Parallel()
	var got []*oauthlogin.Error
	a := asking(t, apptest.Config{Change: func(o *oauthlogin.Options) {
		o.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) {
			var e *oauthlogin.Error
			if errors.As(err, &e) {
				got = append(got, e)
			}
			w.WriteHeader(e.Status)
		}
	}}, func(context.Context, *oauthlogin.SignIn) error { return errNotInvited })
	for range 2 {
		b := a.Browser(t)
		b.Get(b.CallbackURL("/login?return_to=/dashboard"))
	}
	events := a.Events.Take()
	if len(got) != 2 || len(events) != 2 || got[0].Reference == got[1].Reference {
		t.Fatalf("%d errors and %d events: %v", len(got), len(events), got)
	}
	for i, e := range got {
		if e.Title != "You cannot sign in here" || e.RetryLabel != "Sign in with another account" || e.Lang != "en" || len(e.Reference) != 8 {
			t.Errorf("%q %q %q %q", e.Title, e.RetryLabel, e.Lang, e.Reference)
		}
		if n := strings.Count(a.Log.String(), "reference="+e.Reference); n != 1 {
			t.Errorf("the log has the reference %d times: %s", n, a.Log)
		}
		var reported *oauthlogin.Error
		if !errors.As(events[i].Err, &reported) || reported.Reference != e.Reference || reported == e || reported.Title != "" {
			t.Errorf("event with %+v", reported)
		}
	}
}

// Title and Text of a hook's error are on the page as text, and the error stays as it was.
func TestOnSignInChoosesWords(t *testing.T) {
	t.Parallel()
	shared := &oauthlogin.Error{Code: "not_a_member", Title: "Members only", Text: `Ask <b>"Ann"</b>.`}
	before := *shared
	for _, tt := range []struct {
		err                *oauthlogin.Error
		title, text, label string
	}{
		{shared, "Members only", "Ask &lt;b&gt;&#34;Ann&#34;&lt;/b&gt;.", "Sign in with another account"},
		{&oauthlogin.Error{Code: "not_a_member"}, "You cannot sign in here", "The provider has confirmed who you are", "Sign in with another account"},
		{&oauthlogin.Error{Code: "not_a_member", Title: "Members only"}, "Members only", "The provider has confirmed who you are", "Sign in with another account"},
		{&oauthlogin.Error{Code: "over_quota", RetryURL: "/plans", RetryLabel: "See <plans>"}, "You cannot sign in here", "The provider has", "See &lt;plans&gt;"},
		{&oauthlogin.Error{Code: "over_quota", RetryURL: "/plans"}, "You cannot sign in here", "The provider has", "Try again"},
		{&oauthlogin.Error{Code: "crm_down", Status: 502}, "Something went wrong", "The sign-in could not be completed.", "Try again"},
	} {
		a := asking(t, apptest.Config{}, func(context.Context, *oauthlogin.SignIn) error { return tt.err })
		b := a.Browser(t)
		resp := b.Get(b.CallbackURL("/login"))
		if !strings.Contains(resp.Text, "<h1>"+tt.title+"</h1>\n<p>"+tt.text) || !strings.Contains(resp.Text, "<title>"+tt.title) {
			t.Errorf("%q: %s", tt.title, resp.Text)
		}
		if !strings.Contains(resp.Text, ">"+tt.label+"</a>") {
			t.Errorf("%q lacks the link %q: %s", tt.title, tt.label, resp.Text)
		}
	}
	if shared.Reference != "" || shared.Lang != "" || shared.Error() != before.Error() || shared.Text != before.Text {
		t.Error("the shared error was written to")
	}
}

func TestEnglishTextsAreComplete(t *testing.T) {
	t.Parallel()
	texts := oauthlogin.EnglishTexts()
	texts.ByKey["button.home"] = "Elsewhere"
	again := oauthlogin.EnglishTexts()
	if again.ByKey["button.home"] != "Home" || again.Lang != "en" {
		t.Error("the texts can be changed")
	}
	if _, err := oauthlogin.New(func() oauthlogin.Options {
		opts := apptest.ValidOptions()
		opts.Texts = []oauthlogin.Texts{again}
		return opts
	}()); err != nil || len(slices.Collect(maps.Keys(again.ByKey))) < 40 {
		t.Error(err)
	}
}
