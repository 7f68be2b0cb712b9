// Package interop holds no code, only tests: the example application, built and run as a user would run it, signs people
// in at real OpenID providers and in a real browser.
//
// The tests need Node.js, the packages that panva/package-lock.json pins (npm ci in panva/) and Chromium; one that is
// missing fails the tests that need it. All traffic stays on loopback. SCREENSHOT_DIR names a directory for pictures
// of the pages.
package interop
