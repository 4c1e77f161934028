import { InvalidArgumentError } from 'commander'
import { DEMO_USERS } from '../infra/local/users.ts'
import type { TenantId } from '../gateway/model/ids.ts'

/** Somebody who is put in the place of a practitioner, so that they may read what is imported. */
export interface Assignment {
  /** A demo user's name, or a FHIR identity. */
  readonly user: string
  readonly practitioner: string
}

const FHIR_USER = /^[A-Z][A-Za-z]{2,40}\/[A-Za-z0-9\-.]{1,64}$/
const PRACTITIONER = /^Practitioner(?:\/[A-Za-z0-9\-.]{1,64}|\?identifier=[!-~]{1,300})$/

/** @throws InvalidArgumentError */
export function assignment(text: string, before: readonly Assignment[]): readonly Assignment[] {
  const equals = text.indexOf('=')
  const user = text.slice(0, Math.max(equals, 0))
  const practitioner = text.slice(equals + 1)
  if (user === '' || !PRACTITIONER.test(practitioner)) {
    throw new InvalidArgumentError('An assignment is USER=Practitioner/ID, or USER=Practitioner?identifier=SYSTEM|VALUE.')
  }
  return [...before, { user, practitioner }]
}

/**
 * The FHIR identities by practitioner. A name with a slash is an identity itself; any other must be a demo user of the tenant.
 *
 * @throws InvalidArgumentError for a user who has no FHIR identity here
 */
export function assignments(all: readonly Assignment[], tenant: TenantId): ReadonlyMap<string, readonly string[]> {
  const byPractitioner = new Map<string, string[]>()
  for (const { user, practitioner } of all) {
    const known = DEMO_USERS.find(({ name, tenant: home }) => name === user && home === tenant)
    const fhirUser = known?.fhirUser ?? (FHIR_USER.test(user) ? user : undefined)
    if (fhirUser === undefined) {
      throw new InvalidArgumentError(
        'An assigned user is a demo user of the tenant with a FHIR identity, or a FHIR identity like Practitioner/ID.',
      )
    }
    byPractitioner.set(practitioner, [...(byPractitioner.get(practitioner) ?? []), fhirUser])
  }
  return byPractitioner
}
