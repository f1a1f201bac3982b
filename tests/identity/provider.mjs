// An OpenID provider on loopback: oidc-provider, with one person who agrees to everything.
//
// PORT: where it listens, 0 for any. CLIENT_JWKS: public keys of a client that signs assertions, if any. Says `ready <issuer>` once it does. Its keys are made anew at each start.
// Tokens for a resource that ends in `/opaque` are opaque, those for any other are JWTs.

import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

const key = (type, options, alg) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }),
  alg,
  kid: randomUUID(),
  use: 'sig',
});

const server = createServer();
await new Promise((listening) => server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', listening));
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  jwks: {
    keys: [key('ec', { namedCurve: 'P-256' }, 'ES256'), key('rsa', { modulusLength: 2048 }, 'RS256')],
  },
  clients: [
    {
      client_id: 'program',
      client_secret: 'a secret of the program',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
    },
    {
      client_id: 'mcp-server',
      client_secret: 'a secret: of the server, with 100 %',
      grant_types: [],
      redirect_uris: [],
      response_types: [],
    },
    {
      client_id: 'mcp-server-by-form',
      client_secret: 'a secret: of the form & 100 %',
      token_endpoint_auth_method: 'client_secret_post',
      grant_types: [],
      redirect_uris: [],
      response_types: [],
    },
    ...(process.env.CLIENT_JWKS
      ? [
          {
            client_id: 'mcp-server-by-key',
            token_endpoint_auth_method: 'private_key_jwt',
            jwks: JSON.parse(process.env.CLIENT_JWKS),
            grant_types: [],
            redirect_uris: [],
            response_types: [],
          },
        ]
      : []),
  ],
  scopes: ['openid', 'offline_access', 'tools:call', 'reports.read'],
  cookies: { keys: [randomUUID()] },
  pkce: { required: () => true },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    dPoP: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    registration: { enabled: true },
    revocation: { enabled: true, allowedPolicy: () => true },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      getResourceServerInfo: (_, resource) => ({
        scope: 'tools:call reports.read',
        audience: resource,
        accessTokenTTL: 300,
        accessTokenFormat: resource.endsWith('/opaque') ? 'opaque' : 'jwt',
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
  extraTokenClaims: () => ({ roles: ['viewer'] }),
  findAccount: (_, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
});

provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/interaction/')) return next();
  const details = await provider.interactionDetails(ctx.req, ctx.res);
  const result = details.prompt.name === 'login' ? { login: { accountId: 'ann' } } : await consent(details);
  await provider.interactionFinished(ctx.req, ctx.res, result, { mergeWithLastSubmission: true });
  ctx.respond = false;
});

// The SDK registers with the scope of its first challenge; here a client may grow beyond it.
provider.use(async (ctx, next) => {
  if (ctx.path === '/reg' && ctx.method === 'POST') {
    const parts = [];
    for await (const part of ctx.req) parts.push(part);
    ctx.req.body = { ...JSON.parse(Buffer.concat(parts)), scope: undefined };
  }
  return next();
});

async function consent({ prompt, params, session, grantId }) {
  const known = grantId && (await provider.Grant.find(grantId));
  const grant = known || new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  const missing = prompt.details;
  if (missing.missingOIDCScope) grant.addOIDCScope(missing.missingOIDCScope.join(' '));
  for (const [resource, scopes] of Object.entries(missing.missingResourceScopes ?? {})) {
    grant.addResourceScope(resource, scopes.join(' '));
  }
  return { consent: { grantId: await grant.save() } };
}

server.on('request', provider.callback());
console.log(`ready ${issuer}`);
