package apptest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gorilla/securecookie"

	"github.com/oauthlogin/oauthlogin"
)

// The hunt finds what is planted, in every form and every place, and nothing
// else.
func TestLeakHuntFinds(t *testing.T) {
	t.Parallel()
	const secret = "\"s3cret\"/of+the&<rün> that \x00 is \\ long enough"
	hunt := func() *LeakHunt {
		h := NewLeakHunt()
		h.Secret("access_token", secret)
		return h
	}
	inJSON, _ := json.Marshal(map[string]string{"v": secret})
	for name, text := range map[string]string{
		"as it is":                  secret,
		"its beginning":             secret[:len(secret)/2],
		"its end":                   secret[len(secret)/2:],
		"in a query":                url.Values{"q": {secret}}.Encode(),
		"in a query in a query":     url.Values{"q": {url.Values{"q": {secret}}.Encode()}}.Encode(),
		"in a path":                 (&url.URL{Path: "/x/" + secret}).String() + url.PathEscape(secret),
		"quoted":                    fmt.Sprintf("%q", secret),
		"quoted in ASCII":           fmt.Sprintf("%+q", secret),
		"quoted twice":              fmt.Sprintf("%q", fmt.Sprintf("%q", secret)),
		"in JSON":                   string(inJSON),
		"in HTML":                   html.EscapeString(secret),
		"in hex":                    fmt.Sprintf("%x", secret),
		"in hex, in capitals":       fmt.Sprintf("%X", secret),
		"in hex, byte by byte":      fmt.Sprintf("% x", secret),
		"in base64":                 base64.StdEncoding.EncodeToString([]byte(secret)),
		"in base64, for a URL":      base64.RawURLEncoding.EncodeToString([]byte(secret)),
		"in base64, after one byte": base64.StdEncoding.EncodeToString([]byte("x" + secret + "y")),
		"in base64, after two":      base64.URLEncoding.EncodeToString([]byte("xx" + secret + "y")),
		"as bytes":                  fmt.Sprint([]byte(secret)),
		"as bytes, in Go":           fmt.Sprintf("%#v", []byte(secret)),
		"as bytes, in binary":       fmt.Sprintf("%b", []byte(secret)),
		"as bytes, in octal":        fmt.Sprintf("%o", []byte(secret)),
		"as characters":             fmt.Sprintf("%c", []byte(secret)),
		"as code points":            fmt.Sprintf("%U", []byte(secret)),
	} {
		h := hunt()
		h.Says("text", "before "+text+" after")
		if found, _ := h.Find(); len(found) == 0 {
			t.Errorf("%s: not found", name)
		}
	}

	serve := func(h *LeakHunt, host, path string, answer http.HandlerFunc, change func(*http.Request)) {
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader("body"))
		if change != nil {
			change(r)
		}
		h.Tap(host, answer).ServeHTTP(httptest.NewRecorder(), r)
	}
	nothing := func(http.ResponseWriter, *http.Request) {}
	type holder struct{ token string }
	for name, plant := range map[string]func(h *LeakHunt, opts *oauthlogin.Options){
		"a log line": func(_ *LeakHunt, opts *oauthlogin.Options) { opts.Logger.Debug("x", "token", secret) },
		"a group in a log": func(_ *LeakHunt, opts *oauthlogin.Options) {
			opts.Logger.Debug("x", slog.Group("g", "token", secret))
		},
		"an event": func(_ *LeakHunt, opts *oauthlogin.Options) {
			opts.OnEvent(t.Context(), oauthlogin.Event{Subject: secret})
		},
		"an event's error": func(_ *LeakHunt, opts *oauthlogin.Options) {
			opts.OnEvent(t.Context(), oauthlogin.Event{Err: errors.New(secret)})
		},
		"an error": func(h *LeakHunt, _ *oauthlogin.Options) { h.SaysError("error", errors.New(secret)) },
		"what an error has": func(h *LeakHunt, _ *oauthlogin.Options) {
			h.SaysError("error", &url.Error{URL: secret, Err: io.EOF})
		},
		"an error's cause": func(h *LeakHunt, _ *oauthlogin.Options) {
			h.SaysError("error", quietError{errors.Join(io.EOF, errors.New(secret))})
		},
		"a page": func(h *LeakHunt, _ *oauthlogin.Options) {
			serve(h, "app.test", "/page", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, secret) }, nil)
		},
		"a header": func(h *LeakHunt, _ *oauthlogin.Options) {
			serve(h, "app.test", "/page", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", secret) }, nil)
		},
		"a cookie that is not sealed": func(h *LeakHunt, _ *oauthlogin.Options) {
			serve(h, "app.test", "/page", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Set-Cookie", "x="+url.QueryEscape(secret))
			}, nil)
		},
		"a cookie that is only signed": func(h *LeakHunt, _ *oauthlogin.Options) {
			signed, err := securecookie.New(Key(1), nil).SetSerializer(securecookie.NopEncoder{}).Encode("x", []byte(secret))
			if err != nil {
				t.Fatal(err)
			}
			serve(h, "app.test", "/page", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Set-Cookie", "x="+signed) }, nil)
		},
		"a redirect to the provider": func(h *LeakHunt, _ *oauthlogin.Options) {
			serve(h, "app.test", "/login", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "https://provider.test/authorize?x="+url.QueryEscape(secret))
			}, nil)
		},
		"the URL of a request": func(h *LeakHunt, _ *oauthlogin.Options) {
			serve(h, "provider.test", "/userinfo", nothing, func(r *http.Request) { r.URL.RawQuery = "x=" + url.QueryEscape(secret) })
		},
		"the body of a request": func(h *LeakHunt, _ *oauthlogin.Options) {
			serve(h, "api.test", "/", nothing, func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(secret)) })
		},
		"a header of a request": func(h *LeakHunt, _ *oauthlogin.Options) {
			serve(h, "evil.test", "/", nothing, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+secret) })
		},
		"a value":         func(h *LeakHunt, _ *oauthlogin.Options) { Prints(h, holder{secret}) },
		"a pointed value": func(h *LeakHunt, _ *oauthlogin.Options) { Prints(h, &holder{secret}) },
	} {
		h, opts := hunt(), oauthlogin.Options{}
		h.Hook(&opts)
		plant(h, &opts)
		if found, _ := h.Find(); len(found) == 0 {
			t.Errorf("in %s: not found", name)
		}
	}

	h := hunt()
	serve(h, "api.test", "/", nothing, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+secret) }) // is documented
	h.Says("text", secret[:ShortPiece-1]+" and "+strings.ToUpper(secret))
	if found, met := h.Find(); len(found) > 0 || len(met) != 1 {
		t.Errorf("found %v; %d places are documented", found, len(met))
	}
}

// A quietError does not say what it is about.
type quietError struct{ error }

func (quietError) Error() string { return "quiet" }

func (e quietError) Unwrap() error { return e.error }
