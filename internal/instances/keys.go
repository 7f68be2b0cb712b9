package instances

import (
	"crypto/sha256"
	"encoding/base64"

	"github.com/oauthlogin/oauthlogin/internal/memory"
)

// A Kind says what a key is for.
type Kind string

// The kinds of keys. They are part of the format that instances share.
const (
	kindSession Kind = "session"
	kindLock    Kind = "lock"
	kindUser    Kind = "user"
	kindSID     Kind = "sid"
	kindAlive   Kind = "alive"
	// kindReplaced is a session that another sign-in in its browser has replaced.
	kindReplaced Kind = "replaced"
	KindState    Kind = "state"  // of a login
	KindJTI      Kind = "jti"    // of a logout token
	KindStored   Kind = "stored" // a session of NewStore
	// KindResource is an access token of a session for one API.
	KindResource Kind = "resource"
)

// Key names what name stands for, and gives nothing of it away.
func Key(kind Kind, name string) string {
	sum := sha256.Sum256([]byte("oauthlogin v1 " + string(kind) + "\x00" + name))
	return string(kind) + ":" + base64.RawURLEncoding.EncodeToString(sum[:24])
}

func sessionKey(id memory.ID) string { return Key(kindSession, string(id[:])) }

func replacedKey(id memory.ID) string { return Key(kindReplaced, string(id[:])) }

func lockKey(id memory.ID) string { return Key(kindLock, string(id[:])) }

func ownerKey(owner memory.Owner) string {
	kind := kindUser
	if owner.Kind() == memory.OfSID {
		kind = kindSID
	}
	return Key(kind, owner.ID())
}
