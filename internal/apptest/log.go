package apptest

import (
	"bytes"
	"sync"
)

// LogBuffer collects log lines of concurrent requests.
type LogBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Reset forgets what was logged.
func (l *LogBuffer) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Reset()
}

// Write adds p.
func (l *LogBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String returns what was logged so far.
func (l *LogBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
