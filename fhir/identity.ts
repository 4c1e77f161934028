import { RESOURCE_TYPES } from './resource-types.ts'

/** A resource on a server. */
export interface ServerUrl {
  /** The base of the server without the protocol: one server may be named by http and by https. */
  readonly base: string
  readonly type: string
  readonly id: string
}

/** @source https://hl7.org/fhir/R4/datatypes.html#id */
export const FHIR_ID = /^[A-Za-z0-9\-.]{1,64}$/
const SERVER_URL = /^https?:\/\/([^?#\s]+)\/([A-Z][A-Za-z]{2,40})\/([A-Za-z0-9\-.]{1,64})(?:\/_history\/[A-Za-z0-9\-.]{1,64})?$/
/** `Type/id`, of any version. */
export const RELATIVE = /^([A-Z][A-Za-z]{2,40})\/([A-Za-z0-9\-.]{1,64})(?:\/_history\/[A-Za-z0-9\-.]{1,64})?$/
const URN_UUID = /^urn:uuid:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i
const URN_OID = /^urn:oid:([0-2](?:\.(?:0|[1-9]\d*))+)$/

/** Reads the URL of a resource on a server, of any version. @source https://hl7.org/fhir/R4/references.html#literal */
export function serverUrl(url: string): ServerUrl | undefined {
  const [, base = '', type = '', id = ''] = SERVER_URL.exec(url) ?? []
  return RESOURCE_TYPES.has(type) ? { base, type, id } : undefined
}

/** A full URL without its base. FHIR forbids it, and exporters write it. */
function relativeUrl(url: string): { readonly type?: string; readonly id?: string } {
  const [, type, id] = RELATIVE.exec(url) ?? []
  return { ...(type !== undefined && { type }), ...(id !== undefined && { id }) }
}

/** The one spelling of a URL under which it is compared: without version and protocol, and UUIDs in lower case. */
export function comparable(url: string): string {
  const server = serverUrl(url)
  if (server !== undefined) return `//${server.base}/${server.type}/${server.id}`
  return URN_UUID.test(url) ? url.toLowerCase() : url
}

interface Identity {
  /** Undefined if the entry has none, or two that differ. */
  readonly id?: string
  readonly base?: string
  /** The ids that the entry names, if they differ. References to them lead nowhere. */
  readonly differing?: readonly string[]
}

/**
 * The id of an entry: that of its resource, else the end of its full URL, its UUID or its OID. The full URL of a server must not name
 * another resource.
 *
 * @source https://hl7.org/fhir/R4/bundle-definitions.html#Bundle.entry.fullUrl
 */
export function identityOf(resource: Readonly<Record<string, unknown>>, fullUrl = ''): Identity {
  const server = serverUrl(fullUrl)
  const base = server !== undefined && { base: server.base }
  if (Object.hasOwn(resource, 'id')) {
    const { id } = resource
    if (typeof id !== 'string' || !FHIR_ID.test(id)) return { ...base }
    if (server === undefined || (server.type === resource['resourceType'] && server.id === id)) return { id, ...base }
    return { differing: [`${String(resource['resourceType'])}/${id}`, `${server.type}/${server.id}`] }
  }
  const { type, id = (URN_UUID.exec(fullUrl) ?? URN_OID.exec(fullUrl))?.[1] } = server ?? relativeUrl(fullUrl)
  if (id === undefined || !FHIR_ID.test(id) || (type !== undefined && type !== resource['resourceType'])) return {}
  return { id, ...base }
}
