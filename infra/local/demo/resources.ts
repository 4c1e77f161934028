/** A FHIR resource as plain JSON. */
export type Resource = Readonly<Record<string, unknown>> & { readonly resourceType: string; readonly id: string }

export const LOINC = 'http://loinc.org'
export const SNOMED = 'http://snomed.info/sct'
export const UCUM = 'http://unitsofmeasure.org'

/** A code and its display name. */
export type Term = readonly [code: string, display: string]

/** A CodeableConcept with one coding. Its text is the display name of the coding. */
export function concept(system: string, [code, display]: Term): object {
  return { coding: [{ system, code, display }], text: display }
}
