/** FHIR resources as they are written here: plain JSON. */
export type Resource = Readonly<Record<string, unknown>> & { readonly resourceType: string; readonly id: string }

export const LOINC = 'http://loinc.org'
export const SNOMED = 'http://snomed.info/sct'
export const UCUM = 'http://unitsofmeasure.org'

/** A code and what people call it. */
export type Term = readonly [code: string, display: string]

/** A CodeableConcept with one coding whose display is its text. */
export function concept(system: string, [code, display]: Term): object {
  return { coding: [{ system, code, display }], text: display }
}
