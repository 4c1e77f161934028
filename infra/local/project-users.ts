import { readFileSync } from 'node:fs'
import * as z from 'zod'
import type { PolicyTable, Role } from '../../directives/policy.ts'
import { tenantId } from '../../gateway/model/ids.ts'
import { ProjectRefused } from '../../schema/project.ts'
import type { StackUser } from './users.ts'

/** A user of a project. */
export interface ProjectUser extends StackUser {
  readonly query?: string
}

const User = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'Use lower-case letters, digits and hyphens.'),
  tenant: z.string().refine((text) => tenantId(text) !== undefined, 'Use lower-case letters, digits and hyphens.'),
  role: z.string(),
  /** The identity that memberships name, for instance `Practitioner/therapist`. */
  fhirUser: z.string().optional(),
  /** A machine client, which signs in with a secret. */
  client: z.literal(true).optional(),
  /** One line for the start screen. */
  description: z.string().default(''),
  /** The first query in the explorer, and in the line to copy. */
  query: z.string().optional(),
})
const Users = z.array(User).min(1)

/**
 * Reads the users of the local identity provider.
 *
 * @param policy defines the roles that a user can have
 * @throws ProjectRefused
 */
export function projectUsers(file: string, policy: PolicyTable): readonly ProjectUser[] {
  const users = parsed(file)
  const names = users.map(({ name }) => name)
  const repeated = names.find((name, index) => names.indexOf(name) !== index)
  if (repeated !== undefined) throw new ProjectRefused(`${file}: several users have the name ${repeated}.`)
  const stranger = users.find(({ role }) => !policy.roles.has(role as Role))
  if (stranger !== undefined)
    throw new ProjectRefused(
      `${file}: the user ${stranger.name} has the role ${stranger.role}, which the schema does not define. It has ${[...policy.roles.keys()].join(', ')}.`,
    )
  return users as readonly ProjectUser[]
}

function parsed(file: string): z.infer<typeof Users> {
  try {
    return Users.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch (cause) {
    const why = cause instanceof z.ZodError ? z.prettifyError(cause) : 'It is not a readable JSON file.'
    throw new ProjectRefused(`${file}: ${why}`, { cause })
  }
}
