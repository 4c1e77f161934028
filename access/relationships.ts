import type { Deadline } from '../vocabulary/deadline.ts'
import type { Caller } from '../vocabulary/decision.ts'
import type { Instant, PatientId } from '../vocabulary/ids.ts'
import type { Relationship } from '../vocabulary/policy.ts'

/** From when until when a relationship holds, in milliseconds; open where left out. `until` is exclusive. */
export interface Standing {
  readonly since?: Instant
  readonly until?: Instant
}

/** One relationship: how a deployment finds out who stands in it. Asked once a batch, never once a field. */
export interface RelationshipSource {
  /**
   * The standings of the caller towards each of the patients; a patient with none is left out.
   * @throws StoreUnavailable, KeyUnavailable
   */
  standings(
    caller: Caller,
    patients: readonly PatientId[],
    deadline: Deadline,
  ): Promise<ReadonlyMap<PatientId, readonly Standing[]>>
  /**
   * Up to `limit` patients towards whom the caller may stand so, in the order of their ids as text, after the one given.
   * Asked again by `standings` before anything follows from it; fewer than `limit` means that there are no more.
   * @throws StoreUnavailable, KeyUnavailable
   */
  panel(caller: Caller, after: PatientId | undefined, limit: number, deadline: Deadline): Promise<readonly PatientId[]>
}

export type RelationshipRegistry = ReadonlyMap<Relationship, RelationshipSource>

/** Which of the named relationships hold now, by patient. A name without a source never holds (P3). */
export async function relationshipsOf(
  registry: RelationshipRegistry,
  names: ReadonlySet<Relationship>,
  caller: Caller,
  patients: readonly PatientId[],
  now: Instant,
  deadline: Deadline,
): Promise<ReadonlyMap<PatientId, ReadonlySet<Relationship>>> {
  const held = new Map<PatientId, Set<Relationship>>(patients.map((patient) => [patient, new Set()]))
  await Promise.all(
    [...names].map(async (name) => {
      const standings = await registry.get(name)?.standings(caller, patients, deadline)
      for (const [patient, periods] of standings ?? []) {
        if (periods.some((standing) => holds(standing, now))) held.get(patient)?.add(name)
      }
    }),
  )
  return held
}

export function holds({ since, until }: Standing, now: Instant): boolean {
  return (since === undefined || since <= now) && (until === undefined || now < until)
}
