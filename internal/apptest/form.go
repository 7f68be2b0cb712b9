package apptest

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

var (
	formPattern  = regexp.MustCompile(`(?s)<form method="post" action="([^"]*)">(.*?)</form>`)
	fieldPattern = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// Form returns the target and the hidden fields of the only form of a page. ok is false for
// all other pages.
func (r *Response) Form() (action *url.URL, fields url.Values, ok bool) {
	forms := formPattern.FindAllStringSubmatch(r.Text, -1)
	if len(forms) != 1 {
		return nil, nil, false
	}
	action, err := r.Request.URL.Parse(html.UnescapeString(forms[0][1]))
	if err != nil {
		return nil, nil, false
	}
	fields = url.Values{}
	for _, field := range fieldPattern.FindAllStringSubmatch(forms[0][2], -1) {
		fields.Add(html.UnescapeString(field[1]), html.UnescapeString(field[2]))
	}
	return action, fields, true
}

// Submit sends the only form of a page. header is as for Get.
func (b *Browser) Submit(page *Response, header ...string) *Response {
	b.T.Helper()
	action, fields, ok := page.Form()
	if !ok {
		b.T.Fatalf("no page with one form: %d %s", page.StatusCode, page.Text)
	}
	return b.PostFrom(webOrigin(page.Request.URL), action.String(), fields, header...)
}

// PostFrom sends a form as a page of origin does.
func (b *Browser) PostFrom(origin, target string, fields url.Values, header ...string) *Response {
	b.T.Helper()
	r := b.Request(http.MethodPost, target, strings.NewReader(fields.Encode()), append([]string{"Content-Type", "application/x-www-form-urlencoded"}, header...)...)
	why := cause{page: origin}
	why.describe(r)
	return b.send(r, why)
}

// PostLogin signs in through forms that post themselves, and returns the last response.
func (b *Browser) PostLogin(path string) *Response {
	b.T.Helper()
	return b.FollowOn(b.Submit(b.Submit(b.Follow("/login?return_to="+url.QueryEscape(path)))), "")
}
