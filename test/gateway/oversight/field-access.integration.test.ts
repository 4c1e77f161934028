import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseLogPolicy } from '../../../gateway/audit/verify/log-policy.ts'
import { verifyProof } from '../../../gateway/audit/verify/tlog-proof.ts'
import { MAX_PROOFS } from '../../../gateway/oversight/access-evidence.ts'
import { addressText } from '../../../gateway/oversight/access-address.ts'
import { openNotary } from '../../../gateway/open-notary.ts'
import { clinicLock } from '../../../schema/clinic.ts'
import { auditOf, LAKESIDE, RIVERSIDE } from '../asking.ts'
import { type ClinicAnswer, runClinic, type RunningClinic } from '../../harness/running-clinic.ts'
import { NOON } from '../audit/examples.ts'
import { type AuditAnswer, type AuditDesk, auditDesk } from './audit-clinic.ts'
import { laneOfRequests, patientNumber, writeLanes } from './history/written-lanes.ts'

let clinic: RunningClinic
let desk: AuditDesk
let answer: ClinicAnswer
beforeAll(async () => {
  clinic = await runClinic({ riverside: 12, lakeside: 1 })
  desk = auditDesk(clinic)
  answer = await clinic.ask('billing', '{ patients(first: 12) { edges { node { ssn birthDate } } } }')
})
afterAll(() => clinic.stop())

const ACCESS = `query ($id: ID!) { fieldAccess(id: $id) {
  id path outcome view rule policy ruleLine ruleLineAbsence sealed proof { position treeSize proof checkpoint item }
} }`
const accessOf = ({ data }: AuditAnswer): Record<string, unknown> => data?.['fieldAccess'] as Record<string, unknown>
const codes = ({ errors }: AuditAnswer): unknown[] => errors.map(({ extensions }) => extensions['code'])

async function seal(): Promise<void> {
  expect(await openNotary(clinic.stack.env, { lock: clinicLock(), events: () => undefined }).run()).toBe(true)
}

