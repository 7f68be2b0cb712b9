package weburl

import (
	"net/url"
	"strings"
	"testing"
	"testing/quick"
)

func TestCheck(t *testing.T) {
	for raw, want := range map[string]string{
		"https://app.test/cb":            "",
		"HTTPS://APP.TEST":               "",
		"https://app.test:8443/?x=1":     "",
		"http://localhost:3000/cb":       "",
		"http://LocalHost/cb":            "",
		"http://127.0.0.1/cb":            "",
		"http://127.8.9.1:80/cb":         "",
		"http://[::1]:3000/cb":           "",
		"http://[::ffff:127.0.0.1]/cb":   "",
		"http://app.test/cb":             "is plain http on a host that is not loopback",
		"http://localhost.evil.test/cb":  "is plain http on a host that is not loopback",
		"http://0.0.0.0/cb":              "is plain http on a host that is not loopback",
		"http://[::]/cb":                 "is plain http on a host that is not loopback",
		"http://[::1%25eth0]/cb":         "is plain http on a host that is not loopback",
		"http://2130706433/cb":           "is plain http on a host that is not loopback",
		"http://127.1/cb":                "is plain http on a host that is not loopback",
		"":                               "is not an absolute http or https URL",
		"/cb":                            "is not an absolute http or https URL",
		"//app.test/cb":                  "is not an absolute http or https URL",
		"app.test/cb":                    "is not an absolute http or https URL",
		"https:app.test":                 "is not an absolute http or https URL",
		"https://":                       "is not an absolute http or https URL",
		"https://:443/cb":                "is not an absolute http or https URL",
		"ftp://app.test/cb":              "is not an absolute http or https URL",
		"javascript://app.test/%0aalert": "is not an absolute http or https URL",
		"https://user@app.test/cb":       "has user information",
		"https://user:pw@app.test/cb":    "has user information",
		"https://@app.test/cb":           "has user information",
		"https://app.test/cb#x":          "has a fragment",
		"https://app.test/cb#":           "has a fragment",
		"https://app.test/%zz":           "is not a URL",
		"https://app .test":              "is not a URL",
		"https://app.test/\n":            "is not a URL",
	} {
		u, fault := Check(raw)
		if fault != want || fault == "" && (u == nil || u.Host == "") {
			t.Errorf("%q: %q, want %q", raw, fault, want)
		}
	}
}

func TestOrigin(t *testing.T) {
	for raw, want := range map[string]string{
		"https://app.test/cb?x":       "https://app.test",
		"HTTPS://App.Test:443":        "https://app.test",
		"http://app.test:80/":         "http://app.test",
		"http://app.test:443/":        "http://app.test:443",
		"https://app.test:80/":        "https://app.test:80",
		"https://app.test:8443/":      "https://app.test:8443",
		"https://user@app.test:8443/": "https://app.test:8443",
		"https://app.test:/":          "https://app.test",
		"http://[::1]:3000/":          "http://[::1]:3000",
		"https://[::1]:443/":          "https://[::1]",
		"https://[2001:DB8::1]/":      "https://[2001:db8::1]",
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := Origin(u); got != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
}

func TestIsRoutePath(t *testing.T) {
	for p, want := range map[string]bool{
		"/login": true, "/account/sign-in": true, "/login/": true, "/a.b/~c": true, "/a:b@c": true,
		"": false, "/": false, "login": false, "//login": false, "/login//": false, "/./login": false, "/a/../login": false, "/login/..": false,
		"/log in": false, "/log%20in": false, "/login?x": false, "/login#x": false, "/é": false, `/a\b`: false, "https://app.test/login": false, "/a\n": false,
	} {
		if got := IsRoutePath(p); got != want {
			t.Errorf("%q: %t, want %t", p, got, want)
		}
	}
}

func TestASCIIHost(t *testing.T) {
	for host, want := range map[string]string{
		"bücher.example": "xn--bcher-kva.example", "BÜCHER.example:8443": "xn--bcher-kva.example:8443", "app.example": "app.example",
	} {
		if got := ASCIIHost(host); got != want {
			t.Errorf("%s: %q", host, got)
		}
	}
}

func TestIsLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST": true, "127.0.0.1": true, "127.255.255.255": true, "::1": true, "::ffff:127.0.0.1": true,
		"": false, "localhost.": false, "a.localhost": false, "128.0.0.1": false, "0.0.0.0": false, "::": false, "::2": false, "::1%lo": false,
		"127.1": false, "0177.0.0.1": false, "[::1]": false, "127.0.0.1:80": false, "10.0.0.1": false,
	} {
		if got := IsLoopback(host); got != want {
			t.Errorf("%q: %t, want %t", host, got, want)
		}
	}
}

func TestIsHTTPS(t *testing.T) {
	for raw, want := range map[string]bool{"https://a": true, "HTTPS://a": true, "http://a": false, "": false, "https": false, "https://%zz": false, "httpss://a": false} {
		if got := IsHTTPS(raw); got != want {
			t.Errorf("%q: %t, want %t", raw, got, want)
		}
	}
}

// An error shows what is wrong with a URL, but no password.
func TestShown(t *testing.T) {
	for raw, want := range map[string]string{
		"https://app.test/x": "https://app.test/x", "https://user:pw@app.test": "[redacted]", "user:pw@": "[redacted]", "https://a%zz:pw@b": "[redacted]", "": "",
	} {
		if got := Shown(raw); got != want {
			t.Errorf("%q is shown as %q, want %q", raw, got, want)
		}
	}
}

// What is encoded reads as it was, by the reader that servers use.
func TestEncode(t *testing.T) {
	check := func(a, b, c string, swap bool) bool {
		if swap {
			a, b = b, a
		}
		values, err := url.ParseQuery(Encode("first", a, "second", b, "first", c))
		return err == nil && len(values) == 2 && values["first"][0] == a && values["first"][1] == c && values.Get("second") == b
	}
	if err := quick.Check(check, nil); err != nil {
		t.Error(err)
	}
	for want, params := range map[string][]string{
		"": nil, "a=": {"a", ""}, "a=b": {"a", "b"}, "a=1&a=2": {"a", "1", "a", "2"}, "a%26b=c%3Dd+e": {"a&b", "c=d e"},
		"long=" + strings.Repeat("%25", 999): {"long", strings.Repeat("%", 999)},
	} {
		if got := Encode(params...); got != want {
			t.Errorf("%q became %q, want %q", params, got, want)
		}
	}
}
