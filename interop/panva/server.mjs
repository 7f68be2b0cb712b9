// An OpenID provider for the interop tests: oidc-provider in its strictest configuration. It requires PKCE with S256, sends
// iss in every authorization response, returns name and email only from the user info endpoint, rotates refresh tokens and
// revokes all tokens of a grant when a refresh token is reused. All state, including the keys, is lost when it stops.
//
//   PORT              port to listen on, on 127.0.0.1; the issuer is http://localhost:PORT
//   CLIENT_ID         ID of the only client
//   CLIENT_SECRET     secret of the client
//   REDIRECT_URI      redirect URI of the client
//   POST_LOGOUT_URI   post-logout redirect URI of the client
//   ACCESS_TOKEN_TTL  lifetime of access tokens in seconds; default 3600
//   CLIENT_JWKS       JWK Set of the client, which then authenticates by private_key_jwt and not by its secret
//   REQUIRE_PAR       1: authorization requests have to be pushed
//   REQUIRE_DPOP      1: tokens are bound to keys, and every proof needs a nonce
//   FAPI              1: the FAPI 2.0 Security Profile
//
// It prints the issuer when it is ready. GET /calls returns the number of requests to each endpoint: {"POST /token": 1}.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';

import { Provider } from 'oidc-provider';

const {
  PORT, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, POST_LOGOUT_URI, ACCESS_TOKEN_TTL = '3600',
  CLIENT_JWKS, REQUIRE_PAR, REQUIRE_DPOP, FAPI,
} = process.env;
const issuer = `http://localhost:${PORT}`;

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const idTokenAlg = FAPI ? 'PS256' : 'RS256';

const authentication = CLIENT_JWKS ? {
  token_endpoint_auth_method: 'private_key_jwt',
  token_endpoint_auth_signing_alg: 'ES256',
  jwks: JSON.parse(CLIENT_JWKS),
} : { client_secret: CLIENT_SECRET };

const provider = new Provider(issuer, {
  clients: [{
    client_id: CLIENT_ID,
    ...authentication,
    dpop_bound_access_tokens: Boolean(REQUIRE_DPOP),
    id_token_signed_response_alg: idTokenAlg,
    redirect_uris: [REDIRECT_URI],
    post_logout_redirect_uris: [POST_LOGOUT_URI],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
  }],
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: idTokenAlg }] },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  responseTypes: ['code'],
  pkce: { required: () => true },
  scopes: ['openid', 'offline_access'],
  claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'] },
  conformIdTokenClaims: true,
  issueRefreshToken: async (ctx, client, code) => client.grantTypeAllowed('refresh_token') && code.scopes.has('openid'),
  rotateRefreshToken: true,
  ttl: {
    AccessToken: Number(ACCESS_TOKEN_TTL),
    AuthorizationCode: 60,
    Grant: 3600,
    IdToken: 3600,
    Interaction: 3600,
    RefreshToken: 3600,
    Session: 3600,
  },
  async findAccount(ctx, sub) {
    return {
      accountId: sub,
      claims: async () => ({
        sub, name: `${sub[0].toUpperCase()}${sub.slice(1)} Example`, email: `${sub}@example.com`, email_verified: true,
      }),
    };
  },
  features: {
    devInteractions: { enabled: true },
    revocation: { enabled: true },
    pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: Boolean(REQUIRE_PAR) },
    dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => Boolean(REQUIRE_DPOP) },
    fapi: FAPI ? { enabled: true, profile: '2.0' } : { enabled: false },
  },
});
provider.on('server_error', (ctx, err) => console.error(err));

const calls = {};
const oidc = provider.callback();
const server = createServer((req, res) => {
  const call = `${req.method} ${req.url.split('?')[0]}`;
  if (call === 'GET /calls') {
    res.setHeader('Content-Type', 'application/json');
    res.end(JSON.stringify(calls));
    return;
  }
  calls[call] = (calls[call] ?? 0) + 1;
  oidc(req, res);
});
server.listen(Number(PORT), '127.0.0.1', () => console.log(issuer));

process.on('SIGTERM', () => {
  server.close();
  server.closeAllConnections();
});
