import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { HttpRequest } from '../../../../gateway/http/messages.ts'
import type { ClientOf } from '../../../../gateway/operations/persisted/operation-registry.ts'
import { contractFor } from '../../../harness/contracts.ts'
import { sha256 } from '../../../harness/operation-registry.ts'
import { bytesOf, type ClinicAnswer, read, type RunningClinic, runClinic } from '../../../harness/running-clinic.ts'
import { at, auditOf, first, madeUpId, outcomesOf, patientsOf, RIVERSIDE, workOf } from '../../asking.ts'
import { clinic as compiled } from '../../decide/clinic-policy.ts'

const ACME: ClientOf = { tenant: RIVERSIDE, client: 'acme' }
const QUERY = 'query Member($id: ID!) { patient(id: $id) { familyName birthDate mrn ssn } }'
const CHART = 'query Chart($id: ID!) { patient(id: $id) { familyName conditions(first: 1) { edges { node { id } } } } }'

let clinic: RunningClinic
let own: string
let foreign: string
beforeAll(async () => {
  clinic = await runClinic({ riverside: 4, lakeside: 1 })
  own = first(await patientsOf(clinic, 'billing'))
  foreign = first(await patientsOf(clinic, 'lakeside-physician'))
})
afterAll(() => clinic.stop())

/** Sends members of a body as a user, with no help of the harness. */
async function post(user: string, body: object, changes: Partial<HttpRequest> = {}): Promise<ClinicAnswer> {
  const request = await clinic.requestOf(user, '')
  return read(await clinic.gateway.handle({ ...request, body: JSON.stringify(body), ...changes }))
}
const errorsOf = ({ errors }: ClinicAnswer): unknown[] =>
  errors.map(({ extensions }) => [extensions['code'], extensions['coordinate'], extensions['reason']])

describe('P10: a registered operation pins the shape, never the rights', () => {
  it('with the variables of another patient, it gives what the rights of the caller give', async () => {
    const id = clinic.operations.register(ACME, QUERY)
    const opened = await post('acme', { id, variables: { id: own } })
    expect(opened.status).toBe(200)
    expect(at(opened.data, 'patient', 'familyName')).toEqual(expect.any(String))
    expect(at(opened.data, 'patient', 'ssn')).toBeNull()
    expect(errorsOf(opened)).toEqual([['UNAUTHORIZED_FIELD_OR_TYPE', 'Patient.ssn', 'ROLE']])
    const audit = await auditOf(clinic, opened)
    const contract = contractFor(compiled.policy, 'acme').digest
    for (const entry of audit)
      expect(entry).toMatchObject({ persisted: true, operationHash: sha256(QUERY), operation: 'Member', contract })
    // another tenant's patient and one that does not exist: the same bytes
    const answers = [
      await post('acme', { id, variables: { id: foreign } }),
      await post('acme', { id, variables: { id: madeUpId() } }),
    ]
    for (const answer of answers) expect(errorsOf(answer)).toEqual([['NOT_FOUND', undefined, undefined]])
    expect(bytesOf(first(answers))).toBe(bytesOf(first(answers.slice(1))))
  })

  it('gives a partner the values that a free text gives its users', async () => {
    const free = await clinic.ask('physician', QUERY, { id: own })
    const partner = await post('acme', { id: clinic.operations.register(ACME, QUERY), variables: { id: own } })
    expect(at(free.data, 'patient', 'familyName')).toBe(at(partner.data, 'patient', 'familyName'))
  })

  it('opens what the role denies for nobody, whatever the contract has', async () => {
    const id = clinic.operations.register(ACME, CHART)
    const answer = await post('acme', { id, variables: { id: own } })
    expect(at(answer.data, 'patient', 'conditions')).toBeNull()
    expect(outcomesOf(await auditOf(clinic, answer))).toContain('Patient.conditions DENIED ROLE')
  })
})

describe('P10: a refused partner', () => {
  it('is recorded, and costs no request to records, access, keys or KMS', async () => {
    const { result, requests } = await workOf(clinic, async () => [
      await post('acme', { query: QUERY, variables: { id: own } }),
      await post('acme', { documentId: sha256('unknown'), variables: { id: own } }),
      await post('acme', { extensions: { persistedQuery: { version: 1, sha256Hash: sha256('unknown') } } }),
      await post('acme', { id: sha256(QUERY), variables: { id: own } }, { sourceIp: 'unknown' }),
    ])
    expect(requests).toEqual({ records: 0, access: 0, keys: 0, kms: 0 })
    expect(result.map((answer) => first(answer.errors).extensions['code'])).toEqual([
      'PERSISTED_DOCUMENT_ID_REQUIRED',
      'PERSISTED_DOCUMENT_NOT_FOUND',
      'PERSISTED_QUERY_NOT_IN_LIST',
      'PERSISTED_DOCUMENT_NOT_FOUND',
    ])
    for (const answer of result) {
      expect(outcomesOf(await auditOf(clinic, answer))).toEqual(['#operation DENIED CONTRACT'])
      expect(await auditOf(clinic, answer)).toMatchObject([{ client: 'acme', user: 'acme', persisted: false, action: 'READ' }])
    }
  })
})
