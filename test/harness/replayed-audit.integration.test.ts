import { PutItemCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { lockDigest } from '../../directives/compile.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { AuditContext } from '../../gateway/audit/entry.ts'
import { clinicLock } from '../../schema/clinic.ts'
import { linked } from '../gateway/audit/audit-arbitraries.ts'
import { access, context, itemsOf } from '../gateway/audit/examples.ts'
import { NotaryBench } from '../gateway/audit/notary/notary-bench.ts'
import { replayAudit } from './replayed-audit.ts'

let bench: NotaryBench
beforeAll(async () => {
  bench = await NotaryBench.start()
})
afterAll(() => bench.stop())

const birthDate = access(1, { path: 'Patient.birthDate' as SchemaPath, rule: 'Patient.birthDate#1' })
async function store(lane: string, changes: Partial<AuditContext>): Promise<void> {
  const drafts = itemsOf(context({ policy: lockDigest(clinicLock()), mfa: true, ...changes }), [birthDate])
  for (const { text } of linked(drafts, lane))
    await bench.client.send(
      new PutItemCommand({ TableName: bench.audit, Item: { l: { S: `riverside#${lane}` }, n: { S: '00000001' }, e: { S: text } } }),
    )
}

it('P3: the harness names each disclosure that the policy does not allow, and none of another form or lock', async () => {
  await store('kakjK50G.1', {})
  await store('kakjK50G.2', { policy: 'ab'.repeat(32), mfa: false })
  await bench.client.send(
    new PutItemCommand({
      TableName: bench.audit,
      Item: { l: { S: 'riverside#kakjK50G.3' }, n: { S: '00000001' }, e: { S: '{}' } },
    }),
  )
  await replayAudit(bench.client, bench.audit)
  await store('kakjK50G.4', { mfa: false })
  await expect(replayAudit(bench.client, bench.audit)).rejects.toThrow(/^P3: [^\n]*\nMFA: Patient [^\n]*"mfa":false\}$/)
})
