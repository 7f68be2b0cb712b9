package bench

import (
	"io"
	"net/http"
	"strings"

	"github.com/oauthlogin/oauthlogin"
)

// A Server is a complete application and the cookie of the requests to it.
type Server struct {
	Name    string
	Size    Size
	Ours    bool
	Handler http.Handler
	Cookie  string // Cookie header of the requests; "" for none
}

// Servers returns a plain handler and, for each size of session, six servers: one
// that ignores the cookie, one that does only what every response with a session
// requires, oauthlogin around a handler that does not ask for the session and one that does,
// oauthlogin with everything on, and a peer. The first four receive the same cookie; the
// others receive their own. A peer is left out if it does not support
// the size.
func Servers() ([]*Server, error) {
	hello := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "Hello.\n") })
	plain := http.NewServeMux()
	plain.Handle("GET /dashboard", hello)
	least := http.NewServeMux()
	least.Handle("GET /dashboard", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Cache-Control"] = []string{"private"}
		w.Header()["Vary"] = []string{"Cookie"}
		hello(w, r)
	}))
	servers := []*Server{{Name: "plain handler", Handler: plain}}
	for _, size := range []Size{Small, Large} {
		p, err := NewProvider("https://provider.example.com", size)
		if err != nil {
			return nil, err
		}
		logins, err := p.Logins(1)
		if err != nil {
			return nil, err
		}
		gate := p.serve(application)
		silent, err := gate(hello)
		if err != nil {
			return nil, err
		}
		ours, err := gate(asking(hello))
		if err != nil {
			return nil, err
		}
		full, err := p.everything()
		if err != nil {
			return nil, err
		}
		all, _ := full.serve(asking(hello))
		cookie := cookieHeader(logins[0].Cookies)
		servers = append(
			servers,
			&Server{Name: "plain handler, the cookie ignored", Size: size, Handler: plain, Cookie: cookie},
			&Server{Name: "plain handler with two headers, the cookie ignored", Size: size, Handler: least, Cookie: cookie},
			&Server{Name: "oauthlogin Handler, http.ServeMux and RequireAuth, the handler does not ask", Size: size, Ours: true, Handler: silent, Cookie: cookie},
			&Server{Name: "oauthlogin Handler, http.ServeMux and RequireAuth", Size: size, Ours: true, Handler: ours, Cookie: cookie},
			&Server{Name: "oauthlogin with everything on", Size: size, Ours: true, Handler: all, Cookie: full.request.Header.Get("Cookie")},
		)
		peer := gorillaGob()
		if cookies, err := peer.store(logins[0].session); err == nil {
			mux := http.NewServeMux()
			mux.Handle("GET /dashboard", peer.protect(hello))
			servers = append(servers, &Server{Name: peer.name, Size: size, Handler: mux, Cookie: cookieHeader(cookies)})
		}
	}
	return servers, nil
}

// asking is a handler that asks for its session before it goes on.
func asking(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := oauthlogin.FromContext(r.Context()); !ok {
			http.Error(w, "no session", http.StatusInternalServerError)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func cookieHeader(cookies []*http.Cookie) string {
	var pairs []string
	for _, c := range cookies {
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	return strings.Join(pairs, "; ")
}
