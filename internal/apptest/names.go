package apptest

// Names of the cookies of an application on https.
const (
	SessionCookie = "__Host-oauthlogin"
	FlowPrefix    = "__Host-oauthlogin.flow."
)

// Hostile is what a provider says that must reach neither page nor log.
const Hostile = `<script>alert("hostile")</script>`
