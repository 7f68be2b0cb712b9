// Command https shows sign-in over HTTPS on localhost, where cookies have the names and
// attributes that they have in production. From the root of the repository:
//
//	go run ./example/https
//
// Open https://localhost:3443. The browser warns of the certificate, which the command makes
// for itself at each start; go on, and sign in. For a certificate that your browsers trust,
// use mkcert (https://github.com/FiloSottile/mkcert):
//
//	mkcert -install
//	mkcert -cert-file cert.pem -key-file key.pem localhost
//	TLS_CERT=cert.pem TLS_KEY=key.pem go run ./example/https
package main

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"html/template"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/example/internal/demo"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func main() {
	cert, err := certificate(os.Getenv("TLS_CERT"), os.Getenv("TLS_KEY"))
	if err != nil {
		log.Fatal(err)
	}
	// In your application: oauthlogin.Google(…), or any other issuer. The RedirectURL, here
	// https://localhost:3443/auth/callback, decides: with https, the cookies are Secure and
	// have the prefix __Host-, which keeps other hosts and plain HTTP from setting them.
	provider, _ := demo.Provider("https://localhost:3443", oauthlogintest.Config{})
	// With a random secret, all users sign in again after a restart.
	secret := cmp.Or(os.Getenv("SESSION_SECRET"), rand.Text()+rand.Text())
	app, err := newApp(secret, provider, nil)
	if err != nil {
		log.Fatal(err)
	}
	server := newServer(app, cert)
	server.Addr = "localhost:3443"
	log.Print("open https://localhost:3443")
	log.Fatal(server.ListenAndServeTLS("", ""))
}

func newApp(secret string, provider oauthlogin.Provider, client *http.Client) (http.Handler, error) {
	auth, err := oauthlogin.New(oauthlogin.Options{
		Keys:       [][]byte{[]byte(secret)},
		Providers:  []oauthlogin.Provider{provider},
		HTTPClient: client,
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", show)
	mux.Handle("GET /dashboard", auth.RequireAuth(http.HandlerFunc(show)))
	return auth.Handler(mux), nil
}

// newServer returns a server that speaks HTTPS only. There is no Strict-Transport-Security:
// browsers would use HTTPS for all ports of localhost.
func newServer(app http.Handler, cert tls.Certificate) *http.Server {
	return &http.Server{
		Handler:           app,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{cert}},
		ReadHeaderTimeout: 10 * time.Second,
	}
}

// certificate reads a certificate and its key from PEM files. Without files, it makes a
// certificate for localhost that is valid for a day.
func certificate(certFile, keyFile string) (tls.Certificate, error) {
	if certFile != "" || keyFile != "" {
		return tls.LoadX509KeyPair(certFile, keyFile)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	details := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "oauthlogin example"},
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		NotBefore:             time.Now().Add(-time.Minute),
		NotAfter:              time.Now().Add(24 * time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, // not a certificate authority: it vouches for nothing else
	}
	der, err := x509.CreateCertificate(rand.Reader, details, details, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}

var page = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>HTTPS on localhost</title>
<h1>HTTPS on localhost</h1>
<p>The connection is {{.Version}}. The browser sent these cookies:</p>
<ul>{{range .Cookies}}
<li><code>{{.Name}}</code>{{end}}
</ul>
{{with .Session}}<p>You are signed in as <strong>{{.User.Name}}</strong>.</p>
<form method="post" action="/logout"><button>Sign out</button></form>
{{else}}<p><a href="/login?return_to=/dashboard">Sign in</a></p>
{{end}}`))

// show shows the names of the cookies, and no values.
func show(w http.ResponseWriter, r *http.Request) {
	session, _ := oauthlogin.FromContext(r.Context()) // nil: not signed in
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	page.Execute(w, struct {
		Version string
		Cookies []*http.Cookie
		Session *oauthlogin.Session
	}{tls.VersionName(r.TLS.Version), r.Cookies(), session}) // an error means that the browser has disconnected
}
