package oauthlogintest

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

var (
	scriptPattern = regexp.MustCompile(`(?is)<script\b[^>]*>[^<]*\.submit\(\)`)
	formPattern   = regexp.MustCompile(`(?is)<form\b([^>]*)>(.*?)</form>`)
	inputPattern  = regexp.MustCompile(`(?is)<input\b([^>]*)>`)
	attrPattern   = regexp.MustCompile(`(?is)\b([a-z]+)\s*=\s*"([^"]*)"`)
)

// postsItself returns the request of a page whose script sends its only form, as pages of
// OAuth 2.0 Form Post Response Mode do. ok is false for all other pages.
func (r *Response) postsItself() (next request, ok bool) {
	forms := formPattern.FindAllStringSubmatch(r.Body, -1)
	if r.Status != http.StatusOK || len(forms) != 1 || !scriptPattern.MatchString(r.Body) {
		return request{}, false
	}
	at := parse(r.URL)
	form := attributes(forms[0][1])
	action, err := at.Parse(form["action"])
	if err != nil || !strings.EqualFold(form["method"], http.MethodPost) {
		return request{}, false
	}
	values := url.Values{}
	for _, input := range inputPattern.FindAllStringSubmatch(forms[0][2], -1) {
		field := attributes(input[1])
		values.Add(field["name"], field["value"])
	}
	return formOf(at, action, values), true
}

func attributes(tag string) map[string]string {
	values := map[string]string{}
	for _, attr := range attrPattern.FindAllStringSubmatch(tag, -1) {
		values[strings.ToLower(attr[1])] = html.UnescapeString(attr[2])
	}
	return values
}
