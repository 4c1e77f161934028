import { randomBytes } from 'node:crypto'
import { userInfo } from 'node:os'
import { describe, expect, it } from 'vitest'
import { operatorContext } from '../../../gateway/admin/operator-context.ts'
import { newProcessId, readRequestId } from '../../../gateway/audit/request-id.ts'
import type { TenantId } from '../../../gateway/model/ids.ts'

describe('the audit context of an operator', () => {
  const process = newProcessId(randomBytes)
  const act = { tenant: 'riverside' as TenantId, client: 'phi-keys', operation: 'keys', policy: 'f'.repeat(64) }
  const contextAt = (time: number) => operatorContext({ process, now: () => time }, act)

  it('names the account of the operating system, without a role, for healthcare operations', () => {
    const { requestId, ...context } = contextAt(1_000)
    expect(context).toEqual({
      tenant: 'riverside',
      user: `os:${userInfo().username}`,
      roles: [],
      client: 'phi-keys',
      purpose: 'HOPERAT',
      operation: 'keys',
      persisted: false,
      policy: 'f'.repeat(64),
    })
    expect(readRequestId(requestId)).toMatchObject({ process, at: 1_000 })
  })

  it('has a new request id with the current time for each command', () => {
    const [one, two] = [contextAt(1_000), contextAt(1_000)]
    expect(one.requestId).not.toBe(two.requestId)
    expect(readRequestId(contextAt(2_000).requestId)?.at).toBe(2_000)
  })

  it('names the study of a write', () => {
    expect(operatorContext({ process, now: () => 1_000 }, { ...act, study: 'NCT-1' }).study).toBe('NCT-1')
  })
})
