package dpop

import (
	"net/http"
	"strings"
	"sync"
)

const (
	maxOrigins = 256  // of one generation; there are two
	maxNonce   = 1024 // bytes
)

// Nonces are the latest nonces of servers (RFC 9449 sections 8 and 9), by origin. They are
// bounded: of the servers beyond 256, those that have not been asked for long are
// forgotten, which costs them one more request. The zero value is ready to use.
type Nonces struct {
	mu             sync.Mutex
	recent, before map[string]string
}

// Of returns the nonce for a request, "" if its server has given none.
func (n *Nonces) Of(r *http.Request) string {
	at := origin(r)
	n.mu.Lock()
	defer n.mu.Unlock()
	nonce, ok := n.recent[at]
	if !ok {
		if nonce, ok = n.before[at]; ok {
			n.put(at, nonce)
		}
	}
	return nonce
}

// Learn keeps the nonce in the response to a request, whatever its status (section 8.2),
// and returns it, "" if there is none.
func (n *Nonces) Learn(r *http.Request, response http.Header) (nonce string) {
	values := response.Values("DPoP-Nonce")
	if len(values) != 1 || !isNonce(values[0]) {
		return ""
	}
	at := origin(r)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.put(at, values[0])
	return values[0]
}

func (n *Nonces) put(at, nonce string) {
	if _, known := n.recent[at]; !known && len(n.recent) >= maxOrigins {
		n.before, n.recent = n.recent, nil
	}
	if n.recent == nil {
		n.recent = map[string]string{}
	}
	n.recent[at] = nonce
}

// isNonce checks the syntax (section 8.1): 1*NQCHAR, as in RFC 6749 appendix A.
func isNonce(s string) bool {
	return s != "" && len(s) <= maxNonce && !strings.ContainsFunc(s, func(c rune) bool {
		return c < 0x21 || c > 0x7e || c == '"' || c == '\\'
	})
}
