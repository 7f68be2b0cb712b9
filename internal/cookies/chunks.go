package cookies

import (
	"errors"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

const (
	// maxCookieBytes bounds name and value together. RFC 6265bis section 5.6: browsers
	// silently drop a cookie of over 4,096 bytes; some count a little differently.
	maxCookieBytes = 3900
	maxSentBytes   = 4096
	maxChunks      = 5
)

// A sealed value lies in up to maxChunks cookies. The value of the first is a
// digit, the number of chunks; then, in every cookie, six characters that mark the
// write that the chunk belongs to; then its part. Chunks of two writes never join:
// their marks differ, and if they did not, the whole would not open.
const markLength = 6

// ErrTooLarge is the error of a value that does not fit the cookies.
var ErrTooLarge = errors.New("session is too large for cookies; set Options.Store to keep sessions on the server")

// MaxPacked is the number of bytes from which on a value cannot fit the cookies, whatever
// is in it: sealing encodes it in base64 twice.
const MaxPacked = maxChunks * maxCookieBytes * 9 / 16

// Fits reports whether a browser keeps a cookie of this name and value.
func Fits(name, value string) bool { return len(name)+len(value) <= maxCookieBytes }

// A Value is a sealed session in the parts that it came in, the first with its
// mark. A request with several chunks need not join them.
type Value struct {
	parts [maxChunks]string
	n     int
	whole bool // it was in no cookies, and has no mark
}

// Whole returns the Value of a sealed text that was kept elsewhere.
func Whole(sealed string) Value {
	return Value{parts: [maxChunks]string{sealed}, n: 1, whole: true}
}

// IsZero reports whether there is no value.
func (v *Value) IsZero() bool { return v.n == 0 }

// Parts returns the parts, which identify the value. They are v's own.
func (v *Value) Parts() []string { return v.parts[:v.n] }

// Sealed returns the sealed text without its mark; ok is false if the mark is not
// that of the text.
func (v *Value) Sealed() (sealed string, ok bool) {
	if v.whole {
		return v.parts[0], true
	}
	marked := v.parts[0]
	if v.n > 1 {
		marked = strings.Join(v.parts[:v.n], "")
	}
	if len(marked) <= markLength {
		return "", false
	}
	return marked[markLength:], marked[:markLength] == markOf(marked[markLength:])
}

// Read finds the chunks of a request. The Value is zero if any is missing or of
// another write. A chunk that is there twice, with two values, makes it ambiguous
// whose session it is (RFC 6265bis section 8.6.1, weak integrity): that counts as none,
// unless Opens can tell.
//
// It looks through the header itself: http.Request.Cookies parses every cookie,
// which for large ones costs more than everything else that a request needs.
func (s *Scheme) Read(r *http.Request) Value {
	var v Value
	var seen [maxChunks]bool
	for i, value := range s.sent(r) {
		if len(value) > maxSentBytes { // which no browser keeps: opening it would take time
			return Value{}
		}
		if seen[i] && v.parts[i] != value {
			return s.readTwice(r)
		}
		seen[i], v.parts[i] = true, value
	}
	return v.joined()
}

// joined returns the chunks in v that belong together, which the first one names.
func (v Value) joined() Value {
	first := v.parts[0]
	if len(first) < 1+markLength || first[0] < '1' || first[0] > '0'+maxChunks {
		return Value{}
	}
	v.n = int(first[0] - '0')
	mark := first[1 : 1+markLength]
	v.parts[0] = first[1:]
	for i := 1; i < v.n; i++ {
		var ok bool
		if v.parts[i], ok = strings.CutPrefix(v.parts[i], mark); !ok {
			return Value{}
		}
	}
	return v
}

// maxCandidates bounds the values of one chunk in a request that are compared and opened.
const maxCandidates = 4

// readTwice reads a request that has a chunk twice. Without the prefix __Host-, a
// server on another port or a cookie with a longer path can be behind one of them. The
// one that opens counts, if exactly one does.
func (s *Scheme) readTwice(r *http.Request) (found Value) {
	if s.Secure || s.Opens == nil {
		return Value{}
	}
	var chunks [maxChunks][]string
	for i, value := range s.sent(r) {
		if !slices.Contains(chunks[i], value) {
			chunks[i] = append(chunks[i], value)
		}
		if len(chunks[i]) > maxCandidates { // comparing them in pairs takes time too
			return Value{}
		}
	}
	for _, first := range chunks[0] {
		v := Value{parts: [maxChunks]string{first}}
		for i := 1; i < maxChunks && len(first) > markLength; i++ {
			for _, value := range chunks[i] {
				if strings.HasPrefix(value, first[1:1+markLength]) {
					v.parts[i] = value
				}
			}
		}
		if v = v.joined(); v.IsZero() || !s.Opens(v) {
			continue
		}
		if !found.IsZero() {
			return Value{}
		}
		found = v
	}
	return found
}

// maxPairs bounds the cookies of one request that are looked at. No browser keeps as
// many.
const maxPairs = 1 << 14

// sent yields the chunks of a request in the order of the header.
func (s *Scheme) sent(r *http.Request) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		pairs := 0
		for _, line := range r.Header["Cookie"] {
			for ; line != "" && pairs < maxPairs; pairs++ {
				var pair string
				pair, line, _ = strings.Cut(line, ";")
				if i, value, ok := s.parseChunk(strings.Trim(pair, " \t")); ok && !yield(i, value) {
					return
				}
			}
		}
	}
}

