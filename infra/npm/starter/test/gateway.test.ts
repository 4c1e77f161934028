import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type LocalGateway, startLocalGateway } from 'phi-gateway/testing'

let gateway: LocalGateway
before(async () => {
  gateway = await startLocalGateway(import.meta.dirname)
})
after(async () => {
  await gateway.stop()
})

interface Panel {
  readonly patients: { readonly edges: readonly { readonly node: Readonly<Record<string, unknown>> }[] }
}
const PANEL = '{ patients { edges { node { familyName phone visits { edges { node { note } } } } } } }'
const namesIn = (data: unknown): unknown[] => (data as Panel).patients.edges.map(({ node }) => node['familyName'])
const firstOf = (data: unknown) => (data as Panel).patients.edges[0]?.node

test('the therapist sees the patients of their care team, with notes and without phone numbers', async () => {
  const { data, errors } = await gateway.ask('therapist', PANEL)
  assert.deepEqual(namesIn(data), ['Example-One'])
  assert.equal(JSON.stringify(firstOf(data)).includes('Full range of motion.'), true)
  assert.equal(firstOf(data)?.['phone'], null)
  assert.deepEqual(
    errors.map(({ extensions }) => [extensions['coordinate'], extensions['reason']]),
    [['Patient.phone', 'ROLE']],
  )
})

test('the reception sees every patient, and the last four digits of phone numbers', async () => {
  const { data } = await gateway.ask('reception', '{ patients { edges { node { familyName phone } } } }')
  assert.deepEqual(namesIn(data).toSorted(), ['Example-One', 'Example-Two'])
  for (const { node } of (data as Panel).patients.edges) assert.match(String(node['phone']), /^\*+.*\d{4}$/)
})

test('each field of an answer is in the audit log', async () => {
  const answer = await gateway.ask('therapist', '{ patients { edges { node { familyName phone } } } }')
  const records = await gateway.audit(answer)
  assert.deepEqual(records.map(({ path, outcome }) => `${path} ${outcome}`).toSorted(), [
    'Patient.familyName DISCLOSED',
    'Patient.phone DENIED',
  ])
})
