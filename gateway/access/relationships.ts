import type { OutcomeReason } from '../model/access-record.ts'
import type { Deadline } from '../model/deadline.ts'
import type { Caller, RelationshipLimits } from '../model/decision.ts'
import { storeOverdue } from '../model/failures.ts'
import type { Instant, PatientId } from '../model/ids.ts'
import type { Relationship } from '../../directives/policy.ts'
import type { RecordMetadata, RelationshipScope } from '../model/record.ts'

/** From when until when a relationship holds, in milliseconds; open where left out. `until` is exclusive. */
export interface RelationshipPeriod {
  readonly since?: Instant
  readonly until?: Instant
  /** How much it opens while it holds; all of what its grants open where left out. */
  readonly scope?: RelationshipScope
}

/**
 * What a source knows of one patient. TAMPERED: what it keeps of caller and patient was taken away or put back as it was before,
 * so that nobody knows whether they stand in the relationship. NO_MANIFEST: it keeps nothing at all of the patient, which is so
 * for one who does not exist and for no other.
 */
export type RelationshipAnswer = readonly RelationshipPeriod[] | 'TAMPERED' | 'NO_MANIFEST'

/** What is known of the caller towards one patient. What is damaged counts for nothing. */
export interface HeldRelationships {
  readonly relationships: ReadonlySet<Relationship>
  /** Those that hold within limits alone. */
  readonly limits?: RelationshipLimits
  readonly damage?: 'TAMPERED' | 'NO_MANIFEST'
  /** Those of which a service did not tell whether they hold, and why. */
  readonly unknown?: ReadonlyMap<Relationship, OutcomeReason>
}

/** One relationship: how a deployment finds out who stands in it. Asked once a batch, never once a field. */
export interface RelationshipSource {
  /**
   * The periods of the caller towards each of the patients; a patient with none is left out.
   * @throws StoreUnavailable, KeyUnavailable
   */
  periods(caller: Caller, patients: readonly PatientId[], deadline: Deadline): Promise<ReadonlyMap<PatientId, RelationshipAnswer>>
  /**
   * Up to `limit` patients towards whom the caller may stand so, in the order of their ids as text, after the one given.
   * Asked again by `periods` before anything follows from it; fewer than `limit` means that there are no more.
   * @throws StoreUnavailable, KeyUnavailable
   */
  panel(caller: Caller, after: PatientId | undefined, limit: number, deadline: Deadline): Promise<readonly PatientId[]>
  /**
   * Whether the caller stands so to one record, by what is sealed beside it: then it holds for that record alone. Pure. Left out
   * where the relationship is one to the patient as a whole.
   */
  readonly ofRecord?: (caller: Caller, record: RecordMetadata) => boolean
}

export type RelationshipRegistry = ReadonlyMap<Relationship, RelationshipSource>

/**
 * Which of the named relationships hold now, by patient. A name without a source never holds (P3). One whose source fails is
 * unknown, and the others are told.
 *
 * @param deadline until when a source may take: it ends before the rest is given up with it
 * @param reasonOf what a failure means; throws it where it is none of a service
 */
export async function relationshipsOf(
  registry: RelationshipRegistry,
  names: ReadonlySet<Relationship>,
  caller: Caller,
  patients: readonly PatientId[],
  now: Instant,
  deadline: Deadline,
  reasonOf: (failure: unknown) => OutcomeReason,
): Promise<ReadonlyMap<PatientId, HeldRelationships>> {
  const unknown = new Map<Relationship, OutcomeReason>()
  const asked = await Promise.all(
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
    patients.map((patient): [PatientId, HeldRelationships] => {
      const relationships = new Set<Relationship>()
      const limits = new Map<Relationship, readonly RelationshipScope[]>()
      let damage: HeldRelationships['damage']
      for (const [name, answers] of asked) {
        const known = answers.get(patient) ?? []
        if (known === 'TAMPERED') damage = known
        else if (known === 'NO_MANIFEST') damage ??= known
        else {
          const holding = known.filter((period) => isCurrent(period, now))
          if (holding.length > 0) relationships.add(name)
          const scopes = holding.flatMap(({ scope }) => scope ?? [])
          // one that holds without limits makes the others say nothing
          if (scopes.length > 0 && scopes.length === holding.length) limits.set(name, scopes)
        }
      }
      const limited = limits.size > 0 && { limits }
      return [patient, { relationships, ...limited, ...(damage !== undefined && { damage }), ...(unknown.size > 0 && { unknown }) }]
    }),
  )
}

const NOTHING: ReadonlyMap<PatientId, RelationshipAnswer> = new Map()

export function isCurrent({ since, until }: RelationshipPeriod, now: Instant): boolean {
  return (since === undefined || since <= now) && (until === undefined || now < until)
}
