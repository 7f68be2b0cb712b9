package instances

import (
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