describe('C10: one access by its address', () => {
  it('C10: has the line of its rule, and after sealing a proof that verifies offline', async () => {
    const [entry] = (await auditOf(clinic, answer)).filter(({ path, outcome }) => path === 'Patient.ssn' && outcome === 'MASKED')
    const id = addressText(entry ?? { lane: '', sequence: 0, index: 0 })
    const early = accessOf(await desk.ask('auditor', ACCESS, { id }))
    expect(early).toMatchObject({ id, path: 'Patient.ssn', view: 'LAST4', sealed: false, proof: null, ruleLineAbsence: null })

    const [, file = '', line = '', text] =
      /^(schema\/clinical\/[\w-]+\.graphql):(\d+) (@minimumNecessary\(.*\))$/.exec(String(early['ruleLine'])) ?? []
    const written = readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8')
      .split('\n')
      .slice(Number(line) - 1)
    expect(
      written
        .join(' ')
        .replaceAll(/\s+/g, ' ')
        .trim()
        .startsWith(text ?? 'no line'),
    ).toBe(true)
    expect(text).toMatch(/BILLING.*view: LAST4/)

    await seal()
    const { sealed, proof } = accessOf(await desk.ask('auditor', ACCESS, { id }))
    expect(sealed).toBe(true)
    const { item, ...shown } = proof as Record<'proof' | 'item' | 'checkpoint', string>
    const policy = parseLogPolicy(readFileSync(join(clinic.stack.env.PHI_AUDIT_OBJECTS, RIVERSIDE, 'policy'), 'utf8'))
    if (policy.outcome !== 'READ') throw new Error('the policy of the log can be read')
    const verdict = await verifyProof(shown.proof, item, policy.policy)
    expect(verdict).toMatchObject({ outcome: 'PROVEN', item: { lane: entry?.lane, sequence: entry?.sequence } })
    expect(shown.proof).toContain(shown.checkpoint)
    expect(await verifyProof(shown.proof, item.replace('LAST4', 'FULL'), policy.policy)).toMatchObject({ outcome: 'REFUSED' })
    const [review] = (await clinic.services.history.entriesBy('user', RIVERSIDE, 'auditor')).slice(-1)
    expect(review).toMatchObject({ path: 'AuditLog.fieldAccess', outcome: 'REVIEWED', count: 1, patient: entry?.patient })
  })

  it('C10: of another policy has no line, and says so', async () => {
    const lane = laneOfRequests([{ time: NOON, patient: patientNumber(1), user: 'physician' as never, records: 1 }])
    await writeLanes(clinic.stack.dynamodb, clinic.stack.env.PHI_TABLE_AUDIT, [lane])
    const found = accessOf(await desk.ask('auditor', ACCESS, { id: `${lane.lane}/1/1` }))
    expect(found).toMatchObject({ rule: 'Patient.birthDate#1', ruleLine: null, ruleLineAbsence: 'OTHER_POLICY' })
    const [denied] = (await auditOf(clinic, answer)).filter(({ rule }) => rule === undefined)
    if (denied !== undefined)
      expect(accessOf(await desk.ask('auditor', ACCESS, { id: addressText(denied) }))).toMatchObject({
        ruleLine: null,
        ruleLineAbsence: 'NO_RULE',
      })
  })

  it('C10: of another tenant, or of no item, is null; a text that is no address is refused', async () => {
    const theirs = await clinic.ask('lakeside-physician', '{ patients(first: 1) { edges { node { familyName } } } }')
    const [entry] = await auditOf(clinic, theirs, LAKESIDE)
    const own = (await auditOf(clinic, answer))[0]
    for (const id of [
      addressText(entry ?? { lane: '', sequence: 0, index: 0 }),
      'AAAAAAAA.1/1/1',
      `${own?.lane}/99999999/1`,
      `${own?.lane}/${own?.sequence}/999999`,
    ]) {
      const found = await desk.ask('auditor', ACCESS, { id })
      expect(found.data, id).toEqual({ fieldAccess: null })
    }
    for (const id of [
      '',
      'x',
      `lakeside#${entry?.lane}/1/1`,
      'LANES#2026-01-01T00/1/1',
      '../1/1',
      'a/0/1',
      'a/1/-1',
      `${'a'.repeat(500)}/1/1`,
    ])
      expect(codes(await desk.ask('auditor', ACCESS, { id })), id).toEqual(['BAD_USER_INPUT'])
  })

  it('C10: in a list has a proof too, for a bounded number of items', async () => {
    const PROOFS = `query ($filter: FieldAccessFilter!, $first: Int) {
      fieldAccesses(filter: $filter, first: $first) { edges { node { id sealed proof { position } } } } }`
    const ask = async (first: number) =>
      await desk.ask('privacy', PROOFS, { filter: { requestId: answer.phi.requestId, path: 'Patient.ssn' }, first })
    const few = await ask(MAX_PROOFS)
    const edges = (few.data?.['fieldAccesses'] as { edges: { node: { sealed: boolean; proof: { position: number } } }[] }).edges
    expect(edges).toHaveLength(MAX_PROOFS)
    expect(edges.every(({ node }) => node.sealed)).toBe(true)
    expect(new Set(edges.map(({ node }) => node.proof.position)).size).toBe(MAX_PROOFS)
    expect(codes(await ask(MAX_PROOFS + 1))).toEqual(['OPERATION_TOO_COSTLY'])
    const local = auditDesk(clinic, { env: { PHI_STAGE: 'local' } })
    const many = { filter: { requestId: answer.phi.requestId, path: 'Patient.ssn' }, first: MAX_PROOFS + 1 }
    expect((await local.ask('privacy', PROOFS, many)).errors.map(({ message }) => message)).toEqual([
      'An answer has the proofs of 8 items at most. Request a smaller page.',
    ])
  })

  it.each(['physician', 'patient', 'admin'])('C05: is closed to %s', async (user) => {
    const [entry] = await auditOf(clinic, answer)
    const refused = await desk.ask(user, ACCESS, { id: addressText(entry ?? { lane: '', sequence: 0, index: 0 }) })
    expect(codes(refused)).toEqual(['UNAUTHORIZED_FIELD_OR_TYPE'])
    expect(refused.data).toBeUndefined()
  })
})
