package interop_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// TestNginx runs the configurations of docs/reverse-proxies.md: a login with a session that
// is larger than nginx lets pass by default, an event stream, and a logout.
func TestNginx(t *testing.T) {
	t.Parallel()
	var documented []string
	for _, b := range blocks(t, "nginx") {
		documented = append(documented, b.code)
	}
	if len(documented) != 3 {
		t.Fatalf("%d configurations", len(documented))
	}
	whole, below, upstream := documented[0], documented[1], documented[2]
	head, _, _ := strings.Cut(whole, "\tlocation / {")
	for _, tt := range []struct {
		name, config, prefix string
		mount                func(auth *oauthlogin.Middleware, mux http.Handler) http.Handler
	}{
		{"at the root", whole, "", func(auth *oauthlogin.Middleware, mux http.Handler) http.Handler { return auth.Handler(mux) }},
		{"two instances, one of them down", strings.NewReplacer("127.0.0.1:3001", "127.0.0.1:"+freePort(t), "127.0.0.1:3002", "127.0.0.1:3000").Replace(upstream) +
			strings.Replace(whole, "127.0.0.1:3000", "app", 1), "", func(auth *oauthlogin.Middleware, mux http.Handler) http.Handler { return auth.Handler(mux) }},
		{"below a prefix", head + below + "}\n", "/app", func(auth *oauthlogin.Middleware, mux http.Handler) http.Handler {
			return auth.Handler(http.StripPrefix("/app", mux))
		}},
		{"below a prefix that is stripped", strings.Replace(head+below+"}\n", ":3000;", ":3000/;", 1), "/app", func(auth *oauthlogin.Middleware, mux http.Handler) http.Handler {
			return withPrefix("/app", auth.Handler(http.StripPrefix("/app", mux)))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			address := "https://example.com" + tt.prefix
			proceed := make(chan struct{})
			app := proxiedApp(t, address, tt.prefix, tt.mount, proceed)
			v := newVisitor(t)
			v.client.Transport = startNginx(t, tt.config, app)

			dashboard := v.open(address+"/dashboard?tab=2").want(http.StatusOK, address+"/dashboard?tab=2")
			cookies := 0
			for _, cookie := range v.client.Jar.Cookies(dashboard.url) {
				cookies += len(cookie.Name) + len(cookie.Value)
			}
			if cookies < 15_000 || dashboard.body != "hello alice" {
				t.Fatalf("%d bytes of cookies: %s", cookies, dashboard.body)
			}
			v.readEvents(address+"/events", proceed)
			if p := v.fetch(http.MethodPost, "https://sibling.example.com", address+"/dashboard"); p.status != http.StatusForbidden {
				t.Errorf("a request of a sibling domain: %d", p.status)
			}
			v.navigate(http.MethodPost, v.parse(address), v.parse(address+"/logout"), nil).want(http.StatusOK, address+"/")
			if p := v.fetch(http.MethodGet, "https://example.com", address+"/dashboard"); p.status != http.StatusUnauthorized {
				t.Errorf("after the logout: %d", p.status)
			}
			v.open(address+"/login").want(http.StatusOK, address+"/")
		})
	}
}

// readEvents reads an event that comes while the handler waits for proceed.
func (v *visitor) readEvents(address string, proceed chan<- struct{}) {
	v.t.Helper()
	resp, err := v.client.Do(v.request(http.MethodGet, v.parse(address), nil))
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	if line, err := bufio.NewReader(resp.Body).ReadString('\n'); line != "data: 1\n" {
		v.t.Fatalf("%d %q: %v", resp.StatusCode, line, err)
	}
	close(proceed)
}

