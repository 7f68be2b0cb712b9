package memory_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/memory"
)

type sizedText string

func (s sizedText) Bytes() int { return len(s) }

func TestLasting(t *testing.T) {
	t.Parallel()
	var l memory.Lasting[sizedText]
	start := time.Now()
	if _, ok := l.Get("a", start); ok {
		t.Error("the zero Lasting has a value")
	}
	l.Put("a", "first", start.Add(time.Minute), start)
	l.Put("b", "other", start.Add(time.Hour), start)
	l.Put("a", "second", start.Add(time.Minute), start)
	if got, ok := l.Get("a", start.Add(time.Minute-1)); !ok || got != "second" {
		t.Errorf("%q, %t", got, ok)
	}
	if got, ok := l.Get("a", start.Add(time.Minute)); ok {
		t.Errorf("%q when its time is over", got)
	}
	if got, _ := l.Get("b", start.Add(time.Minute)); got != "other" {
		t.Errorf("%q", got)
	}
}

func TestLastingIsBounded(t *testing.T) {
	t.Parallel()
	var l memory.Lasting[sizedText]
	now := time.Now()
	big := sizedText(strings.Repeat("x", 1<<20))
	for i := range 40 {
		l.Put(strconv.Itoa(i), big, now.Add(time.Hour), now)
	}
	kept := 0
	for i := range 40 {
		if _, ok := l.Get(strconv.Itoa(i), now); ok {
			kept++
		}
	}
	if _, ok := l.Get("39", now); !ok || kept < 10 || kept > 16 {
		t.Errorf("%d of 40 MiB are kept; the newest: %t", kept, ok)
	}
}
