import type { Instant } from './ids.ts'

/** Research on a set of patients, approved by an institutional review board or by authorization (45 CFR 164.512(i)). */
export interface Study {
  /** The name of the protocol: see `isProtocol`. */
  readonly protocol: string
  /** The title in a list of studies. */
  readonly title?: string
  /** The FHIR identities of the researchers that may act under it: `Practitioner/123`. */
  readonly researchers: readonly string[]
  readonly since?: Instant
  /** Exclusive. Every study has an end. */
  readonly until: Instant
}

const PROTOCOL = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$/

/** Whether a text is the name of a protocol: 1 to 64 letters, digits, dots, hyphens and underscores. */
export const isProtocol = (text: string): boolean => PROTOCOL.test(text)

/** The FHIR reference of a study: the `fhirUser` of its memberships. */
export const studyReference = (protocol: string): string => `ResearchStudy/${protocol}`
