package apptest

import (
	"net/http"
	"strings"
)

// ForwardedHeaders are headers by which other software lets itself be told who
// sends a request, to which address and by which method.
var ForwardedHeaders = [][]string{
	{"Forwarded", "for=127.0.0.1;host=hostile.test;proto=http"},
	{"X-Forwarded-Host", "hostile.test", "X-Forwarded-Proto", "http", "X-Forwarded-Port", "81"},
	{"X-Forwarded-Proto", "http"},
	{"X-Forwarded-Uri", "/login"},
	{"X-Forwarded-Uri", "//hostile.test", "X-Forwarded-Method", "GET", "X-Forwarded-Prefix", "//hostile.test"},
	{"X-Forwarded-For", "127.0.0.1", "X-Real-Ip", "127.0.0.1", "True-Client-Ip", "127.0.0.1"},
	{"X-Original-Url", "/login", "X-Rewrite-Url", "/login"},
	{"X-Original-Url", "//hostile.test", "X-Rewrite-Url", "//hostile.test", "X-Original-Host", "hostile.test"},
	{"X-Http-Method-Override", "OPTIONS", "X-Http-Method", "OPTIONS"},
	{"Host", "hostile.test"},
	{"Host", "hostile.test", "X-Forwarded-Host", "app.test"},
	{"Referer", "https://hostile.test/", "Origin", "https://hostile.test"},
}

// Closed sends a request as Raw does, to the application and to CatchAll. It
// fails the test if the gate lets it pass or if the response has a piece of a
// guarded page, and returns the response of CatchAll.
func (a *App) Closed(b *Browser, line string, header ...string) *Response {
	a.T.Helper()
	var resp *Response
	for _, h := range []http.Handler{nil, a.CatchAll()} {
		resp = a.Raw(b, h, line, header...)
		if resp.StatusCode == http.StatusOK && h != nil || strings.Contains(resp.Text, "secrets") || strings.Contains(resp.Text, "Subject") {
			a.T.Errorf("%s with %q: %d %s", line, header, resp.StatusCode, resp.Text)
		}
	}
	return resp
}
