import type { OutcomeReason } from '../vocabulary/access-record.ts'
import type { Deadline } from '../vocabulary/deadline.ts'
import type { Caller } from '../vocabulary/decision.ts'
import { storeOverdue } from '../vocabulary/failures.ts'
import type { Instant, PatientId } from '../vocabulary/ids.ts'
import type { Relationship } from '../vocabulary/policy.ts'

/** From when until when a relationship holds, in milliseconds; open where left out. `until` is exclusive. */
export interface Standing {
  readonly since?: Instant
  readonly until?: Instant
}

/**
 * What a source knows of one patient. TAMPERED: what it keeps of caller and patient was taken away or put back as it was before,
 * so that nobody knows whether they stand in the relationship. UNROOTED: it keeps nothing at all of the patient, which is so
 * for one who does not exist and for no other.
 */
export type Known = readonly Standing[] | 'TAMPERED' | 'UNROOTED'

/** What is known of the caller towards one patient. What is damaged counts for nothing. */
export interface Held {
  readonly relationships: ReadonlySet<Relationship>
  readonly damage?: 'TAMPERED' | 'UNROOTED'
  /** Those of which a service did not tell whether they hold, and why. */
  readonly unknown?: ReadonlyMap<Relationship, OutcomeReason>
}

/** One relationship: how a deployment finds out who stands in it. Asked once a batch, never once a field. */
export interface RelationshipSource {
  /**
   * The standings of the caller towards each of the patients; a patient with none is left out.
   * @throws StoreUnavailable, KeyUnavailable
   */
  standings(caller: Caller, patients: readonly PatientId[], deadline: Deadline): Promise<ReadonlyMap<PatientId, Known>>
  /**
   * Up to `limit` patients towards whom the caller may stand so, in the order of their ids as text, after the one given.
   * Asked again by `standings` before anything follows from it; fewer than `limit` means that there are no more.
   * @throws StoreUnavailable, KeyUnavailable
   */
  panel(caller: Caller, after: PatientId | undefined, limit: number, deadline: Deadline): Promise<readonly PatientId[]>
}

export type RelationshipRegistry = ReadonlyMap<Relationship, RelationshipSource>

/**
 * Which of the named relationships hold now, by patient. A name without a source never holds (P3). One whose source fails is
 * unknown, and the others are told.
 *
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
): Promise<ReadonlyMap<PatientId, Held>> {
  const unknown = new Map<Relationship, OutcomeReason>()
  // one that is silent ends before the rest is given up with it
  const share = deadline.share(SOURCE_SHARE)
  const asked = await Promise.all(
    [...names].map(async (name) => {
      try {
        const source = registry.get(name)
        if (source === undefined) return [name, NOTHING] as const
        return [name, await share.wait(() => source.standings(caller, patients, share), storeOverdue)] as const
      } catch (error) {
        unknown.set(name, reasonOf(error))
        return [name, NOTHING] as const
      }
    }),
  )
  return new Map(
    patients.map((patient): [PatientId, Held] => {
      const relationships = new Set<Relationship>()
      let damage: Held['damage']
      for (const [name, answers] of asked) {
        const known = answers.get(patient) ?? []
        if (known === 'TAMPERED') damage = known
        else if (known === 'UNROOTED') damage ??= known
        else if (known.some((standing) => holds(standing, now))) relationships.add(name)
      }
      return [patient, { relationships, ...(damage !== undefined && { damage }), ...(unknown.size > 0 && { unknown }) }]
    }),
  )
}

/** The part of the time for reading that one source of facts has. */
export const SOURCE_SHARE = 0.8
const NOTHING: ReadonlyMap<PatientId, Known> = new Map()

export function holds({ since, until }: Standing, now: Instant): boolean {
  return (since === undefined || since <= now) && (until === undefined || now < until)
}
