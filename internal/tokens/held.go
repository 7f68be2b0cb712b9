package tokens

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/record"
)

// A Held is a session as a request has it.
type Held struct {
	Request   *http.Request                 // that it was read from
	record    atomic.Pointer[record.Record] // never changed, only replaced
	impatient atomic.Int64                  // in Unix nanoseconds: until then, nothing waits for a refresh again
}

// Init fills in a Held, which must not be copied afterwards.
func (h *Held) Init(r *http.Request, rec *record.Record) {
	h.Request = r
	h.record.Store(rec)
}

// Current returns the latest record.
func (h *Held) Current() *record.Record { return h.record.Load() }

// waitsNoMore notes that the request has waited for a refresh for as long as one may.
func (h *Held) waitsNoMore(until time.Time) { h.impatient.Store(until.UnixNano()) }

func (h *Held) mayWait(now time.Time) bool { return now.UnixNano() >= h.impatient.Load() }

// adopt replaces the tokens by those of a later generation.
func (h *Held) adopt(rec *record.Record) {
	for {
		old := h.record.Load()
		if rec.Generation() <= old.Generation() || h.record.CompareAndSwap(old, rec) {
			return
		}
	}
}
