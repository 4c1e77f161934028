import type { Concept } from './datatypes.ts'

/** Code systems of FHIR and of HL7, by the elements that the API gives as one code. */
export const SYSTEMS = {
  conditionClinical: ['http://terminology.hl7.org/CodeSystem/condition-clinical'],
  allergyClinical: ['http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical'],
  observationCategory: ['http://terminology.hl7.org/CodeSystem/observation-category'],
  interpretation: ['http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation', 'http://hl7.org/fhir/v2/0078'],
  coverageType: ['http://terminology.hl7.org/CodeSystem/v3-ActCode', 'http://terminology.hl7.org/CodeSystem/coverage-selfpay'],
  language: ['urn:ietf:bcp:47'],
  identifierType: ['http://terminology.hl7.org/CodeSystem/v2-0203', 'http://hl7.org/fhir/v2/0203'],
} as const

/** The codes of a concept, each once, in their order. */
export function codesOf(concept: Concept | undefined): readonly string[] {
  return [...new Set((concept?.coding ?? []).flatMap(({ code }) => code ?? []))]
}

/**
 * A concept as the one code that the API gives of it. Codings have no order: the code of the first system in `systems` counts, then any code, then
 * the text.
 *
 * @source https://hl7.org/fhir/R4/datatypes.html#CodeableConcept
 */
export function codeOf(concept: Concept | undefined, systems: readonly string[] = []): string | undefined {
  const codings = (concept?.coding ?? []).filter(({ code }) => code !== undefined)
  const own = systems.map((system) => codings.find((coding) => coding.system === system)).find((coding) => coding !== undefined)
  return (own ?? codings[0])?.code ?? concept?.text ?? concept?.coding.find(({ display }) => display !== undefined)?.display
}

/** The first code of the systems that one of several concepts has; else what `codeOf` gives of the first concept. */
export function codeAmong(concepts: readonly (Concept | undefined)[], systems: readonly string[]): string | undefined {
  const own = concepts.find((concept) => hasCodeOf(concept, systems))
  return codeOf(own ?? concepts.find((concept) => concept !== undefined), systems)
}

/** Whether a concept has a code of one of the systems. */
export function hasCodeOf(concept: Concept | undefined, systems: readonly string[]): boolean {
  return (concept?.coding ?? []).some(({ system, code }) => code !== undefined && system !== undefined && systems.includes(system))
}

/** Every category that a filter finds a record by: the codes of all codings, and the text of a concept without a code. */
export function categoriesOf(concepts: readonly (Concept | undefined)[]): readonly string[] {
  return concepts.flatMap((concept) => {
    const codes = codesOf(concept)
    return codes.length > 0 ? codes : (codeOf(concept) ?? [])
  })
}

/** Whether a concept has a code of the systems. A coding without a system counts. */
export function hasCode(concept: Concept | undefined, code: string, systems: readonly string[]): boolean {
  return (concept?.coding ?? []).some((one) => one.code === code && (one.system === undefined || systems.includes(one.system)))
}

/** A concept in words: its text, else a name, else a code. */
export function wordsOf(concept: Concept | undefined): string | undefined {
  return concept?.text ?? concept?.coding.find(({ display }) => display !== undefined)?.display ?? codesOf(concept)[0]
}
