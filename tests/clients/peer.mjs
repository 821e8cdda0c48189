// node-oidc-provider in its FAPI 2.0 mode, at the paths of ours: what the two answer to the same requests is compared.
// Reads its port, scopes and clients from the environment variable PEER; whoever comes to its consent page consents.
// GET /later/SECONDS sets its clock so much forward of the machine's.
import { createServer } from 'node:http'
import { Provider } from 'oidc-provider'
import { exportJWK, generateKeyPair } from 'jose'

const { port, scopes, clients } = JSON.parse(process.env.PEER)
const { privateKey } = await generateKeyPair('ES256', { extractable: true })
const provider = new Provider(`http://127.0.0.1:${port}`, {
  jwks: { keys: [{ ...await exportJWK(privateKey), use: 'sig', alg: 'ES256', kid: 'peer' }] },
  clients: clients.map((one) => ({
    ...one,
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'ES256',
    id_token_signed_response_alg: 'ES256',
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    scope: scopes.join(' '),
    dpop_bound_access_tokens: true,
    require_pushed_authorization_requests: true,
  })),
  clientAuthMethods: ['private_key_jwt'],
  enabledJWA: { clientAuthSigningAlgValues: ['ES256', 'PS256', 'Ed25519'] },
  scopes,
  pkce: { required: () => true },
  cookies: { keys: ['peer'] },
  issueRefreshToken: () => true,
  rotateRefreshToken: false,
  interactions: { url: (ctx, interaction) => `/consent/${interaction.uid}` },
  routes: {
    authorization: '/oauth/authorize', token: '/oauth/token', introspection: '/oauth/introspect',
    revocation: '/oauth/revoke', pushed_authorization_request: '/oauth/par',
  },
  ttl: { AuthorizationCode: 20, AccessToken: 300 },
  features: {
    devInteractions: { enabled: false },
    fapi: { enabled: true, profile: '2.0' },
    pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: true },
    dPoP: { enabled: true, nonceSecret: Buffer.alloc(32, 7), requireNonce: () => true },
    introspection: { enabled: true },
    revocation: { enabled: true },
  },
})

let later = 0
const now = Date.now
Date.now = () => now() + later * 1000

const serve = provider.callback()
createServer(async (request, response) => {
  if (request.url.startsWith('/later/')) {
    later = Number(request.url.split('/')[2])
    return response.end()
  }
  if (!request.url.startsWith('/consent/')) return serve(request, response)
  const { params } = await provider.interactionDetails(request, response)
  const grant = new provider.Grant({ accountId: 'patient', clientId: params.client_id })
  grant.addOIDCScope(params.scope)
  const consent = { grantId: await grant.save() }
  await provider.interactionFinished(request, response, { login: { accountId: 'patient' }, consent })
}).listen(port, '127.0.0.1', () => console.log('ready'))
