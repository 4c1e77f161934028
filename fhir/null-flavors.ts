/** Codes for a missing value. Files that come from CDA have them beside a text, or instead of it. */
const NULL_FLAVORS: ReadonlySet<string | undefined> = new Set([
  'http://terminology.hl7.org/CodeSystem/v3-NullFlavor',
  'http://hl7.org/fhir/v3/NullFlavor',
])

/** Whether the codes of a concept without a text only say that it is unknown. */
export const isUnknown = ({
  coding,
  text,
}: {
  readonly coding: readonly { readonly system?: string }[]
  readonly text?: string
}): boolean => text === undefined && coding.every(({ system }) => NULL_FLAVORS.has(system))
