import { expect } from 'vitest'
import type { AuditEntry } from '../../gateway/audit/entry.ts'
import type { AuditHistory } from '../../gateway/audit/history.ts'
import type { TenantId } from '../../gateway/model/ids.ts'
import { entryLine } from './account.ts'
import type { PlainCaller } from './plain-world.ts'

/** A question with the expected answer, and the audit records of its request. */
export interface Answered {
  readonly caller: PlainCaller
  readonly requestId: string
  readonly entries: readonly AuditEntry[]
  /** The audit lines that the oracle expects. */
  readonly expected: readonly string[]
}

type Index = Parameters<AuditHistory['entriesBy']>[0]

/**
 * Reads the audit log through one of its indexes, for every tenant and subject of these requests. The result must equal the records
 * that were found by request id, and the lines of the oracle, both as multisets.
 *
 * @returns the number of subjects
 */
export async function historyAgrees(history: AuditHistory, index: Index, answered: readonly Answered[]): Promise<number> {
  const requests = new Set(answered.map(({ requestId }) => requestId))
  const byTenant = Map.groupBy(answered, ({ caller }) => caller.tenant)
  let subjects = 0
  for (const [tenant, ofTenant] of byTenant) {
    const stored = ofTenant.flatMap(({ entries }) => entries).filter((entry) => entry[index] !== undefined)
    const found: AuditEntry[] = []
    for (const [subject, entries] of Map.groupBy(stored, (entry) => String(entry[index]))) {
      const read = await history.entriesBy(index, tenant as string as TenantId, subject)
      // a page was asked for before its second page, and left records that no question covers
      const own = read.filter(({ requestId }) => requests.has(requestId))
      expect(textsOf(own), `${index} ${subject}`).toEqual(textsOf(entries))
      found.push(...own)
      subjects++
    }
    const groupOf = index === 'user' ? (_: string, user: string): string => user : patientOf
    const told = ofTenant.flatMap(({ caller, expected }) => expected.map((text) => ({ text, group: groupOf(text, caller.user) })))
    const isAboutSomeone = told.filter(({ group }) => group !== '')
    const actual = found.map((entry) => ({ text: entryLine(entry), group: groupOf(entryLine(entry), entry.user) }))
    expect(textsOf(actual)).toEqual(textsOf(isAboutSomeone))
  }
  return subjects
}

/** A line begins with the patient. Without one it begins with a space. */
const patientOf = (text: string): string => text.slice(0, text.indexOf(' '))

const textsOf = (records: readonly unknown[]): string[] => records.map((record) => JSON.stringify(record)).toSorted()
