package apptest

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Raw sends a request line and headers as they are to net/http's server in
// front of h, with the browser's cookies; nil is the application.
func (a *App) Raw(b *Browser, h http.Handler, line string, header ...string) *Response {
	a.T.Helper()
	if h == nil {
		h = a.Net["app.test"]
	}
	conn, err := ServePipes(a.T, h).DialContext(a.T.Context(), "tcp", "app.test:443")
	if err != nil {
		a.T.Fatal(err)
	}
	defer conn.Close()
	header = append(header, "Connection", "close")
	if !slices.Contains(header, "Host") {
		header = append(header, "Host", "app.test")
	}
	var request strings.Builder
	fmt.Fprintf(&request, "%s HTTP/1.1\r\n", line)
	for i := 0; i < len(header); i += 2 {
		fmt.Fprintf(&request, "%s: %s\r\n", header[i], header[i+1])
	}
	for name, value := range b.Cookies() {
		fmt.Fprintf(&request, "Cookie: %s=%s\r\n", name, value)
	}
	go io.WriteString(conn, request.String()+"\r\n") // the response may come before the end
	home, _ := url.Parse(a.URL)
	method, _, _ := strings.Cut(line, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method, URL: home})
	if err != nil {
		a.T.Fatalf("%q: %v", line, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		a.T.Fatalf("%q: %v", line, err)
	}
	b.Client.Jar.SetCookies(home, resp.Cookies())
	return &Response{resp, string(body)}
}
