import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { SchemaPath } from '../../../directives/coordinates.ts'
import type { AuditContext, TimedAccess } from '../../../gateway/audit/entry.ts'
import { ItemPacker } from '../../../gateway/audit/item-packer.ts'
import { lockName } from '../../../gateway/audit/verify/layout.ts'
import { parseLogPolicy } from '../../../gateway/audit/verify/log-policy.ts'
import { replayLine } from '../../../gateway/audit/verify/log-report.ts'
import { verifyLog, type VerifyOptions } from '../../../gateway/audit/verify/verify-log.ts'
import type { RequestId } from '../../../gateway/model/ids.ts'
import { clinicLock } from '../../../schema/clinic.ts'
import { linked } from './audit-arbitraries.ts'
import { access, context, NOON } from './examples.ts'
import { digestOf } from './replay-bench.ts'
import { SealedLog, sourceOf } from './sealed-log.ts'

const CLINIC = clinicLock()
const read = (name: string, change: Partial<TimedAccess> = {}): TimedAccess =>
  access(1, { path: `Patient.${name}` as SchemaPath, rule: `Patient.${name}#1`, ...change })

/** A sealed log with one item for each request, and these locks. */
function logOf(
  requests: readonly (readonly [Partial<AuditContext>, ...TimedAccess[]])[],
  locks: readonly string[] = [CLINIC],
): SealedLog {
  const log = new SealedLog()
  const drafts = requests.map(([change, ...accesses], number) => {
    const requestId = createHash('sha256').update(`${number}`).digest('base64url').slice(0, 20) as RequestId
    const packer = new ItemPacker(context({ mfa: true, policy: digestOf(CLINIC), requestId, ...change }))
    return packer.ofWrite(accesses)
  })
  for (const lock of locks) log.files.set(lockName(digestOf(lock)), new TextEncoder().encode(lock))
  log.seal(linked(drafts.flat(), 'kakjK50G.1'), NOON / 1_000 + 30)
  return log
}

async function verify(log: SealedLog, options: Omit<VerifyOptions, 'policy'> = {}) {
  const policy = parseLogPolicy(log.keys.policy)
  if (policy.outcome === 'REFUSED') throw new Error('the policy cannot be read')
  return await verifyLog(sourceOf(log.files), { policy: policy.policy, ...options })
}

describe('P7: the policy replay of an export', () => {
  it('P7: names each record that the policy does not allow, and counts the others', async () => {
    const report = await verify(
      logOf([
        [{}, read('familyName'), read('birthDate'), read('ssn', { outcome: 'DENIED', reason: 'ROLE', view: undefined as never })],
        [{}, read('birthDate', { basis: 'CONSENT', basisId: 'c1' }), read('ssn'), read('mrn', { rule: 'Patient.mrn#7' })],
        [{ mfa: false }, read('familyName')],
      ]),
    )
    const at = { kind: 'NOT_ALLOWED', lane: 'kakjK50G.1' }
    // another basis is another group of the item
    expect(report.findings).toEqual([
      { ...at, sequence: 2, position: 1, index: 2, path: 'Patient.ssn', fault: 'VIEW' },
      { ...at, sequence: 2, position: 1, index: 3, path: 'Patient.mrn', fault: 'RULE' },
      { ...at, sequence: 3, position: 2, index: 1, path: 'Patient.familyName', fault: 'MFA' },
    ])
    expect(report.replay).toEqual({
      disclosed: 6,
      written: 0,
      replayed: 2,
      notAllowed: 3,
      depends: { CONSENT: 1 },
      locks: { [digestOf(CLINIC)]: 6 },
    })
    expect(replayLine(report)).toBe('replayed 2 of 6 disclosed or masked records; 1 depends on labels or consents; 3 not allowed')
  })

  it('P7: records under a lock that is missing, altered or unreadable are counted, and the lock is a finding', async () => {
    const requests = [[{}, read('familyName'), read('ssn')]] as const
    const name = lockName(digestOf(CLINIC))
    const missing = await verify(logOf(requests, []))
    expect(missing.findings).toEqual([{ kind: 'LOCK_MISSING', name }])
    expect(missing.replay).toMatchObject({ disclosed: 2, replayed: 0, notAllowed: 0, depends: { LOCK: 2 } })
    expect(replayLine(missing)).toContain('; 2 have no readable policy lock; 0 not allowed')
    const altered = logOf(requests)
    // whoever widens the lock does not keep its digest
    altered.files.set(name, new TextEncoder().encode(CLINIC.replace(/(grant Patient.ssn .*)view=LAST4/, '$1view=FULL')))
    expect(await verify(altered)).toMatchObject({ findings: [{ kind: 'LOCK_ALTERED', name }], replay: { depends: { LOCK: 2 } } })
    const other = 'format 2\n'
    const unreadable = await verify(logOf([[{ policy: digestOf(other) }, read('familyName')]], [other]))
    expect(unreadable.findings).toEqual([{ kind: 'LOCK_FORM', name: lockName(digestOf(other)) }])
    expect(unreadable.replay.depends).toEqual({ LOCK: 1 })
  })

  it('P7: each item is replayed under the lock that it names, and a lock that nobody reviewed is a finding', async () => {
    const wide = CLINIC.replace(/(grant Patient.ssn roles=)BILLING( .*)view=LAST4/, '$1BILLING$2view=FULL')
    const bill: Partial<AuditContext> = { roles: ['BILLING'], purpose: 'HPAYMT' }
    const ssn = read('ssn', { basis: 'ORGANIZATION' })
    const log = logOf(
      [
        [{ ...bill, policy: digestOf(wide) }, ssn],
        [bill, ssn],
      ],
      [CLINIC, wide],
    )
    const refused = { kind: 'NOT_ALLOWED', fault: 'VIEW', sequence: 2 }
    expect(await verify(log)).toMatchObject({ findings: [refused], replay: { replayed: 1, notAllowed: 1 } })
    const reviewed = await verify(log, { reviewed: new Set([digestOf(CLINIC)]) })
    expect(reviewed.findings).toMatchObject([refused, { kind: 'LOCK_UNREVIEWED', name: lockName(digestOf(wide)) }])
    expect((await verify(log, { reviewed: new Set([digestOf(CLINIC), digestOf(wide)]) })).findings).toMatchObject([refused])
  })

  it('P7: many locks are read in turn, and the memory for them is bounded', async () => {
    const locks = Array.from({ length: 9 }, (_, number) => CLINIC + `notPhi Test.a${number} because="x"\n`)
    const requests = Array.from(
      { length: 40 },
      (_, number) => [{ policy: digestOf(locks[(number * 7) % 9] ?? '') }, read('familyName')] as const,
    )
    const report = await verify(logOf(requests, locks))
    expect(report).toMatchObject({ findings: [], replay: { disclosed: 40, replayed: 40 } })
    expect(Object.keys(report.replay.locks)).toHaveLength(9)
  })
})
