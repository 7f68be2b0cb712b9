package tokens

import (
	"testing"
	"time"
)

// A stored token is what was kept, and anything else is none.
func TestResourceTokensPackExactly(t *testing.T) {
	token := &resourceToken{access: "access", issued: time.UnixMilli(1_700_000_000_123), expiry: time.UnixMilli(1_700_003_600_456)}
	packed := token.pack()
	got, err := unpackResourceToken(packed)
	if err != nil || got.access != token.access || !got.issued.Equal(token.issued) || !got.expiry.Equal(token.expiry) {
		t.Errorf("%q from %v to %v, %v", got.access, got.issued, got.expiry, err)
	}
	for n := range packed {
		if _, err := unpackResourceToken(packed[:n]); err == nil {
			t.Errorf("%d of %d bytes unpacked", n, len(packed))
		}
	}
}
