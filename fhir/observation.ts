import { z } from 'zod'
import type { PatientId, RecordId } from '../vocabulary/ids.ts'
import type { NewRecord } from '../vocabulary/record.ts'
import type { IdentifiedEntry } from './bundle.ts'
import { CodeableConcept, Reference, codeOf, codesOf, present } from './datatypes.ts'
import { type Flaw, WHY, flaw, flawOf } from './fault.ts'
import { DateTime, Period, firstInstant } from './instant.ts'
import { VALUE_CHOICES, observedValue, refineValue } from './observed-value.ts'
import { type IdFor, assemble, sourceDigest } from './record.ts'
import type { References } from './references.ts'

const Component = z.object({ code: CodeableConcept, ...VALUE_CHOICES }).superRefine(refineValue)

/** @source https://hl7.org/fhir/R4/observation.html */
const Observation = z
  .object({
    category: z.array(CodeableConcept).default([]),
    code: CodeableConcept,
    encounter: Reference.optional(),
    effectiveDateTime: DateTime.optional(),
    effectiveInstant: DateTime.optional(),
    effectivePeriod: Period.optional(),
    issued: DateTime.optional(),
    interpretation: z.array(CodeableConcept).default([]),
    component: z.array(Component).default([]),
    ...VALUE_CHOICES,
  })
  .superRefine(refineValue)

/**
 * One observation of a patient, or what is wrong with it.
 *
 * @param patient whose observation it is, as its subject was resolved
 * @param subject the source id of that patient, which the encounter must belong to as well
 */
export function mapObservation(
  entry: IdentifiedEntry,
  { patient, subject, references, idFor }: { patient: PatientId; subject: IdentifiedEntry; references: References; idFor: IdFor },
): NewRecord | Flaw {
  const parsed = Observation.safeParse(entry.resource)
  if (!parsed.success) return flawOf('Observation', parsed.error)
  const observation = parsed.data
  const encounter = encounterOf(entry, observation.encounter, subject, references, idFor)
  if (typeof encounter === 'object') return encounter
  const { effectiveDateTime, effectiveInstant, effectivePeriod, issued } = observation
  const time = effectiveDateTime ?? effectiveInstant ?? effectivePeriod?.start ?? issued
  const category = codeOf(observation.category[0])
  const codes = codesOf(observation.code)
  const components = observation.component.map((one) => present({ code: one.code, ...observedValue(one) }))
  return assemble({
    type: 'Observation',
    patient,
    id: idFor('Observation', entry.id),
    values: {
      code: observation.code,
      category,
      effectiveDateTime: time,
      ...observedValue(observation),
      component: components.length > 0 ? components : undefined,
      interpretation: codeOf(observation.interpretation[0]),
    },
    metadata: {
      open: {},
      references: encounter === undefined ? {} : { encounter },
      ...(time !== undefined && { date: firstInstant(time) }),
      ...(codes.length > 0 && { codes }),
      ...(category !== undefined && { category }),
      source: sourceDigest(entry.resource),
    },
  })
}

/** An encounter of another patient would lead a reader from one record into the other: such an observation is refused. */
function encounterOf(
  entry: IdentifiedEntry,
  reference: string | undefined,
  subject: IdentifiedEntry,
  references: References,
  idFor: IdFor,
): RecordId | Flaw | undefined {
  const target = references.follow(reference, entry.resource)
  if (target.kind === 'outside' && target.type === 'Encounter') return idFor('Encounter', target.id)
  if (target.kind !== 'entry' || target.entry.type !== 'Encounter' || target.entry.id === undefined) return undefined
  const of = Reference.safeParse(target.entry.resource['subject'])
  if (of.data === undefined) return undefined
  const whose = references.follow(of.data, target.entry.resource)
  if (whose.kind !== 'entry' || whose.entry !== subject) return flaw('Observation.encounter', WHY.otherPatient)
  return idFor('Encounter', target.entry.id)
}
