package page

import (
	"maps"
	"slices"
	"strings"
)

// english has every text by its key. The texts of an error code are CODE.title and
// CODE.text: they tell the user what happened, and never what went wrong inside.
var english = map[string]string{
	"access_denied.title":                    "Sign-in was cancelled",
	"access_denied.text":                     "You were not signed in because access was denied or the sign-in was cancelled.",
	"authorization_failed.title":             "Sign-in did not work",
	"authorization_failed.text":              "The sign-in provider did not complete the sign-in. Please try again.",
	"provider_unavailable.title":             "Sign-in is not available",
	"provider_unavailable.text":              "The sign-in provider cannot be reached at the moment. Please try again later.",
	"flow_not_found.title":                   "Sign-in could not be matched",
	"flow_not_found.text":                    "This sign-in was started at another address of this site, or in another browser. The link may also be old, or the browser may not accept cookies.",
	"flow_expired.title":                     "Sign-in took too long",
	"flow_expired.text":                      "For your safety, a sign-in has to be completed within five minutes. Please start again.",
	"unauthenticated.title":                  "Please sign in",
	"unauthenticated.text":                   "You are not signed in, so nothing was changed. After signing in you come back and can try again.",
	"insufficient_user_authentication.title": "Please confirm your sign-in",
	"insufficient_user_authentication.text":  "This asks for a more recent or a stronger sign-in than yours, so nothing was changed. After signing in you come back and can try again.",
	"insufficient_scope.title":               "One more permission is needed",
	"insufficient_scope.text":                "This needs a permission at the sign-in provider that you have not given yet, so nothing was changed. After giving it you come back and can try again.",
	"flow_used.title":                        "Sign-in is already complete",
	"flow_used.text":                         "This sign-in was completed earlier, or was opened twice.",
	"cookies_lost.title":                     "Your browser does not keep you signed in",
	"cookies_lost.text":                      "The sign-in worked, but the browser did not send back the cookie that keeps you signed in. Please allow cookies for this site.",
	"unavailable.title":                      "Temporarily unavailable",
	"unavailable.text":                       "This site cannot check your sign-in at the moment. You have not been signed out. Please try again in a few seconds.",
	"forbidden.title":                        "No access",
	"forbidden.text":                         "You are signed in, but your account does not have access to this page.",
	"device_not_bound.title":                 "This browser cannot open this page",
	"device_not_bound.text":                  "You are signed in, but this page opens only where the sign-in is bound to your device, and this browser has not bound it. Please use a browser that supports device-bound sessions, such as Chrome on Windows, and sign in there.",
	"sign_in_refused.title":                  "You cannot sign in here",
	"sign_in_refused.text":                   "The provider has confirmed who you are, but this site does not let this account in.",
	"step_up_failed.title":                   "Please sign in again",
	"step_up_failed.text":                    "This page asks for a more recent or a stronger sign-in than the one you completed.",
	"cross_origin.title":                     "Request refused",
	"cross_origin.text":                      "Another site sent this request, so nothing was changed. You can try again on a page of this site.",
	"invalid_request.title":                  "Request not understood",
	"invalid_request.text":                   "This link is incomplete or can't be opened directly.",
	"session_too_large.title":                "Sign-in could not be completed",
	"session_too_large.text":                 "The sign-in provider sent more than this site can keep. Please tell the people who run this site.",
	"internal.title":                         "Something went wrong",
	"internal.text":                          "The sign-in could not be completed. Please try again later.",

	"chooser.title": "Sign in",
	"chooser.text":  "Choose a provider to sign in with.",

	"signing_in.title": "Signing in",
	"signing_in.text":  "Your sign-in goes on in a moment.",

	"button.continue":      "Continue",
	"button.home":          "Home",
	"button.other_account": "Sign in with another account",
	"button.sign_in":       "Sign in",
	"button.sign_out":      "Sign out",
	"button.try_again":     "Try again",
	"reference":            "Reference:",
}

// sharedTexts are the codes whose texts are another's: the user can do no more with the
// difference.
var sharedTexts = map[string]string{
	"invalid_grant":      "authorization_failed",
	"provider_rejected":  "authorization_failed",
	"issuer_mismatch":    "authorization_failed",
	"unknown_provider":   "invalid_request",
	"method_not_allowed": "invalid_request",
}

// English returns all texts in English, by their keys.
func English() map[string]string { return maps.Clone(english) }

// Texts are the texts of the pages in one language.
type Texts struct {
	lang  string
	byKey map[string]string
}

// EnglishTexts returns the texts in English.
func EnglishTexts() *Texts { return &Texts{"en", english} }

// NewTexts returns a copy of the texts of a language. A variant of English has the texts that
// byKey lacks.
func NewTexts(lang string, byKey map[string]string) *Texts {
	texts := &Texts{lang, map[string]string{}}
	if language, _, _ := strings.Cut(lang, "-"); strings.EqualFold(language, "en") {
		maps.Copy(texts.byKey, english)
	}
	maps.Copy(texts.byKey, byKey)
	return texts
}

// Missing returns the keys that have no text.
func (t *Texts) Missing() (keys []string) {
	for _, key := range slices.Sorted(maps.Keys(english)) {
		if t.byKey[key] == "" {
			keys = append(keys, key)
		}
	}
	return keys
}

// all returns the texts of a page by its keys, and their language. A page that lacks one
// is in English as a whole, so that its lang attribute is true.
func (t *Texts) all(keys ...string) (lang string, texts []string) {
	for _, key := range keys {
		text := t.byKey[key]
		if text == "" {
			return EnglishTexts().all(keys...)
		}
		texts = append(texts, text)
	}
	return t.lang, texts
}

// Words are the texts of one error page.
type Words struct {
	Lang, Title, Text                                   string
	RetryLabel, HomeLabel, SignOutLabel, ReferenceLabel string
}

// Describe returns the texts for an error code: for one without texts, those of fallback.
// otherAccount says that the user may choose another account.
func (t *Texts) Describe(code, fallback string, otherAccount bool) Words {
	retry := "button.try_again"
	switch {
	case otherAccount:
		retry = "button.other_account"
	case code == "flow_used":
		retry = "button.continue"
	case code == "unauthenticated" || code == "insufficient_user_authentication" || code == "insufficient_scope":
		retry = "button.sign_in"
	}
	if shared := sharedTexts[code]; shared != "" {
		code = shared
	}
	if english[code+".title"] == "" {
		code = fallback
	}
	lang, texts := t.all(code+".title", code+".text", retry, "button.home", "button.sign_out", "reference")
	return Words{lang, texts[0], texts[1], texts[2], texts[3], texts[4], texts[5]}
}
