import { InvalidArgumentError } from 'commander'
import type { StackFile } from '../infra/local/stack-file.ts'
import { unknownText } from './choices.ts'

/** Assigns a user to a practitioner, so that the user can read the imported records. */
export interface Assignment {
  /** A user's name, or a FHIR identity. */
  readonly user: string
  readonly practitioner: string
}

const FHIR_USER = /^[A-Z][A-Za-z]{2,40}\/[A-Za-z0-9\-.]{1,64}$/
const PRACTITIONER = /^Practitioner(?:\/[A-Za-z0-9\-.]{1,64}|\?identifier=[!-~]{1,300})$/

/**
 * Parses the value of one `--assign` and appends it to those before it.
 *
 * @throws InvalidArgumentError with the expected form
 */
export function assignment(text: string, before: readonly Assignment[]): readonly Assignment[] {
  const equals = text.indexOf('=')
  const user = text.slice(0, Math.max(equals, 0))
  const practitioner = text.slice(equals + 1)
  if (user === '' || !PRACTITIONER.test(practitioner)) {
    throw new InvalidArgumentError('Use USER=Practitioner/ID or USER=Practitioner?identifier=SYSTEM|VALUE.')
  }
  return [...before, { user, practitioner }]
}

/**
 * Returns the FHIR identities of the assigned users, by practitioner. A user is the name of a user of the tenant, or a FHIR identity such
 * as `Practitioner/ID`.
 *
 * @param users of the tenant; undefined if they are not known
 * @throws InvalidArgumentError for a user without a FHIR identity
 */
export function assignments(
  all: readonly Assignment[],
  users: StackFile['users'] | undefined,
): ReadonlyMap<string, readonly string[]> {
  const byPractitioner = new Map<string, string[]>()
  for (const { user, practitioner } of all) {
    const fhirUser = users?.find(({ name }) => name === user)?.fhirUser ?? (FHIR_USER.test(user) ? user : undefined)
    if (fhirUser === undefined && users === undefined)
      throw new InvalidArgumentError(
        'The names of users are not known here (--assign). Use a FHIR identity, such as Practitioner/ID.',
      )
    if (fhirUser === undefined) {
      const known = (users ?? []).filter((one) => one.fhirUser !== undefined).map(({ name }) => name)
      const words = { noun: 'user with a FHIR identity', nouns: 'users with one', of: 'the tenant', option: '--assign' }
      throw new InvalidArgumentError(
        `${unknownText(user, { ...words, known })} A FHIR identity, such as Practitioner/ID, is possible, too.`,
      )
    }
    byPractitioner.set(practitioner, [...(byPractitioner.get(practitioner) ?? []), fhirUser])
  }
  return byPractitioner
}
