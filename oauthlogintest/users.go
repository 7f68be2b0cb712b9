package oauthlogintest

import (
	"fmt"
	"maps"
	"slices"
)

// SetUser replaces the user with this Subject, or adds the user to those on the
// sign-in page. Sign-ins, refreshes and responses of the userinfo endpoint from
// now on have the new claims; ID tokens that were issued before keep the old ones.
// SetUser panics if the Subject is not 1 to 255 printable ASCII characters.
func (p *Provider) SetUser(user User) {
	if !validSubject(user.Subject) {
		panic(fmt.Sprintf("oauthlogintest: User.Subject %q must be 1 to 255 printable ASCII characters", user.Subject))
	}
	user.Claims = maps.Clone(user.Claims)
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := indexUser(p.users, user.Subject); i >= 0 {
		p.users[i] = user
		return
	}
	p.users = append(p.users, user)
}

// knownUsers returns the users on the sign-in page.
func (p *Provider) knownUsers() []User {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return slices.Clone(p.users)
}

// user returns the known user with this subject, or a new user with only that
// subject and name.
func (p *Provider) user(subject string) User {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if i := indexUser(p.users, subject); i >= 0 {
		return p.users[i]
	}
	return User{Subject: subject, Name: subject}
}

func indexUser(users []User, subject string) int {
	return slices.IndexFunc(users, func(u User) bool { return u.Subject == subject })
}
