package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func TestPages(t *testing.T) {
	t.Parallel()
	site := oauthlogintest.Run(t, oauthlogintest.Config{}, func(base string, p *oauthlogintest.Provider) http.Handler {
		app, err := newApp("a key of 32 bytes or more for tests", p.Registration(base), p.HTTPClient())
		if err != nil {
			t.Fatal(err)
		}
		return app
	})
	alice := site.SignIn("alice")
	if page := alice.Navigate("/dashboard"); page.Status != 200 || !strings.Contains(page.Body, "<code>__Host-oauthlogin") || !strings.Contains(page.Body, "Alice Archer") {
		t.Errorf("%d: %s", page.Status, page.Body)
	}
	if page := alice.PostForm("/logout", nil); page.Status != 200 || strings.Contains(page.Body, "Alice Archer") {
		t.Errorf("after the logout: %d: %s", page.Status, page.Body)
	}
	if resp := alice.Fetch("/dashboard"); resp.Status != 401 {
		t.Errorf("after the logout: status %d", resp.Status)
	}
}

// serve serves the application on a port of this machine, for alice.
func serve(t *testing.T) (base string, cert tls.Certificate) {
	t.Helper()
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	base = "https://localhost:" + port
	provider := oauthlogintest.Start(oauthlogintest.Config{})
	t.Cleanup(provider.Close)
	provider.AutoApprove("alice")
	app, err := newApp("a key of 32 bytes or more for tests", provider.Registration(base), nil)
	if err != nil {
		t.Fatal(err)
	}
	cert, err = certificate("", "")
	if err != nil {
		t.Fatal(err)
	}
	server := newServer(app, cert)
	go server.ServeTLS(listener, "", "")
	t.Cleanup(func() { server.Close() })
	return base, cert
}

// cookieCheck looks at the cookies that an origin sets.
type cookieCheck struct {
	http.RoundTripper
	t    *testing.T
	host string
	seen int
}

func (c *cookieCheck) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.RoundTripper.RoundTrip(r)
	if err != nil || "https://"+r.URL.Host != c.host {
		return resp, err
	}
	for _, cookie := range resp.Cookies() {
		c.seen++
		if !strings.HasPrefix(cookie.Name, "__Host-oauthlogin") || !cookie.Secure || !cookie.HttpOnly || cookie.Path != "/" || cookie.Domain != "" {
			c.t.Errorf("%s sets a cookie %s with Secure=%v, HttpOnly=%v, Path=%s, Domain=%s", r.URL.Path, cookie.Name, cookie.Secure, cookie.HttpOnly, cookie.Path, cookie.Domain)
		}
	}
	return resp, err
}

// A browser that trusts the certificate signs in over TLS.
func TestSignInOverTLS(t *testing.T) {
	t.Parallel()
	base, cert := serve(t)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert.Leaf)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer transport.CloseIdleConnections()
	check := &cookieCheck{RoundTripper: transport, t: t, host: base}
	client := &http.Client{Jar: jar, Transport: check}
	resp, err := client.Get(base + "/dashboard")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || resp.Request.URL.String() != base+"/dashboard" {
		t.Fatalf("at %s with status %d, %v: %s", resp.Request.URL, resp.StatusCode, err, body)
	}
	for _, text := range []string{"TLS 1.3", "<code>__Host-oauthlogin", "Alice Archer"} {
		if !strings.Contains(string(body), text) {
			t.Errorf("the page does not contain %q: %s", text, body)
		}
	}
	if check.seen == 0 {
		t.Error("the application has set no cookies")
	}
}

// Everyone else is warned.
func TestCertificateIsNotTrusted(t *testing.T) {
	t.Parallel()
	base, _ := serve(t)
	_, err := http.Get(base)
	if unknown := (x509.UnknownAuthorityError{}); !errors.As(err, &unknown) {
		t.Errorf("%v; want an unknown authority", err)
	}
}

func TestCertificateFromFiles(t *testing.T) {
	t.Parallel()
	made, err := certificate("", "")
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(made.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: made.Certificate[0]}, keyFile: {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read, err := certificate(certFile, keyFile)
	if err != nil || !read.Leaf.Equal(made.Leaf) {
		t.Errorf("the certificate from the file is another one: %v", err)
	}
	for _, files := range [][2]string{{certFile, ""}, {"", keyFile}, {filepath.Join(dir, "missing.pem"), keyFile}} {
		if _, err := certificate(files[0], files[1]); err == nil {
			t.Errorf("%q: no error", files)
		}
	}
}
