// A record system by the hand of fhir-kit-client: it registers, matches, searches and reads.
// Reads what it needs from the environment variable RENHICE and prints what it did, one JSON object.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { Client as FhirKitClient } from 'fhir-kit-client'

const { issuer, bearer, system } = JSON.parse(process.env.RENHICE)
const client = new FhirKitClient({ baseUrl: `${issuer}/fhir`, bearerToken: bearer })
const value = `KIT-${randomUUID()}`
const patient = {
  resourceType: 'Patient',
  identifier: [{ system, value }],
  name: [{ family: 'Ñaupari', given: ['Yolanda', 'Maruja'] }],
  gender: 'female',
  birthDate: '1977-03-09',
}

const statement = await client.capabilityStatement()
assert.equal(statement.fhirVersion, '4.0.1')

const created = await client.create({ resourceType: 'Patient', body: patient })
const revised = await client.update({
  resourceType: 'Patient', searchParams: { identifier: `${system}|${value}` }, body: { ...patient, birthDate: '1977-03-10' },
})
assert.equal(revised.id, created.id)
const read = await client.read({ resourceType: 'Patient', id: created.id })
const first = await client.vread({ resourceType: 'Patient', id: created.id, version: '1' })
const history = await client.history({ resourceType: 'Patient', id: created.id })
assert.deepEqual([read.birthDate, first.birthDate, history.total], ['1977-03-10', '1977-03-09', 2])

const found = await client.search({ resourceType: 'Patient', searchParams: { identifier: `${system}|${value}` } })
const persons = await client.search({ resourceType: 'Patient', searchParams: { family: 'Ñaupari', birthdate: '1977-03-10' } })
const matches = await client.operation({
  name: '$match', resourceType: 'Patient',
  input: { resourceType: 'Parameters', parameter: [{ name: 'resource', resource: patient }, { name: 'count', valueInteger: 3 }] },
})
const others = await client.operation({
  name: '$ihe-pix', resourceType: 'Patient', method: 'GET', input: { sourceIdentifier: `${system}|${value}` },
})
assert.equal(others.resourceType, 'Parameters')

const siblings = [1, 2].map((number) => ({
  resource: { ...patient, identifier: [{ system, value: `${value}-${number}` }] }, request: { method: 'POST', url: 'Patient' },
}))
const done = await client.transaction({ body: { resourceType: 'Bundle', type: 'transaction', entry: siblings } })
const places = await client.search({ resourceType: 'Organization', searchParams: { _count: 1 } })
const next = await client.nextPage({ bundle: places })
const refused = await client.read({ resourceType: 'Patient', id: 'nobody' }).catch((error) => error.response)
await client.delete({ resourceType: 'Patient', id: created.id })

process.stdout.write(JSON.stringify({
  found: found.total, person: persons.entry[0].resource.id, match: matches.entry[0].resource.id,
  grade: matches.entry[0].search.extension[0].valueCode, siblings: done.entry.map((one) => one.response.status),
  pages: [places.entry[0].resource.id, next.entry[0].resource.id], refused: [refused.status, refused.data.resourceType],
  removed: (await client.read({ resourceType: 'Patient', id: created.id })).active,
}))
