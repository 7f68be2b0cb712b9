package apptest

import (
	"fmt"
	"maps"
	"net/http"
	"sync"

	"github.com/gorilla/sessions"
)

// A ScriptedStore keeps sessions in memory as stores on Redis do, until a test
// tells it to do otherwise.
type ScriptedStore struct {
	OnNew  func(r *http.Request, s *sessions.Session) (*sessions.Session, error) // what New returns for the session it found; nil: s
	OnSave func(s *sessions.Session) error                                       // before a write or a deletion, which an error prevents; nil: nothing

	mu     sync.Mutex
	saved  int
	values map[string]map[any]any // by ID
}

// Get is New: there is no registry.
func (s *ScriptedStore) Get(r *http.Request, name string) (*sessions.Session, error) {
	return s.New(r, name)
}

// New returns the session that the cookie names, or a new one with that ID.
func (s *ScriptedStore) New(r *http.Request, name string) (*sessions.Session, error) {
	session := sessions.NewSession(s, name)
	session.Options = &sessions.Options{}
	session.IsNew = true
	if c, err := r.Cookie(name); err == nil {
		session.ID = c.Value
		s.mu.Lock()
		if values, ok := s.values[c.Value]; ok {
			session.Values, session.IsNew = maps.Clone(values), false
		}
		s.mu.Unlock()
	}
	if s.OnNew != nil {
		return s.OnNew(r, session)
	}
	return session, nil
}

// Save writes a session, or deletes it if its MaxAge is negative.
func (s *ScriptedStore) Save(_ *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	if s.OnSave != nil {
		if err := s.OnSave(session); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if session.Options.MaxAge < 0 {
		delete(s.values, session.ID)
	} else {
		if session.ID == "" {
			s.saved++
			session.ID = fmt.Sprintf("id-%d", s.saved)
		}
		if s.values == nil {
			s.values = map[string]map[any]any{}
		}
		s.values[session.ID] = maps.Clone(session.Values)
	}
	http.SetCookie(w, sessions.NewCookie(session.Name(), session.ID, session.Options))
	return nil
}

// Len returns how many sessions there are.
func (s *ScriptedStore) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.values)
}

// Clear drops all sessions.
func (s *ScriptedStore) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.values)
}
