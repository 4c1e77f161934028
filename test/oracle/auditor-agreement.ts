import { expect } from 'vitest'
import type { AuditEntry } from '../../gateway/audit/entry.ts'
import type { TenantId } from '../../gateway/model/ids.ts'
import type { AuditDesk } from '../gateway/oversight/audit-clinic.ts'
import type { Answered } from './history-agreement.ts'

const ACCESSES = `query ($filter: FieldAccessFilter!, $first: Int, $after: String) {
  fieldAccesses(filter: $filter, first: $first, after: $after) {
    pageInfo { hasNextPage endCursor } edges { node { requestId patientId recordId path outcome } } } }`

interface Access {
  readonly requestId: string
  readonly patientId: string | null
  readonly recordId: string | null
  readonly path: string
  readonly outcome: string
}

/** The auditors of the demo read this tenant. */
const TENANT = 'riverside' as TenantId
/** The number of requests that are asked for one by one. */
const REQUESTS = 40

/**
 * Asks the auditor's API for the accesses of these requests: by request, by patient and by user. Patient, record, path and outcome must
 * be those of the trail, as multisets. The oracle has checked the trail.
 *
 * @returns the number of accesses that were compared
 */
export async function auditorAgrees(desk: AuditDesk, answered: readonly Answered[]): Promise<number> {
  const own = answered.filter(({ caller, entries }) => (caller.tenant as string) === TENANT && entries.length > 0)
  const requests = new Set(own.map(({ requestId }) => requestId))
  const entries = own.flatMap((one) => one.entries)
  let compared = 0
  const agree = async (filter: Record<string, string>, expected: readonly AuditEntry[], first: number): Promise<void> => {
    const read = (await listed(desk, filter, first)).filter(({ requestId }) => requests.has(requestId))
    expect(linesOf(read), JSON.stringify(filter)).toEqual(
      linesOf(
        expected.map(({ requestId, patient = null, recordId = null, path, outcome }) => ({
          requestId,
          patientId: patient,
          recordId,
          path,
          outcome,
        })),
      ),
    )
    compared += read.length
  }
  // pages of 7 records, so that pages begin inside of items
  for (const { requestId, entries: expected } of own.slice(0, REQUESTS))
    await agree({ requestId }, expected, expected.length > 100 ? 500 : 7)
  const byPatient = Map.groupBy(entries, ({ patient }) => patient)
  for (const [patientId, expected] of byPatient) if (patientId !== undefined) await agree({ patientId }, expected, 500)
  for (const [userId, expected] of Map.groupBy(entries, ({ user }) => user)) await agree({ userId }, expected, 500)
  return compared
}

async function listed(desk: AuditDesk, filter: Record<string, string>, first: number): Promise<Access[]> {
  const accesses: Access[] = []
  let after: string | null = null
  for (let hasNext = true; hasNext; ) {
    const { data, errors } = await desk.ask('auditor', ACCESSES, { filter, first, after })
    expect(errors).toEqual([])
    const { edges, pageInfo } = data?.['fieldAccesses'] as {
      edges: { node: Access }[]
      pageInfo: { hasNextPage: boolean; endCursor: string | null }
    }
    accesses.push(...edges.map(({ node }) => node))
    hasNext = pageInfo.hasNextPage
    after = pageInfo.endCursor
  }
  return accesses
}

const linesOf = (accesses: readonly Access[]): string[] =>
  accesses
    .map(({ requestId, patientId, recordId, path, outcome }) => JSON.stringify([requestId, patientId, recordId, path, outcome]))
    .toSorted()
