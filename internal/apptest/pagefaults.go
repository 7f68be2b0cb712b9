package apptest

import (
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"strings"
)

var (
	titlePattern   = regexp.MustCompile(`<title>[A-Z][^<>]+</title>`)
	stylePattern   = regexp.MustCompile(`(?s)<style>(.*?)</style>`)
	foreignPattern = regexp.MustCompile(`(?i)<script|<img|<link|<iframe|\ssrc=|url\(|@import|https?:|\son[a-z]+=|javascript:|\sstyle=`)
)

// PageFaults returns what is wrong with one of the package's own pages: missing
// or weak headers, anything active or loaded from elsewhere, broken HTML. formsTo are the
// origins that its forms lead to; none if it has no form.
func PageFaults(resp *Response, formsTo ...string) (faults []string) {
	formAction, referrer := "'none'", "no-referrer"
	if formsTo != nil {
		formAction, referrer = strings.Join(append([]string{"'self'"}, formsTo...), " "), "same-origin"
	}
	header := func(name, want string) {
		if got := resp.Header.Get(name); got != want {
			faults = append(faults, name+": "+got)
		}
	}
	style := stylePattern.FindStringSubmatch(resp.Text)
	if style == nil {
		return []string{"no style: not one of the package's pages"}
	}
	sum := sha256.Sum256([]byte(style[1]))
	header("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+
		"'; base-uri 'none'; form-action "+formAction+"; frame-ancestors 'none'")
	header("Content-Type", "text/html; charset=utf-8")
	header("Cache-Control", "no-store")
	header("Referrer-Policy", referrer)
	header("X-Content-Type-Options", "nosniff")
	header("Location", "")
	header("Access-Control-Allow-Origin", "")
	for what, ok := range map[string]bool{
		"no doctype":        strings.HasPrefix(resp.Text, "<!doctype html>\n<html lang=\"en\" dir=\"auto\">"),
		"no title":          titlePattern.MatchString(resp.Text),
		"no heading":        strings.Count(resp.Text, "<h1>") == 1,
		"no character set":  strings.Contains(resp.Text, `<meta charset="utf-8">`),
		"foreign or active": !foreignPattern.MatchString(resp.Text),
		"cut short":         strings.HasSuffix(resp.Text, "</html>\n"),
		"unsafe template":   !strings.Contains(resp.Text, "ZgotmplZ"),
	} {
		if !ok {
			faults = append(faults, what)
		}
	}
	return faults
}
