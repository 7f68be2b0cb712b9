package instances

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/memory"
)

// wantEnded fails the test unless s says of each session that it has ended, or that it goes on.
func wantEnded(t *testing.T, what string, s *Sessions[*testRecord], want map[*testRecord]bool) {
	t.Helper()
	for rec, want := range want {
		if _, _, ended, err := s.Shown(t.Context(), rec, time.Now()); ended != want || err != nil {
			t.Errorf("%s: session %d ended %t, %v", what, rec.id[0], ended, err)
		}
	}
}

// A refusal ends its session alone, whether the session began its lineage or came later. A
// logout ends the lineage, also after that.
func TestRefusalSparesLineage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEngine()
		at, other := e.instance(t), e.instance(t)
		first, second, third := alice(0), alice(0), alice(0)
		second.id, third.id = memory.ID{2}, memory.ID{3}
		second.lineage, third.lineage = first.id, first.id
		for _, rec := range []*testRecord{second, first} {
			turn, _, err := at.Turn(t.Context(), rec)
			if err != nil {
				t.Fatal(err)
			}
			if _, ended, err := turn.Refused(t.Context()); !ended || err != nil {
				t.Fatalf("ended %t, %v", ended, err)
			}
		}
		refused := map[*testRecord]bool{first: true, second: true, third: false}
		for range 2 { // of which the first teaches the instance what has ended
			wantEnded(t, "where it was refused", at, refused)
			wantEnded(t, "elsewhere", other, refused)
			synctest.Wait()
		}
		e.restart()
		time.Sleep(5 * time.Second)
		wantEnded(t, "after the engine has lost everything", e.instance(t), refused)

		other.End(t.Context(), third, time.Now())
		all := map[*testRecord]bool{first: true, second: true, third: true}
		synctest.Wait()
		wantEnded(t, "after a logout", at, all)
		wantEnded(t, "after a logout, elsewhere", e.instance(t), all)
	})
}

// A mark is over with the sessions from before it, also where another instance has learned
// of it late: sessions that begin afterwards have none.
func TestMarkIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEngine()
		maker, late := e.instance(t), e.instance(t)
		before := alice(0)
		wantEnded(t, "before", maker, map[*testRecord]bool{before: false})
		wantEnded(t, "before", late, map[*testRecord]bool{before: false})
		synctest.Wait()
		if err := maker.EndAll(t.Context(), before.user, time.Now()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(23 * time.Hour)
		wantEnded(t, "before", late, map[*testRecord]bool{before: true})
		time.Sleep(2 * time.Hour)
		after := e.login(t, e.instance(t))
		if after.mark != (memory.Mark{}) {
			t.Fatal("the mark lives longer than any session from before it")
		}
		wantEnded(t, "where the mark was made", maker, map[*testRecord]bool{after: false})
		wantEnded(t, "where it was learned", late, map[*testRecord]bool{after: false})
	})
}

// A mark that the engine has evicted is written again by the instance that has made it.
func TestMarkIsEvicted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEngine()
		maker, other := e.instance(t), e.instance(t)
		before := alice(0)
		wantEnded(t, "before", maker, map[*testRecord]bool{before: false})
		wantEnded(t, "before", other, map[*testRecord]bool{before: false})
		synctest.Wait()
		if err := maker.EndAll(t.Context(), before.user, time.Now()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // until the maker has heard of it, and looks again
		e.mu.Lock()
		delete(e.values, ownerKey(before.user))
		e.mu.Unlock()
		wantEnded(t, "where the mark was made", maker, map[*testRecord]bool{before: true})
		time.Sleep(time.Second)
		wantEnded(t, "elsewhere", e.instance(t), map[*testRecord]bool{before: true})
		after := e.login(t, other)
		wantEnded(t, "where the mark was made", maker, map[*testRecord]bool{after: false})
	})
}

// login returns another session of alice, which begins at s.
func (e *testEngine) login(t *testing.T, s *Sessions[*testRecord]) *testRecord {
	t.Helper()
	rec := alice(0)
	rec.id = memory.ID{2}
	moment := s.Moment()
	s.Begin(t.Context(), rec, time.Now())
	rec.mark = s.MarkOf(rec.user, moment)
	return rec
}

// Each instance tells an engine that has lost everything what it knows, and not the first
// alone.
func TestAllRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEngine()
		first := e.instance(t)
		second := New(&lateWatch{testEngine: e}, testCodec, 8*time.Hour, 24*time.Hour, first.log)
		defer second.Close(t.Context())
		a, b, c := alice(0), alice(0), alice(0)
		b.id, c.id, c.user = memory.ID{2}, memory.ID{3}, memory.OwnerOf(memory.OfUser, "https://a.test", "carol")
		wantEnded(t, "before", first, map[*testRecord]bool{a: false})
		wantEnded(t, "before", second, map[*testRecord]bool{b: false, c: false})
		time.Sleep(3 * time.Second)
		first.End(t.Context(), a, time.Now())
		second.End(t.Context(), b, time.Now())
		if err := second.EndAll(t.Context(), c.user, time.Now()); err != nil {
			t.Fatal(err)
		}
		e.restart()
		time.Sleep(5 * time.Second)
		wantEnded(t, "a new instance", e.instance(t), map[*testRecord]bool{a: true, b: true, c: true})
	})
}

// A lateWatch begins to watch a second later than others.
type lateWatch struct{ *testEngine }

func (w *lateWatch) Watch(ctx context.Context, ready func(), changed func(string)) error {
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return ctx.Err()
	}
	return w.testEngine.Watch(ctx, ready, changed)
}
