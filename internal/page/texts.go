package page

// describe tells the user what happened, and never what went wrong inside.
func describe(code string) (title, text string) {
	switch code {
	case "access_denied":
		return "Sign-in was cancelled", "You were not signed in because access was denied or the sign-in was cancelled."
	case "authorization_failed", "invalid_grant", "provider_rejected", "issuer_mismatch":
		return "Sign-in did not work", "The sign-in provider did not complete the sign-in. Please try again."
	case "provider_unavailable":
		return "Sign-in is not available", "The sign-in provider cannot be reached at the moment. Please try again later."
	case "flow_not_found":
		return "Sign-in could not be matched", "This sign-in was started at another address of this site, or in another browser. The link may also be old, or the browser may not accept cookies."
	case "flow_expired":
		return "Sign-in took too long", "For your safety, a sign-in has to be completed within five minutes. Please start again."
	case "unauthenticated":
		return "Please sign in", "You are not signed in, so nothing was changed. After signing in you come back and can try again."
	case "insufficient_user_authentication":
		return "Please confirm your sign-in", "This asks for a more recent or a stronger sign-in than yours, so nothing was changed. After signing in you come back and can try again."
	case "insufficient_scope":
		return "One more permission is needed", "This needs a permission at the sign-in provider that you have not given yet, so nothing was changed. After giving it you come back and can try again."
	case "flow_used":
		return "Sign-in is already complete", "This sign-in was completed earlier, or was opened twice."
	case "cookies_lost":
		return "Your browser does not keep you signed in", "The sign-in worked, but the browser did not send back the cookie that keeps you signed in. Please allow cookies for this site."
	case "unavailable":
		return "Temporarily unavailable", "This site cannot check your sign-in at the moment. You have not been signed out. Please try again in a few seconds."
	case "forbidden":
		return "No access", "You are signed in, but your account does not have access to this page."
	case "sign_in_refused":
		return "You cannot sign in here", "The provider has confirmed who you are, but this site does not let this account in."
	case "step_up_failed":
		return "Please sign in again", "This page asks for a more recent or a stronger sign-in than the one you completed."
	case "cross_origin":
		return "Request refused", "Another site sent this request, so nothing was changed. You can try again on a page of this site."
	case "method_not_allowed", "invalid_request", "unknown_provider":
		return "Request not understood", "This link is incomplete or can't be opened directly."
	case "session_too_large":
		return "Sign-in could not be completed", "The sign-in provider sent more than this site can keep. Please tell the people who run this site."
	}
	return "Something went wrong", "The sign-in could not be completed. Please try again later."
}
