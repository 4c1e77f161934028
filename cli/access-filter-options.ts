import { type Command, InvalidArgumentError, Option } from 'commander'
import { isIP } from 'node:net'
import { PURPOSES_OF_USE } from '../directives/policy.ts'
import { OUTCOMES, type Outcome } from '../gateway/model/access-record.ts'
import type { FilterArguments } from '../gateway/oversight/access-filter.ts'
import { patientText } from './patient-option.ts'

const ACTIONS = ['READ', 'SEARCH', 'CREATE', 'UPDATE', 'DELETE', 'EXPORT', 'REVIEW']

/** The options of `accessFilterOptions`. */
export interface AccessFilterFlags {
  readonly patient?: string
  readonly user?: string
  readonly client?: string
  readonly session?: string
  readonly ip?: string
  readonly path?: string
  readonly category?: string
  readonly outcome?: readonly Outcome[]
  readonly reason?: string
  readonly action?: string
  readonly purpose?: string
  readonly basis?: string
  readonly listed?: true
  readonly asked?: true
  readonly persisted?: true
}

/** Adds the options that select accesses, except for times. */
export const accessFilterOptions = (command: Command): Command =>
  command
    .option('--patient <id>', 'the patient id, from the API or from a record', patientText)
    .option('--user <id>', 'the user id, which is the subject of the token')
    .option('--client <id>', 'the client id')
    .option('--session <id>', 'the session id')
    .option('--ip <address>', 'the source address', addressOption)
    .option('--path <path>', 'the field, such as Patient.birthDate')
    .option('--category <category>', 'all fields of a category, such as LABORATORY')
    .addOption(new Option('--outcome <outcome...>', 'one of these outcomes').choices(OUTCOMES))
    .option('--reason <reason>', 'the reason of a denial or failure, such as RELATIONSHIP')
    .addOption(new Option('--action <action>', 'the action. Reviews of the log count only with REVIEW').choices(ACTIONS))
    .addOption(new Option('--purpose <purpose>', 'the purpose of use').choices(PURPOSES_OF_USE))
    .option('--basis <basis>', 'the basis of the decision: a relationship, BREAK_GLASS, CONSENT or STUDY')
    .addOption(new Option('--listed', 'only records that a list led to').conflicts('asked'))
    .option('--asked', 'only records that were requested by their id')
    .option('--persisted', 'only registered operations')

/** @throws InvalidArgumentError */
export function addressOption(text: string): string {
  if (isIP(text) === 0) throw new InvalidArgumentError('Use an IPv4 or IPv6 address: 203.0.113.9.')
  return text
}

/** The argument `filter` of the auditor's API. */
export function filterOf(flags: AccessFilterFlags): Omit<FilterArguments, 'from' | 'to'> {
  const { patient, user, client, session, ip, path, category, outcome, reason, action, purpose, basis, listed, asked, persisted } =
    flags
  return {
    ...(patient !== undefined && { patientId: patient }),
    ...(user !== undefined && { userId: user }),
    ...(client !== undefined && { clientId: client }),
    ...(session !== undefined && { sessionId: session }),
    ...(ip !== undefined && { sourceIp: ip }),
    ...(path !== undefined && { path }),
    ...(category !== undefined && { category }),
    ...(outcome !== undefined && { outcome }),
    ...(reason !== undefined && { reason }),
    ...(action !== undefined && { action }),
    ...(purpose !== undefined && { purpose }),
    ...(basis !== undefined && { basis }),
    ...((listed === true || asked === true) && { listed: listed === true }),
    ...(persisted === true && { persisted }),
  }
}
