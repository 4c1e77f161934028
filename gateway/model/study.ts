import type { Instant } from './ids.ts'

/** Research on a set of patients that somebody answers for: an institutional review board, or an authorization (45 CFR 164.512(i)). */
export interface Study {
  /** How the protocol is called: see `isProtocol`. */
  readonly protocol: string
  /** For people, who read it in a list of studies. */
  readonly title?: string
  /** The FHIR identities of those who may act under it: `Practitioner/123`. */
  readonly researchers: readonly string[]
  readonly since?: Instant
  /** Exclusive. There is no study without an end. */
  readonly until: Instant
}

const PROTOCOL = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$/

/** Whether a text is the name of a protocol: 1 to 64 letters, digits, dots, hyphens and underscores. */
export const isProtocol = (text: string): boolean => PROTOCOL.test(text)

/** What memberships know a study by, as they know persons: a FHIR reference. */
export const studyReference = (protocol: string): string => `ResearchStudy/${protocol}`
