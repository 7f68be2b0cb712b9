package cookies

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// joined is what the chunks of the lines of a Cookie header join to, by a reader
// of its own, and the mark that they have in common: "" unless all of them are
// there, each with one value.
func joined(name string, lines ...string) (whole, mark string) {
	values, ambiguous := map[string]string{}, map[string]bool{}
	pairs := 0
	for _, line := range lines {
		if line == "" {
			continue
		}
		for pair := range strings.SplitSeq(strings.TrimSuffix(line, ";"), ";") {
			if pairs++; pairs > maxPairs {
				break
			}
			cookie, value, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
			if other, twice := values[cookie]; ok && twice && other != value {
				ambiguous[cookie] = true
			}
			if ok {
				values[cookie] = value
			}
		}
	}
	// Two values of any chunk make all of them doubtful, also of one past the end. So does
	// one that no browser keeps.
	for i := range maxChunks {
		if ambiguous[chunkName(name, i)] || len(values[chunkName(name, i)]) > maxSentBytes {
			return "", ""
		}
	}
	first := values[name]
	if len(first) < 7 || first[0] < '1' || first[0] > '5' {
		return "", ""
	}
	mark, whole = first[1:7], first[7:]
	for i := 1; i < int(first[0]-'0'); i++ {
		part, ok := strings.CutPrefix(values[chunkName(name, i)], mark)
		if !ok {
			return "", ""
		}
		whole += part
	}
	return whole, mark
}

func chunkName(name string, i int) string {
	if i == 0 {
		return name
	}
	return fmt.Sprint(name, ".", i)
}

// read returns what the cookies of header lines keep, "" if that is nothing.
func read(s *Scheme, lines ...string) string {
	v := s.Read(&http.Request{Header: http.Header{"Cookie": lines}})
	if v.IsZero() {
		return ""
	}
	sealed, ok := v.Sealed()
	if !ok {
		return ""
	}
	return sealed
}

// mod_auth_openidc CVE-2023-28625, CVE-2024-24814: what a Cookie header can do.
func FuzzReadChunks(f *testing.F) {
	s := NewScheme("oauthlogin", true)
	name := s.Session
	long := s.split(strings.Repeat("value", 2000))
	f.Add(name+"="+s.split("value")[0], "")
	f.Add(name+"="+long[0]+"; "+name+".1="+long[1]+"; "+name+".2="+long[2], "")
	f.Add(name+"="+long[0], name+".2="+long[2]+";"+name+".1="+long[1])
	f.Add(name+"="+long[0]+"; "+name+".1="+long[2], name+"=")
	f.Add(name+"=99999999", name+".99999999=x; "+name+".-1=y; "+name+".0=z")
	f.Add(name+"="+long[0], name+"="+long[0]+"; "+name+".1="+long[1]+"; "+name+".2="+long[2]+"; "+name+".4="+long[1]+"; "+name+".4=")
	f.Add(name+"=1AAAAAAA", name+"=1AAAAAAA") // shorter than a mark
	f.Add(name+"=;;; ="+name+"; "+name, `"`+name+`"="x"`)
	f.Add(name+"=1"+markOf(strings.Repeat("x", maxSentBytes))+strings.Repeat("x", maxSentBytes), "")
	f.Add(strings.Repeat(";", maxPairs-1), name+"="+s.split("value")[0])
	f.Add(strings.Repeat(";", maxPairs), name+"="+s.split("value")[0])
	f.Fuzz(func(t *testing.T, first, second string) {
		value := read(s, first, second)
		want, mark := joined(name, first, second)
		if markOf(want) != mark {
			want = ""
		}
		if value != want {
			t.Errorf("header became %q, want %q", value, want)
		}
		for _, chunk := range s.split(value) {
			if len(chunk)+len(name)+2 > maxCookieBytes {
				t.Errorf("chunk of %d bytes", len(chunk))
			}
		}
	})
}

