package interop_test

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestExampleOfOnePage drives Chromium through example/spa, whose page is open when its session ends.
func TestExampleOfOnePage(t *testing.T) {
	base := startExampleOfOnePage(t)
	browser := newChromium(t)
	for name, way := range map[string]struct{ button, result, shows string }{
		"fetch":       {"#fetch", "#result", `"sub":"alice"`},
		"EventSource": {"#events", "#time", "at the server"},
		"htmx":        {"form[hx-post] button", "#result", "Alice Archer has saved a note to keep"},
	} {
		t.Run(name, func(t *testing.T) {
			tab := browser.newProfile(t)
			tab.open(base+"/").want(http.StatusOK, base+"/")
			tab.click("#login")
			demoSignIn(tab).want(http.StatusOK, base+"/")
			tab.wantText("#session", "Alice Archer is signed in. The session ends in ")
			tab.do(chromedp.SendKeys(chromedp.CSS("[name=note]"), "a note to keep"), chromedp.Click(chromedp.CSS(way.button)))
			tab.wantText(way.result, way.shows)

			other := tab.another()
			other.open(base + "/")
			other.click("#logout button")
			tab.wantText("#session", "Not signed in.")
			tab.do(chromedp.Click(chromedp.CSS("#plain")))
			tab.wantText("#result", "401 Unauthorized\n"+`{"error":"unauthenticated","login_url":"/login?return_to=`)

			tab.do(chromedp.Click(chromedp.CSS(way.button)))
			eventually(t, patience, "the sign-in page", func() bool { return tab.hostname() == "127.0.0.1" })
			demoSignIn(tab).want(http.StatusOK, base+"/")
			if got := evaluate[string](tab, `document.querySelector("[name=note]").value`); got != "a note to keep" {
				t.Errorf("the note is %q after the login", got)
			}
			tab.do(chromedp.Click(chromedp.CSS(way.button)))
			tab.wantText(way.result, way.shows)
		})
	}
}

// The example has a file of htmx, so that it runs with Go alone.
func TestExampleHasThisHtmx(t *testing.T) {
	t.Parallel()
	const installed, copied = "htmx/node_modules/htmx.org/dist/htmx.min.js", "../example/spa/htmx.min.js"
	want, err := os.ReadFile(installed)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(copied); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s differs from %s (%v): copy it", copied, installed, err)
	}
}

// startExampleOfOnePage returns the origin at which it listens.
func startExampleOfOnePage(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "spa")
	build := exec.Command("go", "build", "-o", binary, "./spa")
	build.Dir = "../example"
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	addr := "localhost:" + freePort(t)
	run := exec.Command(binary)
	run.Env = []string{"ADDR=" + addr}
	p := startProcess(t, run, "open http://"+addr)
	t.Cleanup(func() {
		_ = run.Process.Kill() // it ends no other way
		<-p.exited
	})
	return "http://" + addr
}

// wantText waits until an element has a text.
func (tab *browserTab) wantText(selector, text string) {
	tab.t.Helper()
	eventually(tab.t, patience, selector+" with "+text, func() bool {
		return strings.Contains(evaluate[string](tab, `document.querySelector("`+selector+`").textContent`), text)
	})
}
