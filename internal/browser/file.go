package browser

import (
	"net/http"
	"slices"
)

// fileDests are the destinations of requests for files, which handlers may mark public
// (Fetch Metadata, Sec-Fetch-Dest).
var fileDests = []string{
	"audio", "audioworklet", "font", "image", "manifest", "paintworklet", "script", "serviceworker",
	"sharedworker", "style", "track", "video", "worker", "xslt",
}

// IsFile reports whether a browser loads a file for a page, such as an image.
func IsFile(r *http.Request) bool {
	return slices.Contains(fileDests, r.Header.Get("Sec-Fetch-Dest"))
}
