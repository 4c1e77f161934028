/** `Practitioner/123`, with or without a version. */
const REFERENCE = /^([A-Z][A-Za-z]{2,40}\/[A-Za-z0-9\-.]{1,64})(?:\/_history\/[A-Za-z0-9\-.]{1,64})?$/

/**
 * Returns the base URL of a FHIR server with one slash at its end; undefined if the text is no base URL.
 *
 * @source https://hl7.org/fhir/R4/http.html#root
 */
export function fhirBase(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) return undefined
  // credentials, a query or a fragment belong to a request, not to a server
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') return undefined
  return `${url.href.replace(/\/+$/, '')}/`
}

/**
 * Returns a reference in the form of stored memberships, `Practitioner/123`: relative and without a version. A URL becomes a
 * relative reference only if it is below one of the bases. Any other URL stays a URL, so that `Practitioner/123` of another server
 * never equals the local one.
 *
 * @param bases results of `fhirBase`: the servers with the ids of the caller's tenant
 * @source https://hl7.org/fhir/R4/references.html, SMART App Launch 2.2 (`fhirUser`)
 */
export function localReference(reference: string, bases: readonly string[]): string {
  // a parsed URL has one spelling of its scheme, host and port, and no dot segments
  const url = URL.canParse(reference) ? new URL(reference).href : undefined
  const base = url === undefined ? undefined : bases.find((one) => url.startsWith(one) && REFERENCE.test(url.slice(one.length)))
  const relative = url === undefined || base === undefined ? reference : url.slice(base.length)
  return REFERENCE.exec(relative)?.[1] ?? reference
}
