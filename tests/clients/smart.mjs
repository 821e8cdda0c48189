// An app by the hand of fhirclient, the SMART client: it launches and reads. And SMART Backend Services, by jose.
// Reads what it needs from the environment variable RENHICE and prints what it did, one JSON object.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { randomUUID } from 'node:crypto'
import smart from 'fhirclient'
import * as jose from 'jose'

const world = JSON.parse(process.env.RENHICE)
const { app, fhir } = world
const told = {}
const kept = {}
const storage = {
  get: async (key) => kept[key],
  set: async (key, value) => (kept[key] = value),
  unset: async (key) => delete kept[key],
}

// discovery
const configuration = await (await fetch(`${fhir}/.well-known/smart-configuration`, { headers: { origin: 'https://any.example' } })).json()
assert.ok(configuration.capabilities.includes('client-confidential-asymmetric'))
assert.ok(!configuration.code_challenge_methods_supported.includes('plain'))

// backend services: a token of the app's own, to ask the patient
const key = await jose.importJWK(app.private_jwk, 'ES384')
async function assertion(audience) {
  return new jose.SignJWT({}).setProtectedHeader({ alg: 'ES384', kid: app.private_jwk.kid, typ: 'JWT' })
    .setIssuer(app.client_id).setSubject(app.client_id).setAudience(audience)
    .setJti(randomUUID()).setExpirationTime('4m').sign(key)
}
async function backend(audience) {
  return fetch(configuration.token_endpoint, { method: 'POST', body: new URLSearchParams({
    grant_type: 'client_credentials', scope: 'access-request', client_assertion: await assertion(audience),
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer' }) })
}
assert.equal((await backend(world.issuer)).status, 401, 'an app addresses the token URL, not the issuer')
const system = await (await backend(configuration.token_endpoint)).json()
assert.deepEqual([system.token_type, system.expires_in <= 300], ['Bearer', true])
const asked = await fetch(new URL('/api/v1/access-requests', world.issuer), { method: 'POST', body: JSON.stringify(world.access_request),
  headers: { 'content-type': 'application/json', authorization: `Bearer ${system.access_token}` } })
const { id: launch } = await asked.json()
assert.equal(asked.status, 201)

// the app, two pages
const pages = {
  '/launch': (request, response) => smart(request, response, storage).authorize({
    clientId: app.client_id,
    clientPrivateJwk: app.private_jwk,
    scope: 'launch patient/AllergyIntolerance.rs patient/Encounter.read offline_access',
    redirectUri: app.redirect_uris[0],
    pkceMode: 'required',
  }),
  '/callback': async (request, response) => {
    const client = await smart(request, response, storage).ready({ privateKey: app.private_jwk })
    const patient = client.patient.id
    const bundle = await client.request(`AllergyIntolerance?patient=${patient}`)
    told.patient = patient
    told.records = bundle.total
    told.scope = client.state.tokenResponse.scope
    told.token_type = client.state.tokenResponse.token_type
    told.refresh_token = client.state.tokenResponse.refresh_token
    response.end('read')
  },
}
const server = createServer((request, response) => {
  const page = pages[new URL(request.url, 'http://app').pathname]
  Promise.resolve(page ? page(request, response) : response.writeHead(404).end()).catch((error) => {
    told.failed = String(error)
    response.writeHead(500).end(String(error))
  })
})
server.listen(new URL(app.redirect_uris[0]).port, '127.0.0.1')
await once(server, 'listening')

// launch, consent in the patient's browser, back to the app
const origin = new URL(app.redirect_uris[0]).origin
const left = await fetch(`${origin}/launch?${new URLSearchParams({ iss: fhir, launch })}`, { redirect: 'manual' })
const page = left.headers.get('location')
assert.ok(page?.startsWith(configuration.authorization_endpoint), `${left.status} ${page}`)
assert.equal(new URL(page).searchParams.get('aud'), fhir)
const consent = await fetch(`${world.control}/consent`, { method: 'POST', body: JSON.stringify({ url: page }),
  headers: { 'content-type': 'application/json' } })
const back = await fetch((await consent.json()).location)
assert.equal(await back.text(), 'read', told.failed)

// refreshing rotates, and the used one ends the grant
async function refresh(token) {
  const answer = await fetch(configuration.token_endpoint, { method: 'POST', headers: { origin }, body: new URLSearchParams({
    grant_type: 'refresh_token', refresh_token: token, client_assertion: await assertion(configuration.token_endpoint),
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer' }) })
  assert.equal(answer.headers.get('access-control-allow-origin'), origin)
  return answer.json()
}
const next = await refresh(told.refresh_token)
assert.ok(next.refresh_token && next.refresh_token !== told.refresh_token)
assert.equal((await refresh(told.refresh_token)).error, 'invalid_grant')
assert.equal((await refresh(next.refresh_token)).error, 'invalid_grant')
delete told.refresh_token

server.close()
console.log(JSON.stringify(told))
