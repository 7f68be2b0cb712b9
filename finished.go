package oauthlogin

import (
	"crypto/sha256"
	"sync"
	"time"
)

// finishedFlows remembers states that came back, so that a code does not go
// out again when a browser puts its flow cookie back. It is bounded: past
// maxFinished in flowLifetime, the provider's own check has to do.
type finishedFlows struct {
	mu    sync.Mutex
	paths map[[sha256.Size]byte]string // return paths by hash of state
	order []finishedFlow               // oldest first
}

type finishedFlow struct {
	key [sha256.Size]byte
	at  time.Time
}

const (
	maxFinished = 4096
	// maxRemembered bounds a remembered return path, in bytes.
	maxRemembered = 512
)

// add reports whether state is new, and remembers it.
func (f *finishedFlows) add(state, returnPath string) bool {
	key := sha256.Sum256([]byte(state))
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.order) > 0 && (len(f.order) >= maxFinished || now.Sub(f.order[0].at) > flowLifetime) {
		delete(f.paths, f.order[0].key)
		f.order = f.order[1:]
	}
	if _, known := f.paths[key]; known {
		return false
	}
	if len(returnPath) > maxRemembered {
		returnPath = "/"
	}
	if f.paths == nil {
		f.paths = map[[sha256.Size]byte]string{}
	}
	f.paths[key] = returnPath
	f.order = append(f.order, finishedFlow{key, now})
	return true
}

// returnPath returns where the flow with this state led, "" if that is not
// known any more.
func (f *finishedFlows) returnPath(state string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.paths[sha256.Sum256([]byte(state))]
}