// proxiedApp runs an application that users know by another address. Its event stream ends
// when proceed is closed.
func proxiedApp(t *testing.T, address, prefix string, mount func(*oauthlogin.Middleware, http.Handler) http.Handler, proceed <-chan struct{}) (addr string) {
	t.Helper()
	large := make([]byte, 8_000)
	_, _ = rand.Read(large)
	provider := oauthlogintest.Start(oauthlogintest.Config{
		Clients: []oauthlogintest.Client{{
			ID: clientID, Secret: clientSecret, RedirectURIs: []string{address + "/auth/callback"}, PostLogoutRedirectURIs: []string{address + "/"},
		}},
		Users: []oauthlogintest.User{{Subject: "alice", Name: "alice", Claims: map[string]any{"groups": hex.EncodeToString(large)}}},
	})
	t.Cleanup(provider.Close)
	provider.AutoApprove("alice")
	auth, err := oauthlogin.New(oauthlogin.Options{
		Keys: [][]byte{[]byte("interop-session-secret-of-at-least-32-bytes")},
		Providers: []oauthlogin.Provider{{
			Issuer: provider.Issuer(),
			OAuth2: &oauth2.Config{ClientID: clientID, ClientSecret: clientSecret, RedirectURL: address + "/auth/callback", Scopes: []string{"profile"}},
		}},
		HomePath: prefix + "/", LoginPath: prefix + "/login", LogoutPath: prefix + "/logout",
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "home") })
	mux.Handle("/dashboard", auth.RequireAuth(http.HandlerFunc(greet)))
	mux.Handle("/events", auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Accel-Buffering", "no")
		fmt.Fprint(w, "data: 1\n\n")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-proceed:
		case <-r.Context().Done():
		}
	})))
	server := httptest.NewServer(mount(auth, mux))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// startNginx runs a server of a configuration in front of the application at addr. It returns
// a transport that takes it for every host but loopback.
func startNginx(t *testing.T, config, addr string) http.RoundTripper {
	t.Helper()
	dir := t.TempDir()
	listen := "127.0.0.1:" + freePort(t)
	certificate, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	trusted := writeCertificate(t, "example.com", certificate, key)
	for old, replacement := range map[string]string{
		"listen 443 ssl;":          "listen " + listen + " ssl;",
		"/etc/ssl/example.com.pem": certificate,
		"/etc/ssl/example.com.key": key,
		"127.0.0.1:3000":           addr,
	} {
		if strings.Count(config, old) != 1 {
			t.Fatalf("the configuration has %q %d times", old, strings.Count(config, old))
		}
		config = strings.Replace(config, old, replacement, 1)
	}
	var temp strings.Builder
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temp, "%s_temp_path %s;\n", kind, filepath.Join(dir, kind))
	}
	file := filepath.Join(dir, "nginx.conf")
	config = "daemon off;\nmaster_process off;\npid " + filepath.Join(dir, "pid") + ";\nerror_log stderr notice;\nevents {}\nhttp {\naccess_log off;\n" + temp.String() + config + "}\n"
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		nginx = "/usr/sbin/nginx" // which Debian keeps out of the PATH of users
	}
	startProcess(t, exec.Command(nginx, "-p", dir, "-e", "stderr", "-c", file), "nginx/")
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}, DisableKeepAlives: true}
	transport.DialContext = func(ctx context.Context, network, target string) (net.Conn, error) {
		if strings.HasPrefix(target, "example.com:") {
			target = listen
		}
		return dialPatiently(ctx, network, target)
	}
	return transport
}

// dialPatiently dials a server that may be about to listen.
func dialPatiently(ctx context.Context, network, target string) (net.Conn, error) {
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, target)
		if err == nil || time.Now().After(deadline) || ctx.Err() != nil {
			return conn, err
		}
	}
}

// writeCertificate makes a certificate that signs itself.
func writeCertificate(t *testing.T, host, certificateFile, keyFile string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{host}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{certificateFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(certificate)
	return pool
}

// withPrefix is what docs/reverse-proxies.md shows.
func withPrefix(prefix string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.Clone(r.Context())
		r.URL.Path, r.RequestURI = prefix+r.URL.Path, prefix+r.RequestURI
		if r.URL.RawPath != "" {
			r.URL.RawPath = prefix + r.URL.RawPath
		}
		next.ServeHTTP(w, r)
	})
}
