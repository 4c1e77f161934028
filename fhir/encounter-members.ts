import { z } from 'zod'
import type { Entry } from './bundle.ts'
import { Reference } from './datatypes.ts'
import { type FhirPeriod, Period, endInstant } from './instant.ts'
import { isMappingIssue } from './mapping-issue.ts'
import { overlap } from './overlap.ts'
import type { Practitioner } from './practitioner.ts'
import { practitionerOf } from './practitioner.ts'
import type { References } from './references.ts'

/** Statuses of an encounter in which somebody has seen the patient. */
const Encounter = z.object({
  status: z.enum(['arrived', 'triaged', 'in-progress', 'onleave', 'finished']),
  period: Period.default({}),
  participant: z.array(z.object({ individual: Reference.optional(), period: Period.default({}) })).default([]),
})

/** Somebody who took part in an encounter, and since when. */
export interface Participant {
  readonly practitioner: Practitioner
  /** Without an end after a part that lasted as long as the encounter: the care that follows from it needs the record. */
  readonly period: FhirPeriod
}

/** The practitioners of an encounter that took place. An encounter that cannot be read has none. */
export function participantsOf({ resource }: Entry, references: References): readonly Participant[] {
  const { period, participant } = Encounter.safeParse(resource).data ?? { period: {}, participant: [] }
  return participant.flatMap(({ individual, period: own }) => {
    const practitioner = individual === undefined ? 'other' : practitionerOf(individual, resource, references)
    if (practitioner === 'other' || isMappingIssue(practitioner) || !practitioner.isActive) return []
    const { start, end } = own
    const hasLeft = end !== undefined && (period.end === undefined || endInstant(end) < endInstant(period.end))
    const took = { ...(start !== undefined && { start }), ...(hasLeft && { end }) }
    const stay = overlap(period.start === undefined ? {} : { start: period.start }, took, practitioner.period)
    return stay === undefined ? [] : [{ practitioner, period: stay }]
  })
}
