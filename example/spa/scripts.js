// For pages of an application behind oauthlogin: see scripts.md.

const wait = seconds => new Promise(done => setTimeout(done, 1000 * seconds))

// authFetch is fetch for requests to the application itself. Without a session it goes through the login and back to
// this page, and never returns. In a short outage it tries again, for about a minute.
export async function authFetch(input, init) {
	const request = new Request(input, { referrerPolicy: "same-origin", ...init })
	for (let tries = 1; ; tries++) {
		const response = await fetch(request.clone())
		if (response.status !== 401 && response.status !== 503) return response
		const { error, login_url } = (await response.clone().json().catch(() => null)) ?? {}
		if (response.status === 401 && login_url && new URL(login_url, location).origin === location.origin) {
			location.assign(login_url)
			return new Promise(() => {})
		}
		if (error !== "unavailable" || tries === 12) return response
		await wait(response.headers.get("Retry-After"))
	}
}

// authEvents is new EventSource(url) that does the same. The browser hides why a stream fails, so it asks with fetch.
export function authEvents(url, onmessage) {
	const events = new EventSource(url)
	events.onmessage = onmessage
	events.onerror = async () => {
		if (events.readyState !== EventSource.CLOSED) return // the browser connects again by itself
		const response = await authFetch(url, { headers: { Accept: "text/event-stream" } })
		response.body?.cancel()
		if (response.ok) authEvents(url, onmessage)
	}
}

// htmx 4 sends its requests through fetch.
document.addEventListener("htmx:config:request", event => { event.detail.ctx.fetch = authFetch })
