import type { AuditEntry } from '../audit/entry.ts'
import { type LogPosition, MAX_ANSWER_BYTES, type PatientAccess, type PatientAccessesQuestion } from '../audit/patient-accesses.ts'
import type { Deadline } from '../model/deadline.ts'
import { StoreUnavailable } from '../model/failures.ts'
import type { AuditReader } from './audit-reader.ts'
import { positionOf, type RecordedAccess } from './recorded-access.ts'

/** Pages of the history that one answer may take. A page can have fewer records than were requested. */
const MAX_PAGES = 20

/**
 * The field-level records of one patient in a span, latest first, with the members that a patient's list needs. Reviews of the log are
 * not accesses of the record.
 *
 * @param reader of the tenant that the question names
 * @returns at most `limit` records, and where the next answer begins
 * @throws StoreUnavailable
 */
export async function patientAccesses(
  { history, tenant }: Pick<AuditReader, 'history' | 'tenant'>,
  { tenant: asked, patient, from, to, limit, after }: PatientAccessesQuestion,
  deadline: Deadline,
): Promise<{ readonly accesses: readonly PatientAccess[]; readonly next?: LogPosition }> {
  if (asked !== tenant) throw new StoreUnavailable()
  const accesses: PatientAccess[] = []
  let next = after
  let bytes = 0
  for (let pages = 0; pages < MAX_PAGES; pages++) {
    const request = { first: limit - accesses.length, ...(next !== undefined && { after: next }) }
    const page = await history.page({ patient, from, to }, request, deadline)
    for (const access of page.accesses) {
      const shown = patientAccessOf(access, patient)
      bytes += Buffer.byteLength(JSON.stringify(shown)) + 1
      // the rest is for the next answer
      if (bytes > MAX_ANSWER_BYTES - 1_000) return { accesses, ...(next !== undefined && { next }) }
      accesses.push(shown)
      next = positionOf(access)
    }
    if (page.next === undefined) return { accesses }
    next = page.next
    if (accesses.length === limit) break
  }
  return { accesses, ...(next !== undefined && { next }) }
}

function patientAccessOf(access: RecordedAccess, patient: string): PatientAccess {
  const { tenant, requestId, time, lane, sequence, index, user, roles, organization, contract } = access
  const { purpose, recordType, recordId, path, paths, action, outcome, listed, basis } = access
  if (access.patient !== patient) throw new StoreUnavailable()
  return {
    tenant,
    patient,
    requestId,
    time,
    lane,
    sequence,
    index,
    user,
    roles: [...roles],
    ...(organization !== undefined && { organization }),
    ...(contract !== undefined && { contract: true as const }),
    purpose,
    ...(recordType !== undefined && { recordType }),
    ...(recordId !== undefined && { recordId }),
    path,
    // the paths of a write can be many, and a write is no access of a reader
    ...(paths !== undefined && outcomesOfReaders.has(outcome) && { paths: [...paths] }),
    action,
    outcome,
    listed,
    ...(basis !== undefined && { basis }),
  } satisfies Partial<Record<keyof AuditEntry, unknown>>
}

const outcomesOfReaders: ReadonlySet<string> = new Set(['DISCLOSED', 'MASKED', 'ABSENT', 'DENIED'])