// parseChunk reads name=value if the name is that of a chunk.
func (s *Scheme) parseChunk(pair string) (i int, value string, ok bool) {
	rest, ok := strings.CutPrefix(pair, s.Session)
	if ok && len(rest) > 2 && rest[0] == '.' && rest[1] >= '1' && rest[1] < '0'+maxChunks {
		i, rest = int(rest[1]-'0'), rest[2:]
	}
	if !ok || rest == "" || rest[0] != '=' {
		return 0, "", false
	}
	return i, rest[1:], true
}

// Write sets the cookies of a sealed text for maxAge seconds, and expires the
// chunks of the request that are not part of it any more. It does all of this or,
// with ErrTooLarge, nothing.
func (s *Scheme) Write(w http.ResponseWriter, r *http.Request, sealed string, maxAge int) error {
	chunks := s.split(sealed)
	if len(chunks) > maxChunks {
		return ErrTooLarge
	}
	for i, chunk := range chunks {
		s.Set(w, s.chunks[i], chunk, maxAge)
	}
	var sent [maxChunks]bool
	for i := range s.sent(r) {
		sent[i] = true
	}
	for i := len(chunks); i < maxChunks; i++ {
		if sent[i] {
			s.Expire(w, s.chunks[i])
		}
	}
	s.CheckSize(w, r)
	return nil
}

// Holds reports whether Write can write a sealed text.
func (s *Scheme) Holds(sealed string) bool { return len(s.split(sealed)) <= maxChunks }

func (s *Scheme) split(sealed string) []string {
	mark := markOf(sealed)
	room := maxCookieBytes - len(s.chunks[maxChunks-1]) - 1 - markLength
	var chunks []string
	n := (len(sealed) + room - 1) / room
	for i := range n {
		count := ""
		if i == 0 {
			count = strconv.Itoa(n)
		}
		chunks = append(chunks, count+mark+sealed[i*room:min((i+1)*room, len(sealed))])
	}
	return chunks
}

// markOf returns the mark of a sealed text: six characters of the message
// authentication code at its end, which no two writes have in common.
func markOf(sealed string) string {
	end := len(sealed) - markLength // where base64 may be padded
	if end < markLength {
		return "000000" // nothing that was sealed is that short
	}
	return sealed[end-markLength : end]
}
