package oauthlogin

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/oauthlogin/oauthlogin/internal/browser"
	"github.com/oauthlogin/oauthlogin/internal/page"
)

// Texts are the texts of the package's pages in one language: see [Options.Texts].
type Texts struct {
	_ [0]func() // keyed literals only

	// Lang is the language, as a tag such as "de" or "pt-BR" (RFC 5646). It is the lang
	// attribute of the pages. Their text runs from right to left if the title does.
	Lang string
	// ByKey has the texts by the keys of [EnglishTexts], up to 2,000 bytes each, and not as
	// HTML. A variant of English needs only those that differ.
	ByKey map[string]string
}

// EnglishTexts returns all texts in English: what there is to translate, and a language for
// [Options.Texts]. Each call returns a new map. The example lists all keys; a new version may
// add some.
//
// The keys CODE.title and CODE.text are of the page of an [Error] with that code;
// invalid_grant, provider_rejected and issuer_mismatch share the texts of authorization_failed,
// and unknown_provider and method_not_allowed those of invalid_request.
func EnglishTexts() Texts { return Texts{Lang: "en", ByKey: page.English()} }

func (o *Options) validateTexts(faults *faultList) {
	langs := map[string]int{}
	for i, t := range o.Texts {
		if wrong := page.CheckLang(t.Lang); wrong != "" {
			faults.add("Texts[%d].Lang %q %s", i, t.Lang, wrong)
		}
		lang := strings.ToLower(t.Lang)
		if j, taken := langs[lang]; taken {
			faults.add("Texts[%d].Lang %q is also the language of Texts[%d]", i, t.Lang, j)
		}
		langs[lang] = i
		for _, fault := range page.CheckTexts(t.ByKey) {
			faults.add("Texts[%d].ByKey%s", i, fault)
		}
	}
}

// translations are the languages of the pages.
type translations struct {
	langs []string
	texts []*page.Texts
}

// newTranslations logs which texts are missing: New does not refuse them, so that a new
// version may have more.
func newTranslations(all []Texts, log *slog.Logger) translations {
	if len(all) == 0 {
		all = []Texts{EnglishTexts()}
	}
	var t translations
	for _, one := range all {
		texts := page.NewTexts(one.Lang, one.ByKey)
		if missing := texts.Missing(); len(missing) > 0 {
			log.Warn("oauthlogin: pages are in English where texts are missing", "lang", one.Lang, "keys", few(missing))
		}
		t.langs, t.texts = append(t.langs, one.Lang), append(t.texts, texts)
	}
	return t
}

// few returns a list that a log line has room for.
func few(keys []string) []string {
	const most = 3
	if len(keys) <= most+1 {
		return keys
	}
	return append(slices.Clip(keys[:most]), fmt.Sprintf("and %d more", len(keys)-most))
}

// of returns the texts in the language of a request.
func (t translations) of(r *http.Request) *page.Texts { return t.texts[browser.Language(r, t.langs)] }
