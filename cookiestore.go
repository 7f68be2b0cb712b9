package oauthlogin

import (
	"errors"
	"iter"
	"net/http"
	"strconv"
	"strings"

	"github.com/gorilla/sessions"
)

const (
	// RFC 6265bis section 5.6: browsers silently drop a cookie whose name and
	// value have over 4,096 bytes together; some count a little differently.
	maxCookieBytes = 3900
	maxChunks      = 5
	// warnCookieBytes is what common proxies still let pass: nginx and Apache
	// allow 8 KiB for all cookies of a request in one header line.
	warnCookieBytes = 7000
)

// A cookieStore is a gorilla store that keeps one string, a sealed value, in
// as many cookies as it takes. It neither encrypts nor ages what it stores.
//
// The value of the first cookie is a digit, the number of chunks; then, in
// every cookie, six characters that mark which write the chunk belongs to;
// then its part. Chunks of two writes never join: their marks differ, and if
// they did not, the whole would not open.
type cookieStore struct{ scheme *cookieScheme }

// valueKey is where a gorilla session keeps our sealed value.
const valueKey = "oauthlogin"

const markLength = 6

var (
	errTooLargeForCookies = errors.New("session is too large for cookies; set Options.Store to keep sessions on the server")
	errTooLargeForStore   = errors.New("session is too large for Options.Store")
)

// Get is New: a session is loaded once per request, and passed on by context.
func (s *cookieStore) Get(r *http.Request, name string) (*sessions.Session, error) {
	return s.New(r, name)
}

func (s *cookieStore) New(r *http.Request, name string) (*sessions.Session, error) {
	session := sessions.NewSession(s, name)
	session.Options = s.scheme.options(0)
	session.IsNew = true
	v := s.read(r)
	if value, ok := unmark(v.String()); ok {
		session.Values[valueKey] = value
		session.IsNew = false
	}
	return session, nil
}

// A sealedValue is a sealed session in the parts that it came in, the first
// with its mark, so that a request with several chunks need not join them.
type sealedValue struct {
	parts [maxChunks]string
	n     int
}

func (v *sealedValue) String() string {
	if v.n == 1 {
		return v.parts[0]
	}
	return strings.Join(v.parts[:v.n], "")
}

// key is what a cache finds the value by: some of the message authentication code
// at its end. Hashing it takes less time than hashing all of the value.
func (v *sealedValue) key() string {
	last := v.parts[v.n-1]
	if len(last) < 32 && v.n > 1 { // or values of one length would share a key
		last = v.parts[v.n-2] + last
	}
	return last[max(0, len(last)-32):]
}

// is compares with a whole value.
func (v *sealedValue) is(whole string) bool {
	for _, part := range v.parts[:v.n] {
		rest, ok := strings.CutPrefix(whole, part)
		if !ok {
			return false
		}
		whole = rest
	}
	return whole == ""
}

// read finds the chunks of the request; none if any is missing or of another
// write. Cookies that are there twice make it ambiguous whose session it is,
// and count as none (RFC 6265bis section 8.6.1, weak integrity).
//
// It looks through the header itself: http.Request.Cookies parses every
// cookie, which for large ones costs more than all else that we do.
func (s *cookieStore) read(r *http.Request) sealedValue {
	var v sealedValue
	var seen [maxChunks]bool
	for i, value := range s.sent(r) {
		if seen[i] && v.parts[i] != value {
			return sealedValue{}
		}
		seen[i], v.parts[i] = true, value
	}
	first := v.parts[0]
	if len(first) < 1+markLength || first[0] < '1' || first[0] > '0'+maxChunks {
		return sealedValue{}
	}
	v.n = int(first[0] - '0')
	mark := first[1 : 1+markLength]
	v.parts[0] = first[1:]
	for i := 1; i < v.n; i++ {
		var ok bool
		if v.parts[i], ok = strings.CutPrefix(v.parts[i], mark); !ok {
			return sealedValue{}
		}
	}
	return v
}

// sent yields the chunks of a request as they come.
func (s *cookieStore) sent(r *http.Request) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		for _, line := range r.Header["Cookie"] {
			for line != "" {
				var pair string
				pair, line, _ = strings.Cut(line, ";")
				if i, value, ok := s.scheme.parseChunk(strings.Trim(pair, " \t")); ok && !yield(i, value) {
					return
				}
			}
		}
	}
}

// Save writes the session's value, or expires it when MaxAge is negative, and
// expires the chunks of the request that are no longer part of it. It writes
// all of this or, with an error, nothing.
func (s *cookieStore) Save(r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	var chunks []string
	if session.Options.MaxAge >= 0 {
		value, _ := session.Values[valueKey].(string)
		chunks = s.split(value)
		if len(chunks) > maxChunks {
			return errTooLargeForCookies
		}
	}
	for i, chunk := range chunks {
		s.scheme.set(w, s.scheme.chunks[i], chunk, session.Options.MaxAge)
	}
	var sent [maxChunks]bool
	for i := range s.sent(r) {
		sent[i] = true
	}
	for i := len(chunks); i < maxChunks; i++ {
		if i == 0 || sent[i] {
			s.scheme.expire(w, s.scheme.chunks[i])
		}
	}
	return nil
}

// markOf returns the mark of a whole value: six characters of the message
// authentication code at its end, which no two writes have in common.
func markOf(value string) string {
	end := len(value) - markLength // where base64 may be padded
	if end < markLength {
		return "000000" // nothing that was sealed is that short
	}
	return value[end-markLength : end]
}

// unmark takes off the mark of a value, if it has the right one.
func unmark(marked string) (value string, ok bool) {
	if len(marked) <= markLength {
		return "", false
	}
	return marked[markLength:], marked[:markLength] == markOf(marked[markLength:])
}

func (s *cookieStore) split(value string) []string {
	mark := markOf(value)
	room := maxCookieBytes - len(s.scheme.chunks[maxChunks-1]) - 1 - markLength
	var chunks []string
	n := (len(value) + room - 1) / room
	for i := range n {
		count := ""
		if i == 0 {
			count = strconv.Itoa(n)
		}
		chunks = append(chunks, count+mark+value[i*room:min((i+1)*room, len(value))])
	}
	return chunks
}
