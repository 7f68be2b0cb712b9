package apptest

import (
	"context"
	"net/http"
	"net/http/httptest"
)

// Serve serves one request without a browser: header is name, value, name,
// value.
func (a *App) Serve(method, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w
}

// Ask sends a request with these cookies straight to the application. No jar
// keeps what comes back, and ctx is what the handlers see.
func (a *App) Ask(ctx context.Context, cookies map[string]string, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil)
	r.Host = "app.test"
	for name, value := range cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	a.Net["app.test"].ServeHTTP(w, r)
	return w
}
