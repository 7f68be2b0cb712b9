package interop_test

import (
	"bytes"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// A monitor records the commands that a redis-server executes.
type monitor struct {
	mu       sync.Mutex
	commands bytes.Buffer
}

// startMonitor records until the end of the test.
func startMonitor(t *testing.T, e *engine) *monitor {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(e.env, "REDIS_URL=redis://"))
	if err != nil {
		t.Fatal(err)
	}
	m := &monitor{}
	done := make(chan struct{})
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	if _, err := io.WriteString(conn, "MONITOR\r\n"); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(done)
		_, _ = io.Copy(m, conn)
	}()
	return m
}

func (m *monitor) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.commands.Write(p)
}

// take returns what was executed since the last call.
func (m *monitor) take() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	defer m.commands.Reset()
	return m.commands.String()
}

// sealed lets a user sign in, refresh and sign out in each way, and searches what the engine was told for secrets and for
// who the user is.
func (s *replicas) sealed(t *testing.T) {
	m := startMonitor(t, s.engine)
	secrets := map[string]bool{"alice": true, s.provider.Issuer(): true, clientID: true, clientSecret: true, "dashboard": true}
	var mu sync.Mutex
	s.provider.EditTokenResponse(func(resp map[string]any) {
		mu.Lock()
		defer mu.Unlock()
		for _, name := range []string{"access_token", "refresh_token", "id_token"} {
			if token, ok := resp[name].(string); ok {
				secrets[token] = true
			}
		}
	})
	s.expiry(t)
	s.logout(t)
	s.logoutAtProvider(t)
	s.provider.EditTokenResponse(nil)
	for _, r := range s.provider.Requests(oauthlogintest.Token) {
		for _, name := range []string{"code", "code_verifier", "refresh_token"} {
			secrets[r.Form.Get(name)] = true
		}
	}
	for _, r := range s.provider.Requests(oauthlogintest.Authorization) {
		for _, name := range []string{"state", "nonce", "code_challenge"} {
			secrets[r.Query.Get(name)] = true
		}
	}
	delete(secrets, "")
	commands := m.take()
	if len(secrets) < 20 || strings.Count(commands, "evalsha") < 10 {
		t.Fatalf("%d secrets, %d swaps", len(secrets), strings.Count(commands, "evalsha"))
	}
	for secret := range secrets {
		if strings.Contains(strings.ToLower(commands), strings.ToLower(secret)) {
			t.Errorf("the engine was told %q", secret)
		}
	}
}
