// A record system by the hand of openid-client, a certified FAPI 2.0 client: what it can't do, no client can.
// Reads what it needs from the environment variable RENHICE and prints what it did, one JSON object.
import assert from 'node:assert/strict'
import * as client from 'openid-client'
import * as jose from 'jose'

const world = JSON.parse(process.env.RENHICE)
const told = {}
const answers = []

async function privateKeyJwt(jwk) {
  return client.PrivateKeyJwt({ key: await crypto.subtle.importKey('jwk', jwk,
    { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']), kid: jwk.kid })
}

async function discovered(party, algorithm) {
  const found = await client.discovery(new URL(world.issuer), party.client_id, undefined,
    await privateKeyJwt(party.private_jwk), { algorithm, execute: [client.allowInsecureRequests] })
  found[client.customFetch] = async (url, options) => {
    const response = await fetch(url, options)
    answers.push(`${new URL(url).pathname} ${response.status}`)
    return response
  }
  return found
}

async function refused(promise, error) {
  await assert.rejects(promise, (seen) => {
    assert.equal(seen.error ?? seen.code, error, `${seen.error} ${seen.code} ${seen.error_description ?? seen.message}`)
    return true
  })
}

async function control(path, body) {
  const response = await fetch(world.control + path, { method: 'POST', body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' } })
  assert.equal(response.status, 200, await response.clone().text())
  return response.json()
}

// discovery (RFC 8414), and the same document where OpenID clients look
await discovered(world.asking, 'oidc')
const config = await discovered(world.asking, 'oauth2')
const server = config.serverMetadata()
told.discovery = server.issuer

// client credentials with DPoP; the first proof lacks the nonce, the client repeats it
const keys = await client.randomDPoPKeyPair('ES256', { extractable: true })
const DPoP = client.getDPoPHandle(config, keys)
const system = await client.clientCredentialsGrant(config, { scope: 'access-request' }, { DPoP })
assert.equal(system.token_type, 'dpop')
assert.deepEqual(answers, ['/oauth/token 400', '/oauth/token 200'], 'a nonce is asked for, once')
told.nonce = answers.length

// the professional asks; the id is the launch
const url = new URL('/api/v1/access-requests', world.issuer)
const asked = await client.fetchProtectedResource(config, system.access_token, url, 'POST', JSON.stringify(world.access_request),
  new Headers({ 'content-type': 'application/json' }), { DPoP })
const { id: launch } = await asked.json()
assert.equal(asked.status, 201)

// pushed authorization request (RFC 9126), with the key the code is bound to
async function begin() {
  const verifier = client.randomPKCECodeVerifier()
  const state = client.randomState()
  const page = await client.buildAuthorizationUrlWithPAR(config, {
    redirect_uri: world.asking.redirect_uris[0],
    scope: 'patient/AllergyIntolerance.rs patient/Encounter.rs offline_access',
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    launch,
    state,
  }, { DPoP })
  return { verifier, state, page }
}
const { verifier, state, page } = await begin()
assert.deepEqual([...page.searchParams.keys()].sort(), ['client_id', 'request_uri'])
assert.ok(answers.includes('/oauth/par 201'))

// consent, in a browser of the patient's own; then a mix-up, which the client must notice (RFC 9207)
const callback = new URL((await control('/consent', { url: page.href })).location)
const swapped = new URL(callback)
swapped.searchParams.set('iss', 'https://evil.example')
const expected = { pkceCodeVerifier: verifier, expectedState: state }
await refused(client.authorizationCodeGrant(config, swapped, expected, undefined, { DPoP }), 'OAUTH_INVALID_RESPONSE')
const nameless = new URL(callback)
nameless.searchParams.delete('iss')
await refused(client.authorizationCodeGrant(config, nameless, expected, undefined, { DPoP }), 'OAUTH_INVALID_RESPONSE')
told.mix_up = 'noticed'

// code, with the right key only
const stranger = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))
const tokens = await client.authorizationCodeGrant(config, callback, expected, undefined, { DPoP })
assert.equal(tokens.token_type, 'dpop')
assert.ok(tokens.expires_in <= 300)
told.scope = tokens.scope

// the token as an independent library reads it (RFC 9068, RFC 9449)
const { payload, protectedHeader } = await jose.jwtVerify(tokens.access_token, jose.createRemoteJWKSet(new URL(server.jwks_uri)),
  { issuer: world.issuer, audience: `${world.issuer}/exchange`, typ: 'at+jwt', requiredClaims: ['jti', 'client_id', 'exp'] })
assert.equal(payload.cnf.jkt, await jose.calculateJwkThumbprint(await jose.exportJWK(keys.publicKey)))
told.algorithm = protectedHeader.alg

// records through the gateway
const records = new URL(`/exchange/fhir/AllergyIntolerance?patient=${payload.patient}`, world.issuer)
const read = () => client.fetchProtectedResource(config, tokens.access_token, records, 'GET', undefined, undefined, { DPoP })
const bundle = await (await read()).json()
told.records = bundle.total
await refused(client.fetchProtectedResource(config, tokens.access_token, records, 'GET', undefined, undefined, { DPoP: stranger }),
  'OAUTH_WWW_AUTHENTICATE_CHALLENGE')

// introspection: the holder learns that its token lives, and the client that its own is not for it
const holder = await discovered(world.holding, 'oauth2')
const { token: held } = await control('/held-token', {})
const seen = await client.tokenIntrospection(holder, held)
assert.deepEqual([seen.active, seen.token_type, seen.aud], [true, 'DPoP', world.holding.fhir_endpoint])
assert.deepEqual(await client.tokenIntrospection(config, held), { active: false })
assert.deepEqual(await client.tokenIntrospection(config, tokens.access_token), { active: false })
told.introspection = seen.scope

// refresh: the token stays, and is bound
const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token, {}, { DPoP })
assert.equal(refreshed.refresh_token, undefined)
const narrowed = await client.refreshTokenGrant(config, tokens.refresh_token, { scope: 'patient/Encounter.rs' }, { DPoP })
assert.ok(!narrowed.scope.includes('Allergy'))
await refused(client.refreshTokenGrant(config, tokens.refresh_token, {}, { DPoP: stranger }), 'invalid_grant')
told.refresh = refreshed.scope

// revocation: everything of the grant ends
await client.tokenRevocation(config, tokens.refresh_token)
await refused(client.refreshTokenGrant(config, tokens.refresh_token, {}, { DPoP }), 'invalid_grant')
await refused(read(), 'OAUTH_WWW_AUTHENTICATE_CHALLENGE')
assert.deepEqual(await client.tokenIntrospection(holder, held), { active: false })
told.revocation = 'ended'

console.log(JSON.stringify(told))
