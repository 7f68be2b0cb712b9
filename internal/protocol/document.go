package protocol

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/flight"
)

const (
	maxAge            = 24 * time.Hour   // of a document, before it is read again
	minAge            = 5 * time.Minute  // however soon Cache-Control lets it expire
	maxWait           = 25 * time.Hour   // from then on a use waits for the read
	readAgainPause    = time.Minute      // after a failed read of a known document
	discoveryCooldown = 5 * time.Second  // after a failed first read of metadata, or one for a stranger
	askPause          = 30 * time.Second // after a read out of turn
)

// A document is what a provider publishes at a URL and may change at any time. It
// is read on first use. When it is due, a use starts reading it again, and gets the
// old edition meanwhile; when it is overdue, a use waits for the new edition. The
// old one stays in use while reading fails. One request is under way at a time,
// and no goroutine runs between uses.
type document[V any] struct {
	name     string // in the log
	fetch    func(context.Context) (value V, maxAge time.Duration, err error)
	cooldown time.Duration // after a failed first read
	log      *slog.Logger

	flight flight.Group[edition[V]]

	mu       sync.Mutex
	current  edition[V]
	started  uint64       // reads
	due      time.Time    // to be read again in the background
	overdue  time.Time    // to be waited for
	failed   time.Time    // the last read, if it failed
	err      error        // of that read
	reading  bool         // in the background
	askAgain [2]time.Time // out of turn, not before; by asker
}

// An asker is what a document is read out of turn for. Each has a pause of its own:
// strangers can send logout tokens, and must not keep ID tokens from being verified.
type asker int

const (
	idTokens asker = iota
	logoutTokens
	noOne // it is the document's turn
)

// An edition is a document as one read brought it.
type edition[V any] struct {
	value V
	seq   uint64 // of the read; 0: none
}

// get returns the current edition, or the error of a first read that failed.
func (d *document[V]) get(ctx context.Context) (edition[V], error) {
	now := time.Now()
	d.mu.Lock()
	old, err := d.current, d.err
	known, due, overdue := old.seq > 0, !now.Before(d.due), !now.Before(d.overdue)
	pause := d.cooldown
	if known {
		pause = readAgainPause
	}
	// A failure before the document was overdue does not keep the first use
	// after that from trying.
	paused := err != nil && now.Before(d.failed.Add(pause)) && !(known && overdue && d.failed.Before(d.overdue))
	start := known && due && !overdue && !paused && !d.reading
	d.reading = d.reading || start
	d.mu.Unlock()

	switch {
	case start:
		go d.readInBackground(context.WithoutCancel(ctx), old.seq)
		return old, nil
	case known && (!overdue || paused):
		return old, nil
	case paused:
		return old, err
	}
	fresh, err := d.read(ctx, old.seq, noOne)
	if err != nil && known {
		return old, nil
	}
	return fresh, err
}

// known returns the current edition as it is, the zero one if there is none.
func (d *document[V]) known() edition[V] {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.current
}

func (d *document[V]) readInBackground(ctx context.Context, since uint64) {
	d.read(ctx, since, noOne) // a failure is logged
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reading = false
}

// read returns an edition after the one with the number since, reading the
// document if there is none yet. from says for which token, if the earlier edition
// cannot verify it.
func (d *document[V]) read(ctx context.Context, since uint64, from asker) (edition[V], error) {
	for {
		e, err := d.flight.Do(ctx, "", func(ctx context.Context) (edition[V], error) {
			d.mu.Lock()
			if d.current.seq > since { // by a flight that has just ended
				defer d.mu.Unlock()
				return d.current, nil
			}
			d.started++
			seq := d.started
			d.mu.Unlock()
			return d.readOnce(ctx, seq, from)
		})
		if err != nil || e.seq > since {
			return e, err
		}
	}
}

func (d *document[V]) readOnce(ctx context.Context, seq uint64, from asker) (_ edition[V], err error) {
	defer func() {
		if err == nil {
			return
		}
		d.mu.Lock()
		known := d.current.seq > 0
		d.err, d.failed = err, time.Now()
		d.mu.Unlock()
		if known {
			d.log.WarnContext(ctx, "oauthlogin: reading a document of the provider again failed; the earlier one stays in use", "document", d.name, "error", err)
		}
	}()
	defer flight.Recover(&err)
	value, age, err := d.fetch(ctx)
	if err != nil {
		return edition[V]{}, err
	}
	if age <= 0 || age > maxAge {
		age = maxAge
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	d.current, d.err = edition[V]{value, seq}, nil
	d.due, d.overdue = now.Add(max(age, minAge)), now.Add(maxWait)
	if from != noOne {
		d.askAgain[from] = now.Add(askPause)
	}
	return d.current, nil
}

// mark returns a number that every edition whose read starts from now on exceeds.
func (d *document[V]) mark() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.started
}

// mayAsk reports whether the document may be read out of turn, for a token that
// its current edition cannot verify.
func (d *document[V]) mayAsk(from asker) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !time.Now().Before(d.askAgain[from])
}

// readAgain reads the document out of turn. For strangers it does not ask an endpoint that
// has just failed.
func (d *document[V]) readAgain(ctx context.Context, since uint64, from asker) (edition[V], error) {
	if from == logoutTokens {
		if err := d.failedJustNow(); err != nil {
			return edition[V]{}, err
		}
	}
	return d.read(ctx, since, from)
}

// failedJustNow returns the error of the last read if it failed in the last seconds.
func (d *document[V]) failedJustNow() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if time.Now().Before(d.failed.Add(discoveryCooldown)) {
		return d.err
	}
	return nil
}

// outdate makes the next use wait for a read.
func (d *document[V]) outdate() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now := time.Now(); now.Before(d.overdue) {
		d.overdue = now
	}
}

// maxAgeOf returns the max-age of a response (RFC 9111 section 5.2.2.1), at least
// a second; 0: it has none.
func maxAgeOf(header http.Header) time.Duration {
	for directive := range strings.SplitSeq(strings.Join(header.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		if !strings.EqualFold(name, "max-age") {
			continue
		}
		if n, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31); err == nil {
			return time.Duration(max(n, 1)) * time.Second
		}
	}
	return 0
}