// What is split is read back, whole, at every size around the limits.
func TestChunksJoin(t *testing.T) {
	s := NewScheme("oauthlogin", true)
	room := len(s.split(strings.Repeat("x", 20000))[1]) - markLength
	for chunks := 1; chunks <= maxChunks; chunks++ {
		for _, n := range []int{(chunks-1)*room + 1, chunks*room - 1, chunks * room} {
			value := strings.Repeat("x", n-1) + "y"
			var lines []string
			parts := s.split(value)
			if len(parts) != chunks {
				t.Errorf("%d bytes in %d chunks, want %d", n, len(parts), chunks)
			}
			for i, part := range parts {
				if len(part)+len(s.chunks[i]) > maxCookieBytes || !Fits(s.chunks[i], part) {
					t.Errorf("chunk %d of %d has %d bytes", i, chunks, len(part))
				}
				lines = append(lines, s.chunks[i]+"="+part)
			}
			if got := read(s, lines...); got != value {
				t.Errorf("%d bytes in %d chunks came back as %d", n, chunks, len(got))
			}
		}
	}
	if !Fits(strings.Repeat("n", 100), strings.Repeat("v", 3800)) || Fits(strings.Repeat("n", 101), strings.Repeat("v", 3800)) {
		t.Error("name and value count together, 3,900 bytes at most")
	}
}

// Chunks of two writes never join, and a mark has to be that of the text.
func TestMarks(t *testing.T) {
	s := NewScheme("oauthlogin", false)
	text := func(c string) string { return strings.Repeat(c, 5000) }
	pairs := func(one, two string) string {
		return "oauthlogin=" + one + "; oauthlogin.1=" + two
	}
	a, b, short := s.split(text("a")), s.split(text("b")), s.split(strings.Repeat("s", 20))[0]
	for _, tt := range []struct{ name, header, want string }{
		{"two of one write", pairs(a[0], a[1]), text("a")},
		{"two of two writes", pairs(a[0], b[1]), ""},
		{"two of two writes with one mark", pairs(a[0], strings.Replace(b[1], "bbbbbb", "aaaaaa", 1)), ""},
		{"one", "oauthlogin=" + short, strings.Repeat("s", 20)},
		{"one with another mark", "oauthlogin=1tttttt" + short[7:], ""},
		{"one in capitals", "oauthlogin=" + strings.ToUpper(short), "SSSSSSSSSSSSSSSSSSSS"},
		{"a mark alone", "oauthlogin=1000000", ""},
		{"less than a mark", "oauthlogin=1ssssss", ""},
		{"as many chunks as there can be, of one", "oauthlogin=5" + short[1:], ""},
	} {
		if got := read(s, tt.header); got != tt.want {
			t.Errorf("%s: %d bytes, want %d", tt.name, len(got), len(tt.want))
		}
	}
}

// A value that a store keeps has no mark and no chunks.
func TestWhole(t *testing.T) {
	v := Whole("sealed")
	if sealed, ok := v.Sealed(); !ok || sealed != "sealed" || v.IsZero() || !slices.Equal(v.Parts(), []string{"sealed"}) {
		t.Errorf("%q, %t, %q", sealed, ok, v.Parts())
	}
	var none Value
	if !none.IsZero() || len(none.Parts()) != 0 {
		t.Errorf("the zero Value has parts %q", none.Parts())
	}
}

