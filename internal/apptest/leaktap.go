package apptest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/oauthlogin/oauthlogin"
)

// Hook has everything that the middleware tells the application kept.
func (h *LeakHunt) Hook(opts *oauthlogin.Options) {
	debug := &slog.HandlerOptions{Level: slog.LevelDebug}
	opts.Logger = slog.New(slog.NewMultiHandler(slog.NewTextHandler(&h.Log, debug), slog.NewJSONHandler(&h.jsonLog, debug)))
	opts.OnEvent = func(_ context.Context, e oauthlogin.Event) {
		Prints(h, e)
		Prints(h, e.Kind)
		if e.Err != nil {
			h.SaysError("event "+string(e.Kind), e.Err)
		}
	}
	for _, key := range opts.Keys {
		h.Secret("key", string(key))
	}
}

// HandleError is an Options.ErrorHandler that shows nothing.
func (h *LeakHunt) HandleError(w http.ResponseWriter, _ *http.Request, err error) {
	failed := err.(*oauthlogin.Error)
	Prints(h, failed)
	h.SaysError("error "+failed.Code, err)
	w.WriteHeader(failed.Status)
}

// Tap listens to a host of the network: to what the application responds, and
// to what all others are asked.
func (h *LeakHunt) Tap(host string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		form, _ := url.ParseQuery(string(body))
		h.learnParameters(form)
		h.learnParameters(r.URL.Query())
		h.learnToken("id_token", r.URL.Query().Get("id_token_hint"))
		if host != "app.test" {
			where := "request for https://" + host + r.URL.Path + ": "
			h.Says(where+"URL", r.URL.String())
			h.Says(where+"body", string(body))
			for name, values := range r.Header {
				text := strings.Join(values, "\n")
				if credentials, ok := strings.CutPrefix(text, "Basic "); ok {
					decoded, _ := base64.StdEncoding.DecodeString(credentials)
					text = string(decoded)
				}
				if name != "Cookie" { // which is the browser's and the provider's
					h.Says(where+name, text)
				}
			}
		}

		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		if host == "app.test" {
			h.learnCookies(rec.Header())
			h.responded(r.Method+" "+r.URL.Path+": ", rec)
		} else if strings.HasSuffix(r.URL.Path, "token") {
			h.learnTokens(rec.Body.Bytes())
		}
		maps.Copy(w.Header(), rec.Header())
		w.WriteHeader(rec.Code)
		w.Write(rec.Body.Bytes())
	})
}

// responded keeps a response of the application.
func (h *LeakHunt) responded(where string, rec *httptest.ResponseRecorder) {
	h.Says(where+"body", rec.Body.String())
	var links map[string]string
	if json.Unmarshal(rec.Body.Bytes(), &links) == nil {
		if u, err := url.Parse(links["login_url"]); err == nil {
			h.learnParameters(u.Query())
		}
	}
	for name, values := range rec.Header() {
		place := where + name
		if u, err := url.Parse(rec.Header().Get(name)); err == nil && name == "Location" && u.Host != "" {
			h.learnParameters(u.Query())
			u.RawQuery = ""
			place += " to " + u.String()
		}
		h.Says(place, strings.Join(values, "\n"))
	}
}
