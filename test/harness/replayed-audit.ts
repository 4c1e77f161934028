import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { lockDigest } from '../../directives/compile.ts'
import { readLock } from '../../directives/lock-table.ts'
import { itemFacts } from '../../gateway/audit/verify/item-facts.ts'
import { LockReplay } from '../../gateway/audit/verify/replay-item.ts'
import { clinicLock } from '../../schema/clinic.ts'
import { scanRaw } from './raw-scan.ts'

/** The audit of a system under test has a disclosure that its policy does not allow (P3). */
class OverGrant extends Error {
  override readonly name = 'OverGrant'
}

/**
 * Decides each disclosure in an audit table again, as the verifier of an export does. It skips what a test wrote in another form or under
 * another lock.
 *
 * @throws OverGrant
 */
export async function replayAudit(client: DynamoDBClient, table: string): Promise<void> {
  const replay = new LockReplay(readLock(clinicLock()))
  const digest = Buffer.from(lockDigest(clinicLock()), 'hex').toString('base64url')
  const found = new Set<string>()
  for await (const { items } of scanRaw(client, table)) {
    for (const item of items()) {
      const text = item['e']?.['S']
      const facts = typeof text === 'string' ? itemFacts(text) : undefined
      if (facts?.policy !== digest) continue
      const { c } = facts.content
      replay.item(facts.content, (verdict, _index, { rt }, shape) => {
        if (verdict.kind !== 'NOT_ALLOWED') return
        const caller = JSON.stringify({ roles: c['ro'], purpose: c['pu'], mfa: c['m'] === true })
        found.add(`${verdict.fault}: ${String(rt)} ${JSON.stringify(shape)} for ${caller}`)
      })
    }
  }
  if (found.size > 0) throw new OverGrant(`P3: the policy does not allow these records of the audit:\n${[...found].join('\n')}`)
}