// Finding the chunks costs no allocation: they are not joined.
func TestReadDoesNotJoin(t *testing.T) {
	s := NewScheme("oauthlogin", true)
	chunks := s.split(strings.Repeat("x", 9000))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for i, chunk := range chunks {
		r.AddCookie(&http.Cookie{Name: s.chunks[i], Value: chunk})
	}
	if n := testing.AllocsPerRun(10, func() {
		if v := s.Read(r); len(v.Parts()) != len(chunks) {
			t.Errorf("%d parts", len(v.Parts()))
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// On plain http another application of the host may leave a cookie of this name.
func TestTheOneThatOpensCounts(t *testing.T) {
	one, two, garbage := strings.Repeat("one.", 2000)+"signature-of-one", strings.Repeat("two", 20)+"signature-2", strings.Repeat("x", 5000)+"nothing"
	for _, secure := range []bool{false, true} {
		s := NewScheme("app", secure)
		opened := 0
		opens := map[string]bool{one: true}
		s.Opens = func(v Value) bool {
			opened++
			sealed, ok := v.Sealed()
			return ok && opens[sealed]
		}
		written := func(sealed string) string {
			var pairs []string
			for i, chunk := range s.split(sealed) {
				pairs = append(pairs, s.chunks[i]+"="+chunk)
			}
			return strings.Join(pairs, "; ")
		}
		first, second, third := written(one), written(two), written(garbage)
		read := func(header ...string) string {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header["Cookie"] = header
			v := s.Read(r)
			if v.IsZero() {
				if s.SentTwice(r) != s.IsAmbiguous(r) {
					t.Errorf("%.20q: not ambiguous", header)
				}
				return ""
			}
			if s.IsAmbiguous(r) {
				t.Errorf("%.20q: ambiguous", header)
			}
			sealed, _ := v.Sealed()
			return sealed
		}
		want := one
		if secure {
			want = "" // __Host- leaves nothing to guess
		}
		for _, header := range [][]string{
			{first + "; " + second},
			{second + "; " + first},
			{second, third, first},
			{third + "; " + first + "; " + second},
			{s.Session + "=junk; " + second + "; " + first},
			{first + "; " + first + "; " + second},
		} {
			if got := read(header...); got != want {
				t.Errorf("secure %v: read %.20q", secure, got)
			}
		}
		if secure && opened > 0 {
			t.Error("opened values of an ambiguous request")
		}
		opens[two] = true
		if got := read(first + "; " + second); got != "" {
			t.Errorf("both open: %.20q", got)
		}
		clear(opens)
		if got := read(first + "; " + second); got != "" {
			t.Errorf("none opens: %.20q", got)
		}
		opened = 0
		if got := read(first + strings.ReplaceAll("; app=2; app=3; app=4; app=5; app=6", "app", s.Session)); got != "" || opened > 4 {
			t.Errorf("many: %.20q, %d opened", got, opened)
		}
		opened = 0
		if got := read(first); got != one || opened > 0 {
			t.Errorf("an ordinary request: %.20q, %d opened", got, opened)
		}
	}
}

// Write sets all chunks, and expires those that the request has and the session does
// not need any more; what does not fit changes nothing.
func TestWrite(t *testing.T) {
	s := NewScheme("oauthlogin", true)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, name := range []string{"__Host-oauthlogin", "__Host-oauthlogin.1", "__Host-oauthlogin.3", "__Host-oauthlogin.7", "theme"} {
		r.AddCookie(&http.Cookie{Name: name, Value: "old"})
	}
	for _, tt := range []struct {
		size int
		want string
		err  error
	}{
		{10, "__Host-oauthlogin=60 __Host-oauthlogin.1=-1 __Host-oauthlogin.3=-1", nil},
		{5000, "__Host-oauthlogin=60 __Host-oauthlogin.1=60 __Host-oauthlogin.3=-1", nil},
		{19000, "__Host-oauthlogin=60 __Host-oauthlogin.1=60 __Host-oauthlogin.2=60 __Host-oauthlogin.3=60 __Host-oauthlogin.4=60", nil},
		{20000, "", ErrTooLarge},
	} {
		w := httptest.NewRecorder()
		err := s.Write(w, r, strings.Repeat("x", tt.size), 60)
		if got := ages(w); got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%d bytes: %s, %v; want %s", tt.size, got, err, tt.want)
		}
	}
}

// A request with tens of thousands of values for one chunk is not compared in pairs.
func TestManyValuesOfOneChunk(t *testing.T) {
	s := NewScheme("oauthlogin", false)
	opened := 0
	s.Opens = func(Value) bool { opened++; return true }
	var header strings.Builder
	for i := range 40_000 {
		header.WriteString("oauthlogin.1=" + strconv.Itoa(100_000+i) + "; ")
	}
	header.WriteString("oauthlogin=2abcdefx; oauthlogin.1=abcdefy")
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Cookie", header.String())
	if v := s.Read(r); !v.IsZero() || opened > 0 {
		t.Errorf("a session among %d values, %d opened", 40_001, opened)
	}
}

// Read looks at so many cookies of a request at most.
func TestReadStops(t *testing.T) {
	s := NewScheme("app", false)
	sealed := strings.Repeat("x", 100)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for n, found := range map[int]bool{maxPairs - 1: true, maxPairs: false} {
		r.Header["Cookie"] = []string{strings.Repeat(";", n), "app=1" + markOf(sealed) + sealed}
		if v := s.Read(r); v.IsZero() == found {
			t.Errorf("behind %d others: found %t", n, !found)
		}
	}
}
