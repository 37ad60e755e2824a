// A real OpenID provider on a free port of 127.0.0.1, for the tests of crates/lull-oidc: in memory, two people with
// groups, and the provider's own pages for logging in and agreeing. Prints its issuer on the first line; ends with its
// standard input.
import { createServer } from 'node:http';
import { generateKeyPairSync } from 'node:crypto';
import Provider from 'oidc-provider';

const people = {
  ada: { email: 'ada@lull.example', groups: ['research', 'admins'] },
  bob: { email: 'bob@lull.example', groups: [] },
};

// Native clients may come back to any port of the loopback address they name (RFC 8252).
const client = (client_id, id_token_signed_response_alg) => ({
  client_id,
  id_token_signed_response_alg,
  application_type: 'native',
  token_endpoint_auth_method: 'none',
  redirect_uris: ['http://127.0.0.1/callback'],
});

const key = (kid, alg, kind, options) => ({
  ...generateKeyPairSync(kind, options).privateKey.export({ format: 'jwk' }), kid, alg, use: 'sig',
});

const server = createServer();
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [
    client('lull', 'RS256'), client('lull-ps', 'PS256'), client('lull-es', 'ES256'), client('lull-ed', 'EdDSA'),
    client('other', 'RS256'),
  ],
  jwks: {
    keys: [
      key('rs', 'RS256', 'rsa', { modulusLength: 2048 }), key('ps', 'PS256', 'rsa', { modulusLength: 2048 }),
      key('es', 'ES256', 'ec', { namedCurve: 'P-256' }), key('ed', 'EdDSA', 'ed25519'),
    ],
  },
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA'] },
  cookies: { keys: ['only for tests'] },
  scopes: ['openid', 'email', 'profile', 'groups'],
  claims: {
    openid: ['sub'], email: ['email', 'email_verified'], profile: ['preferred_username'], groups: ['groups'],
  },
  // As most providers do it: what a scope stands for is in the ID token itself.
  conformIdTokenClaims: false,
  findAccount: (_, id) => people[id] && {
    accountId: id,
    claims: () => ({ sub: id, preferred_username: id, email_verified: true, ...people[id] }),
  },
});

server.on('request', provider.callback());
process.stdin.on('end', () => process.exit()).resume();
console.log(issuer);
