import { setTimeout as sleep } from 'node:timers/promises'
import type { GrantChange, PreparedGrant, PreparedReview } from '../access/break-glass-port.ts'
import type { Trail } from '../audit/trail.ts'
import type { AccessRecord } from '../model/access-record.ts'
import type { Deadline } from '../model/deadline.ts'
import type { Caller } from '../model/decision.ts'
import { AuditUnavailable, storeOverdue, VersionConflict } from '../model/failures.ts'
import type { PatientId, RecordId, RecordRef, RequestId } from '../model/ids.ts'
import type { EventSink } from '../telemetry/events.ts'
import type { ChangeTurns } from './change-turns.ts'
import { GRANT } from './grant-payloads.ts'

/** The longest pause after a conflict, in milliseconds. */
const MAX_PAUSE_MS = 100

/** The path and the action of an audit record. */
export type At = Pick<AccessRecord, 'path' | 'action'>
export type Prepare = (ref: RecordRef, deadline: Deadline) => Promise<PreparedGrant | PreparedReview | undefined>

export interface GrantWriterParts {
  readonly requestId: RequestId
  readonly caller: Caller
  readonly trail: Trail
  readonly events: EventSink
  readonly deadline: Deadline
  readonly turns: ChangeTurns
}

/** Commits changes of break-glass grants, each with its audit record, and reports them to the operators. */
export class GrantWriter {
  readonly #parts: GrantWriterParts

  constructor(parts: GrantWriterParts) {
    this.#parts = parts
  }

  /**
   * Prepares a change and commits it. A conflict means that another process changed a grant of the patient, or counted a patient of the
   * user: the change is prepared again, until the deadline. The pauses become shorter, so that an older request goes before a newer one.
   *
   * @returns undefined if there is nothing to change
   * @throws StoreUnavailable at the deadline
   */
  async change(ref: RecordRef, at: At, prepare: Prepare): Promise<PreparedGrant | PreparedReview | undefined> {
    const { caller, deadline, turns } = this.#parts
    return await turns.take(caller, `PATIENT#${ref.patient}`, deadline, async () => await this.#changed(ref, at, prepare))
  }

  async #changed(ref: RecordRef, at: At, prepare: Prepare): Promise<PreparedGrant | PreparedReview | undefined> {
    const { caller, deadline, turns } = this.#parts
    for (let attempt = 1; ; attempt++) {
      try {
        // the patients of a user are counted in one item
        return await turns.take(caller, `USER#${caller.user}`, deadline, async () => {
          const prepared = await deadline.wait(() => prepare(ref, deadline), storeOverdue)
          if (prepared !== undefined && prepared.items.length > 0) await this.#commit(prepared, at)
          return prepared
        })
      } catch (error) {
        if (!(error instanceof VersionConflict)) throw error
        await sleep((Math.random() * MAX_PAUSE_MS) / attempt)
      }
    }
  }

  async #commit({ change, grant, items }: PreparedGrant | PreparedReview, at: At): Promise<void> {
    const { trail } = this.#parts
    const { patient, id } = grant
    try {
      const record = {
        ...at,
        ...(change === 'RENEWED' && { action: 'UPDATE' }),
        patient,
        recordType: GRANT,
        recordId: id as RecordId,
        outcome: 'WRITTEN',
        basis: 'BREAK_GLASS',
        basisId: id,
        // without the note, which can have PHI
        ...(change === 'REVIEWED' && 'review' in grant && { finding: grant.review.finding }),
      }
      await trail.commit(items, record as AccessRecord)
    } catch (error) {
      // the grant may have been stored: a false alarm for the operators is better than a missing one
      if (error instanceof AuditUnavailable && change !== 'REVIEWED') this.report(patient, 'UNCERTAIN')
      throw error
    }
    // a review opens no record, so it is no event
    if (change !== 'REVIEWED') this.report(patient, change)
  }

  report(patient: PatientId, what: Exclude<GrantChange, 'REVIEWED'> | 'UNCERTAIN' | 'REFUSED'): void {
    const { events, requestId, caller } = this.#parts
    events({ event: 'BREAK_GLASS', requestId, tenant: caller.tenant, patient, what })
  }
}
