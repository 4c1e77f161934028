import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { erasedPatients, replayErasures, replayFromLog, UnprovenErasure } from '../../../gateway/admin/erasure-replay.ts'
import { type LogPolicy, parseLogPolicy } from '../../../gateway/audit/verify/log-policy.ts'
import { verifyProof } from '../../../gateway/audit/verify/tlog-proof.ts'
import { openNotary } from '../../../gateway/open-notary.ts'
import { proveItem } from '../../../gateway/oversight/log/item-proof.ts'
import { StoredLog } from '../../../gateway/oversight/log/stored-log.ts'
import { openAuditObjects } from '../../../gateway/admin/audit-objects.ts'
import { clinicLock } from '../../../schema/clinic.ts'
import { type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { at, LAKESIDE, patientsOf, RIVERSIDE } from '../asking.ts'
import { clinic as compiled } from '../decide/clinic-policy.ts'
import { codesOf } from '../mutations/access-desk.ts'
import { APPROVE, NO_RETENTION, requested } from '../mutations/erasure-desk.ts'
import { DatabaseHand, type Item, refOf } from '../store/database-hand.ts'

let clinic: RunningClinic
let hand: DatabaseHand
let approval: ClinicAnswer
let policy: LogPolicy
let ids: readonly string[]
/** The items of the erased patients before the erasure: those of a backup. */
const backup = new Map<string, { readonly key: Item; readonly access: readonly Item[]; readonly records: readonly Item[] }>()

const NAME = 'query ($id: ID!) { patient(id: $id) { familyName } }'
const keyOf = (id: string): Item => ({ pk: { S: `riverside#${refOf(id).patient}` }, sk: { S: 'KEY' } })
const nameAt = async (id: string): Promise<unknown> => {
  // a process without keys in memory, as after a restore
  const cold = await clinic.another()
  const answer = await cold.ask('physician', NAME, { id })
  return at(answer.data, 'patient', 'familyName') ?? codesOf(answer)[0]
}
const logPolicy = () => Promise.resolve(policy)
const log = () => openAuditObjects(clinic.stack.env)

beforeAll(async () => {
  clinic = await runClinic({ riverside: 3, lakeside: 1 })
  hand = new DatabaseHand(clinic)
  ids = (await patientsOf(clinic, 'physician')).slice(0, 2)
  const open = await clinic.another({ env: { PHI_RETENTION: NO_RETENTION } })
  for (const id of ids) {
    backup.set(id, { key: await hand.read(keyOf(id), 'KEYS'), access: await hand.all(id, 'ACCESS'), records: await hand.all(id) })
    approval = await open.ask('privacy', APPROVE, { id: await requested(open, id) })
  }
  expect(await openNotary(clinic.stack.env, { lock: clinicLock(), events: () => undefined }).run()).toBe(true)
  const read = parseLogPolicy(readFileSync(join(clinic.stack.env.PHI_AUDIT_OBJECTS, RIVERSIDE, 'policy'), 'utf8'))
  if (read.outcome !== 'READ') throw new Error('the policy of the log can be read')
  policy = read.policy
})
afterAll(async () => await clinic.stop())

describe('C26: the certificate', () => {
  it('is a proof from the signed log that verifies offline; a changed statement does not', async () => {
    const [entry] = await clinic.services.history.ofRequest(RIVERSIDE, approval.phi.requestId)
    if (entry === undefined) throw new Error('the erasure has an audit record')
    const { lane, sequence, time } = entry
    const proven = await proveItem(new StoredLog(log(), RIVERSIDE), { lane, sequence, time: Date.parse(time) })
    if (proven === 'NOT_SEALED') throw new Error('the log is sealed')
    const verdict = await verifyProof(proven.proof, proven.line, policy)
    const statement = String(at(approval.data, 'approveErasure', 'certificate'))
    expect(verdict).toMatchObject({ outcome: 'PROVEN', records: [{ path: '#erasure', action: 'DELETE', filter: statement }] })
    for (const [said, forged] of [
      ['copiesUntil', 'copiesUntis'],
      ['"privacy', '"Privacy'],
    ] as const) {
      expect(proven.line).toContain(said.replaceAll('"', '\\\\\\"'))
      const line = proven.line.replace(said.replaceAll('"', '\\\\\\"'), forged.replaceAll('"', '\\\\\\"'))
      expect(await verifyProof(proven.proof, line, policy)).toMatchObject({ outcome: 'REFUSED' })
    }
  })
})

describe('C26: a restored backup', () => {
  it('of the keys table serves no erased patient, before and after the replay', async () => {
    const [id = ''] = ids
    await hand.put(backup.get(id)?.key ?? {}, 'KEYS')
    // the access manifest records the erasure
    expect(await nameAt(id)).toBe('FIELD_UNAVAILABLE')
    expect(await replayFromLog(RIVERSIDE, logPolicy, compiled.policy.digest, clinic.stack.env)).toEqual({
      destroyed: 1,
      already: 1,
      refused: 0,
    })
    expect(await nameAt(id)).toBe('FIELD_ERASED')
  })

  it('of all tables serves no erased patient after the replay: the log knows the erasure', async () => {
    const id = ids[1] ?? ''
    const { key, access, records } = backup.get(id) ?? { key: {}, access: [], records: [] }
    await hand.put(key, 'KEYS')
    await hand.remove({ ...keyOf(id), sk: { S: '#ERASURE' } }, 'ACCESS')
    for (const item of access) await hand.put(item, 'ACCESS')
    // the index of the records ended with the erasure
    expect(await nameAt(id)).toBe('FIELD_UNAVAILABLE')
    for (const item of records) await hand.put(item)
    // all tables agree, so that only the log knows
    expect(await nameAt(id)).toMatch(/^[A-Z][a-z]/)
    expect(await replayFromLog(RIVERSIDE, logPolicy, compiled.policy.digest, clinic.stack.env)).toMatchObject({
      destroyed: 1,
      already: 1,
    })
    expect(await nameAt(id)).toBe('FIELD_ERASED')
    expect(await replayFromLog(RIVERSIDE, logPolicy, compiled.policy.digest, clinic.stack.env)).toEqual({
      destroyed: 0,
      already: 2,
      refused: 0,
    })
    const entries = await clinic.services.history.entriesBy('patient', RIVERSIDE, refOf(id).patient)
    expect(entries.filter(({ path }) => path === '#erasure.replay')).toMatchObject([{ action: 'DELETE', outcome: 'WRITTEN' }])
  })

  it('a missing key item is counted, and another tenant has no erasure', async () => {
    const [id = ''] = ids
    const item = await hand.read(keyOf(id), 'KEYS')
    await hand.remove(keyOf(id), 'KEYS')
    const erased = await erasedPatients(log(), RIVERSIDE, policy)
    expect([...erased].toSorted()).toEqual(ids.map((one) => refOf(one).patient).toSorted())
    expect(await replayErasures(clinic.services, RIVERSIDE, erased, compiled.policy.digest)).toMatchObject({ refused: 1 })
    await hand.put(item, 'KEYS')
    expect((await erasedPatients(log(), LAKESIDE, policy)).size).toBe(0)
  })

  it('is not replayed from a log whose proofs do not hold', async () => {
    const other = { ...policy, logs: [] }
    await expect(erasedPatients(log(), RIVERSIDE, other)).rejects.toThrow(UnprovenErasure)
  })
})
