package seal

// dictionary is what tokens are likely to have in them, the likeliest at the end: of
// the registered claims (RFC 7519, RFC 9068, OpenID Connect Core) and of those that
// common providers add. Changing it is changing version.
var dictionary = []byte(`"picture":"https://","updated_at":,"locale":"en","phone_number":"+","groups":["","hd":"","tid":"","oid":"","upn":"","unique_name":"",` +
	`"ver":"2.0","amr":["pwd","mfa"],"cid":"","uid":"","scp":["openid","profile","email","offline_access"],"client_id":"","permissions":["read:",` +
	`"allowed-origins":["https://"],"realm_access":{"roles":["offline_access","uma_authorization","default-roles-"]},` +
	`"resource_access":{"account":{"roles":["manage-account","manage-account-links","view-profile"]}},"scope":"openid profile email offline_access",` +
	`"session_state":"","at_hash":"","nonce":"","nbf":17,"jti":"","azp":"","acr":"1","auth_time":17,"exp":17,"iat":17,"sid":"","sub":"","typ":"Bearer",` +
	`"aud":"","iss":"https://accounts.","email_verified":true,"email":"@gmail.com","name":"","given_name":"","family_name":"","preferred_username":"` +
	`{"alg":"ES256","typ":"JWT","kid":"{"alg":"RS256","typ":"JWT","kid":"`)
