// Package interop contains only tests. They build and run the example application and sign users in at real OpenID
// providers, with an HTTP client and with Chromium.
//
// The tests require Node.js, the packages of axe/, htmx/ and panva/ (run npm ci in each), Chromium, redis-server,
// PostgreSQL, nginx and Prometheus. A test fails if something that it requires is missing. All traffic stays on loopback.
// If SCREENSHOT_DIR is set, screenshots of the pages are saved there. If PICTURES_DIR is set, TestDemoPicture and
// TestDashboard save the pictures of the documents there; the latter requires the packages of grafana/. If BOUND_CHROMIUM is set, it is the Chromium that
// binds sessions to devices, with keys in software.
package interop
