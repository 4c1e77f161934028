/** A base profile with a version, which is the version of FHIR. Profiles of implementation guides have versions of their own. */
const BASE_PROFILE = /^http:\/\/hl7\.org\/fhir\/(?:(\d+\.\d+)\/)?StructureDefinition\/[^|]+(?:\|(\d+\.\d+)[^|]*)?$/
/** The parameter of the media type. @source https://hl7.org/fhir/R4/versioning.html#mt-version */
const PARAMETER = /fhirVersion(?:=|%3D)(\d+\.\d+)/gi

/** R4 and R4B. */
const READ: ReadonlySet<string> = new Set(['4.0', '4.3'])

/** Whether a profile names another version of FHIR than R4 and R4B. */
export function isOfOtherVersion(profiles: unknown): boolean {
  if (!Array.isArray(profiles)) return false
  return profiles.some((profile) => {
    const [, ofPath, ofVersion] = (typeof profile === 'string' ? BASE_PROFILE.exec(profile) : undefined) ?? []
    return [ofPath, ofVersion].some((version) => version !== undefined && !READ.has(version))
  })
}

/** Whether a text, such as the link of a searchset, asks for another version of FHIR than R4 and R4B. */
export function asksOtherVersion(text: string): boolean {
  return [...text.matchAll(PARAMETER)].some(([, version = '']) => !READ.has(version))
}
