import { z } from 'zod'
import type { IdentifiedEntry } from './bundle.ts'
import { SYSTEMS, categoriesOf, codeAmong, codeOf, codesOf, hasCodeOf } from './coded.ts'
import { CodeableConcept, Reference, RequiredConcept, present } from './datatypes.ts'
import { ISSUES, mappingIssue, schemaIssue } from './mapping-issue.ts'
import { DateTime, Period } from './instant.ts'
import { VALUE_CHOICES, observedValue, refineValue } from './observed-value.ts'
import { NamedReference } from './party.ts'
import { assemble } from './record.ts'
import { type MapResource, type SubjectContext, encounterOf, factsOf } from './subject.ts'

const Component = z.object({ code: RequiredConcept, ...VALUE_CHOICES }).superRefine(refineValue)

/** @source https://hl7.org/fhir/R4/observation.html */
const Observation = z
  .object({
    category: z.array(CodeableConcept).default([]),
    code: RequiredConcept,
    focus: z.array(NamedReference).default([]),
    extension: z.array(z.object({ url: z.string().optional() })).default([]),
    encounter: Reference.optional(),
    effectiveDateTime: DateTime.optional(),
    /** Holds the reason if the time is missing. */
    _effectiveDateTime: z.unknown().optional(),
    effectiveInstant: DateTime.optional(),
    effectivePeriod: Period.optional(),
    effectiveTiming: z.object({ event: z.array(DateTime.nullable()).default([]) }).optional(),
    issued: DateTime.optional(),
    interpretation: z.array(CodeableConcept).default([]),
    component: z.array(Component).default([]),
    ...VALUE_CHOICES,
  })
  .superRefine(refineValue)

type Read = z.output<typeof Observation>

export const mapObservation: MapResource = (entry, context) => {
  const parsed = Observation.safeParse(entry.resource)
  if (!parsed.success) return schemaIssue('Observation', parsed.error)
  const observation = parsed.data
  if (isAboutOther(observation, entry, context)) return mappingIssue('Observation.focus', ISSUES.focus)
  const encounter = encounterOf('Observation', entry, observation.encounter, context)
  if (typeof encounter === 'object') return encounter
  const time = timeOf(observation)
  if (time === undefined && (observation.effectiveTiming ?? observation.effectivePeriod) !== undefined)
    context.note(mappingIssue('Observation.effective[x]', ISSUES.lostForm))
  const components = observation.component.map((one) => present({ code: one.code, ...observedValue(one) }))
  return assemble({
    type: 'Observation',
    patient: context.patient,
    id: context.idFor('Observation', entry.id),
    values: {
      code: observation.code,
      category: codeAmong(observation.category, SYSTEMS.observationCategory),
      effectiveDateTime: time,
      ...observedValue(observation),
      component: components.length > 0 ? components : undefined,
      interpretation: interpretationOf(observation),
    },
    metadata: factsOf({
      time,
      concepts: [observation.code],
      categories: categoriesOf(observation.category),
      encounter,
      sources: [entry.resource],
    }),
  })
}

/** @source https://hl7.org/fhir/R4/extension-observation-focuscode.html */
const FOCUS_CODE = 'http://hl7.org/fhir/StructureDefinition/observation-focusCode'
/** Parts of the patient's own record: the stage of a tumor has the diagnosis as its focus. */
const OWN_FOCUS: ReadonlySet<string | undefined> = new Set(
  'Condition Procedure Encounter Observation DiagnosticReport MedicationRequest MedicationStatement MedicationAdministration'.split(
    ' ',
  ),
)

/** Whether the value is one of a fetus, a donor or a relative. It is in the patient's chart, and would read as the patient's own. */
function isAboutOther({ focus, extension }: Read, { resource }: IdentifiedEntry, context: SubjectContext): boolean {
  if (extension.some(({ url }) => url === FOCUS_CODE)) return true
  return focus.some(({ link, type: said }) => {
    const target = context.references.follow(link, resource)
    const type = target.kind === 'entry' ? target.entry.type : target.kind === 'nowhere' ? said : target.type
    return !(OWN_FOCUS.has(type) || context.patientAt(link, resource) === context.patient)
  })
}

/** The time of the observation. The time of its issue counts only if nothing is said of the other one, also not why it is unknown. */
function timeOf(read: Read): string | undefined {
  const { effectiveDateTime, effectiveInstant, effectivePeriod, effectiveTiming, issued } = read
  const events = effectiveTiming?.event ?? []
  if (effectiveTiming !== undefined) return events.length === 1 ? (events[0] ?? undefined) : undefined
  // the value holds at both ends of the period
  if (effectivePeriod !== undefined) return effectivePeriod.start ?? effectivePeriod.end
  return effectiveDateTime ?? effectiveInstant ?? (read._effectiveDateTime === undefined ? issued : undefined)
}

/**
 * All interpretations: a result that is high and critical must not be shown as high alone. Beside a code of HL7, codes of other systems are
 * translations, and texts are not.
 */
function interpretationOf({ interpretation }: Read): string | undefined {
  const hasOwn = interpretation.some((one) => hasCodeOf(one, SYSTEMS.interpretation))
  const said = interpretation.filter((one) => !hasOwn || hasCodeOf(one, SYSTEMS.interpretation) || codesOf(one).length === 0)
  const codes = said.flatMap((one) => codeOf(one, SYSTEMS.interpretation) ?? [])
  return codes.length > 0 ? [...new Set(codes)].join(', ') : undefined
}
