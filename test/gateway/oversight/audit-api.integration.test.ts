import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runClinic, type RunningClinic } from '../../harness/running-clinic.ts'
import { type AuditDesk, auditDesk } from './audit-clinic.ts'

let clinic: RunningClinic
let desk: AuditDesk
beforeAll(async () => {
  clinic = await runClinic({ riverside: 2, lakeside: 1 })
  desk = auditDesk(clinic)
})
afterAll(async () => await clinic.stop())

const ACCESSES = `query ($filter: FieldAccessFilter!, $first: Int, $after: String) {
  fieldAccesses(filter: $filter, first: $first, after: $after) {
    examined
    pageInfo { hasNextPage endCursor }
    edges { cursor node { id at userId patientId path action outcome reason rule filter count } }
  }
}`

interface Page {
  readonly examined: number
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null }
  readonly edges: readonly { readonly cursor: string; readonly node: Readonly<Record<string, unknown>> }[]
}
const pageOf = ({ data }: { data: Record<string, unknown> | undefined }): Page => data?.['fieldAccesses'] as Page

describe('C10: an auditor asks the audit log', () => {
  it('C10: gets the id by which a clinical user finds the patient, and no name', async () => {
    const { data, phi } = await clinic.ask('physician', '{ patients(first: 1) { edges { node { id familyName } } } }')
    const { node } = (data as { patients: { edges: { node: { id: string; familyName: string } }[] } }).patients.edges[0] ?? {
      node: { id: '', familyName: '' },
    }
    const asked = `{ fieldAccesses(filter: { requestId: "${phi.requestId}", path: "Patient.familyName" }) { edges { node { patientNode } } } }`
    const answer = await desk.ask('privacy', asked)
    expect(pageOf(answer).edges).toEqual([{ node: { patientNode: node.id } }])
    expect(answer.text).not.toContain(node.familyName)
    expect(
      (await desk.ask('privacy', `{ fieldAccesses(filter: { patientId: "${node.id}" }) { edges { node { path } } } }`)).text,
    ).toContain('Patient.familyName')
  })

  it('C10: gets each access of a request at once, and leaves a record of the review', async () => {
    const { phi, data } = await clinic.ask('physician', '{ patients(first: 1) { edges { node { id familyName ssn } } } }')
    expect(data).toBeTruthy()
    const answer = await desk.ask('auditor', ACCESSES, { filter: { requestId: phi.requestId } })
    expect(answer.errors).toEqual([])
    const paths = pageOf(answer).edges.map(({ node }) => `${String(node['path'])} ${String(node['outcome'])}`)
    expect(paths).toContain('Patient.familyName DISCLOSED')
    expect(paths.some((path) => path.startsWith('Patient.ssn '))).toBe(true)

    const reviews = await desk.ask('privacy', ACCESSES, { filter: { userId: 'auditor', action: 'REVIEW' } })
    expect(pageOf(reviews).edges.map(({ node }) => node)).toEqual([
      expect.objectContaining({ path: 'AuditLog.fieldAccesses', outcome: 'REVIEWED', count: paths.length }),
    ])
    const own = await desk.ask('auditor', ACCESSES, { filter: { userId: 'auditor' } })
    expect(pageOf(own).edges).toEqual([])
  })

  it.each(['physician', 'patient', 'admin', 'researcher', 'frontdesk'])(
    'C21: refuses %s, and records the attempt',
    async (user) => {
      const answer = await desk.ask(user, ACCESSES, { filter: { userId: user } })
      expect(answer.errors.map(({ extensions }) => extensions['code'])).toEqual(['UNAUTHORIZED_FIELD_OR_TYPE'])
      expect(answer.data).toBeUndefined()
      const attempts = await desk.ask('auditor', ACCESSES, { filter: { requestId: answer.requestId, action: 'REVIEW' } })
      expect(pageOf(attempts).edges.map(({ node }) => node)).toEqual([
        expect.objectContaining({ userId: user, outcome: 'DENIED', reason: 'ROLE' }),
      ])
    },
  )
})

it('answers preflights by PHI_CORS, without an event, and a page of an allowed origin can read a refusal', async () => {
  const origin = 'https://app.example'
  const { handle, events } = auditDesk(clinic, { env: { PHI_CORS: JSON.stringify({ origins: [origin] }) } })
  const granted = { 'access-control-allow-origin': origin, vary: 'Origin' }
  const preflight = await handle({ method: 'OPTIONS', headers: { origin }, body: '' })
  expect(preflight).toMatchObject({ status: 204, headers: { ...granted, 'access-control-allow-methods': 'POST, OPTIONS' } })
  expect(events).toEqual([])
  expect(await handle({ method: 'POST', headers: { origin }, body: '' })).toMatchObject({ status: 401, headers: granted })
})
