import { authFetch, authEvents } from "/scripts.js" // which has htmx use authFetch, too

const $ = selector => document.querySelector(selector)
const show = (selector, text) => { $(selector).textContent = text }

$("#fetch").onclick = async () => show("#result", await (await authFetch("/api/me")).text())
$("#events").onclick = () => authEvents("/events", event => show("#time", event.data))
$("#plain").onclick = async () => {
	const response = await fetch("/api/me")
	show("#result", `${response.status} ${response.statusText}\n${await response.text()}`)
}

// A login in between loads the page anew: what the user has typed is kept.
const note = $("[name=note]")
note.value = sessionStorage.getItem("note")
note.oninput = () => sessionStorage.setItem("note", note.value)

// Asking for the session does not prolong it, so that the page may ask every second.
async function showSession() {
	const session = await (await authFetch("/api/session")).json()
	const left = Math.round((new Date(session.expires_at) - Date.now()) / 1000)
	$("#session").textContent = session.signed_in ? `${session.user.name} is signed in. The session ends in ${left} seconds unless it is used.` : "Not signed in."
	$("#logout").hidden = !session.signed_in
	$("#login").hidden = session.signed_in
	$("#login").href = session.login_url ?? "/login"
}
showSession()
setInterval(showSession, 1000)
