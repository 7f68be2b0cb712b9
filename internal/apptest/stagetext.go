package apptest

const (
	Metadata = `{"issuer":"https://provider.test","authorization_endpoint":"https://provider.test/authorize",` +
		`"token_endpoint":"https://provider.test/token","jwks_uri":"https://provider.test/jwks",` +
		`"userinfo_endpoint":"https://provider.test/userinfo","end_session_endpoint":"https://provider.test/end_session",` +
		`"id_token_signing_alg_values_supported":["ES256","RS256","HS256","none"],"authorization_response_iss_parameter_supported":true}`
	Origin       = "https://app.test"
	ReturnPath   = "/dashboard?x=1"
	GoodCallback = "code=c0de&state={state}&iss=https://provider.test"
	GoodClaims   = `{"iss":"https://provider.test","sub":"alice","aud":"app","exp":{later},"iat":{now},"nonce":"{nonce}"}`
	GoodHeader   = `{"alg":"ES256","kid":"k"}`
	GoodTokens   = `{"access_token":"an-access-token","token_type":"Bearer","expires_in":3600,"refresh_token":"a-refresh-token","id_token":"{id_token}"}`
)
