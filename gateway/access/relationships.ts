import type { OutcomeReason } from '../model/access-record.ts'
import type { Deadline } from '../model/deadline.ts'
import type { Caller, RelationshipGround, RelationshipGrounds, RelationshipLimits } from '../model/decision.ts'
import { storeOverdue } from '../model/failures.ts'
import type { Instant, PatientId } from '../model/ids.ts'
import type { Relationship } from '../../directives/policy.ts'
import type { RecordMetadata, RelationshipScope } from '../model/record.ts'

/** A period of a relationship, in milliseconds since the epoch. A missing bound is open; `until` is exclusive. */
export interface RelationshipPeriod {
  readonly since?: Instant
  readonly until?: Instant
  /** Identifies the membership in the audit. */
  readonly id?: string
  /** Limits what the relationship opens in this period. Without a scope it opens all that its grants open. */
  readonly scope?: RelationshipScope
}

/**
 * The answer of a source for one patient.
 * - TAMPERED: stored data was removed or restored, so that the relationship is unknown.
 * - NO_MANIFEST: the source stores nothing about the patient. This holds only for a patient that does not exist.
 */
export type RelationshipAnswer = readonly RelationshipPeriod[] | 'TAMPERED' | 'NO_MANIFEST'

/** The caller's active relationships to one patient. A damaged relationship is not active. */
export interface ActiveRelationships {
  readonly relationships: ReadonlySet<Relationship>
  /** The limits of relationships that hold only within limits. */
  readonly limits?: RelationshipLimits
  /** The memberships behind the relationships, if their source names them. */
  readonly grounds?: RelationshipGrounds
  readonly damage?: 'TAMPERED' | 'NO_MANIFEST'
  /** Relationships with a failed source, and the reason of the failure. */
  readonly unknown?: ReadonlyMap<Relationship, OutcomeReason>
}

/** Source of one relationship. The gateway calls it once for each batch, never once for each field. */
export interface RelationshipSource {
  /**
   * Returns the periods of the caller's relationship by patient. A patient without a period is absent.
   *
   * @throws StoreUnavailable, KeyUnavailable
   */
  periods(caller: Caller, patients: readonly PatientId[], deadline: Deadline): Promise<ReadonlyMap<PatientId, RelationshipAnswer>>
  /**
   * Returns up to `limit` candidate patients of the caller, in the order of their ids as text, after the patient `after`. The
   * gateway checks each with `periods`. Fewer than `limit` means that there are no more.
   *
   * @throws StoreUnavailable, KeyUnavailable
   */
  panel(caller: Caller, after: PatientId | undefined, limit: number, deadline: Deadline): Promise<readonly PatientId[]>
  /**
   * Whether the caller has the relationship to one record, by the record's author, which the index of the patient has too. It then
   * holds only for that record. Must be a pure function. Leave it out if the relationship is to the patient as a whole.
   */
  readonly ofRecord?: (caller: Caller, record: Pick<RecordMetadata, 'author'>) => boolean
}

export type RelationshipRegistry = ReadonlyMap<Relationship, RelationshipSource>

/**
 * Returns which of the named relationships hold now, by patient. A name without a source never holds (P3). If a source fails,
 * its relationship is unknown, and the others are returned.
 *
 * @param deadline for the sources; it must end before the deadline of the request, so that a slow source fails only itself
 * @param reasonOf classifies a failure; throws the failure itself if no service caused it
 */
export async function relationshipsOf(
  registry: RelationshipRegistry,
  names: ReadonlySet<Relationship>,
  caller: Caller,
  patients: readonly PatientId[],
  now: Instant,
  deadline: Deadline,
  reasonOf: (failure: unknown) => OutcomeReason,
): Promise<ReadonlyMap<PatientId, ActiveRelationships>> {
  const unknown = new Map<Relationship, OutcomeReason>()
  const answersByName = await Promise.all(
    [...names].map(async (name) => {
      try {
        const source = registry.get(name)
        if (source === undefined) return [name, NOTHING] as const
        return [name, await deadline.wait(() => source.periods(caller, patients, deadline), storeOverdue)] as const
      } catch (error) {
        unknown.set(name, reasonOf(error))
        return [name, NOTHING] as const
      }
    }),
  )
  return new Map(
    patients.map((patient): [PatientId, ActiveRelationships] => {
      const relationships = new Set<Relationship>()
      const limits = new Map<Relationship, readonly RelationshipScope[]>()
      const grounds = new Map<Relationship, RelationshipGround>()
      let damage: ActiveRelationships['damage']
      for (const [name, answers] of answersByName) {
        const answer = answers.get(patient) ?? []
        if (answer === 'TAMPERED') damage = answer
        else if (answer === 'NO_MANIFEST') damage ??= answer
        else {
          const holding = answer.filter((period) => isCurrent(period, now))
          const [first] = holding
          if (first !== undefined) {
            relationships.add(name)
            const { id, since } = first
            const ground = { ...(id !== undefined && { id }), ...(since !== undefined && { since }) }
            if (id !== undefined || since !== undefined) grounds.set(name, ground)
          }
          const scopes = holding.flatMap(({ scope }) => scope ?? [])
          // an unscoped period overrides scoped ones
          if (scopes.length > 0 && scopes.length === holding.length) limits.set(name, scopes)
        }
      }
      const limited = { ...(limits.size > 0 && { limits }), ...(grounds.size > 0 && { grounds }) }
      return [patient, { relationships, ...limited, ...(damage !== undefined && { damage }), ...(unknown.size > 0 && { unknown }) }]
    }),
  )
}

const NOTHING: ReadonlyMap<PatientId, RelationshipAnswer> = new Map()

export function isCurrent({ since, until }: RelationshipPeriod, now: Instant): boolean {
  return (since === undefined || since <= now) && (until === undefined || now < until)
}
