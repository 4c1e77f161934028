import { asksAuditLog, auditUrlOf, endpointOf } from './audit-endpoint.ts'
import { operationId } from './demo/demo-clients.ts'
import type { FirstOperation } from './explorer/menu.ts'
import { phiCommand } from './phi-command.ts'
import type { StackUser } from './users.ts'

const PANEL = '{ patients(first: 2) { edges { node { id familyName givenName birthDate'

/** A typical first query of each role. It is only an example: the caller's role decides the values of the response. */
const FIRST_QUERY: Readonly<Record<string, string>> = {
  PHYSICIAN: `${PANEL} observations(first: 2) { edges { node { code { text } effectiveDateTime valueQuantity { value unit } } } } } } } }`,
  NURSE: `${PANEL} observations(first: 2) { edges { node { code { text } valueQuantity { value unit } } } } } } } }`,
  FRONT_DESK: `${PANEL} phone } } } }`,
  BILLING: `${PANEL} ssn } } } }`,
  RESEARCHER: '{ patients(first: 2) { edges { node { birthDate gender address { postalCode } } } } }',
  PATIENT: `${PANEL} careTeam { edges { node { displayName role } } } } } } }`,
}
/** The first operation of a machine client, by its id: a partner sends no text. */
const FIRST_OPERATION: Readonly<Record<string, string>> = { acme: 'Members' }
/** The first question of an auditor, and of a privacy officer, to the log. */
const FIRST_QUESTION: Readonly<Record<string, string>> = {
  AUDITOR: '{ fieldAccesses(filter: { userId: "physician" }, first: 5) { edges { node { at patientId path outcome reason } } } }',
  PRIVACY_OFFICER: '{ fieldAccesses(filter: { userId: "auditor", action: REVIEW }) { edges { node { at path filter count } } } }',
}
const WHO_AM_I = '{ viewer { userId tenant roles purpose mayClaim } }'

/** The text of a demo user's first query. Undefined for a machine client, which sends the id of a registered operation. */
export function firstQueryOf({ name, role }: StackUser): string | undefined {
  return Object.hasOwn(FIRST_OPERATION, name) ? undefined : (FIRST_QUESTION[role] ?? FIRST_QUERY[role] ?? WHO_AM_I)
}

/** What the demo clinic shows in the access plan of each role. */
const SUGGESTIONS: Readonly<Record<string, string>> = {
  PHYSICIAN: 'Add ssn: it is null, and the plan names the rule.',
  NURSE: 'Add ssn: it is null, and the plan names the rule.',
  FRONT_DESK: 'Add observations: the plan denies them.',
  BILLING: 'Add observations: the plan denies them.',
  RESEARCHER: 'Add familyName: the plan denies it.',
  PATIENT: 'Add ssn: the plan shows the last four digits as a view.',
}

/** A demo user's first operation in the explorer. */
export function firstOperationOf(user: StackUser): FirstOperation {
  const suggestion = SUGGESTIONS[user.role]
  return {
    query: firstQueryOf(user) ?? WHO_AM_I,
    endpoint: endpointOf(user),
    ...(suggestion !== undefined && { suggestion }),
  }
}

/** Lists demo users, each with one command that you can run in the project folder. */
export function tour(users: readonly StackUser[], graphql: string, env: NodeJS.ProcessEnv): string {
  return users
    .map((user) =>
      [`# ${user.name} (${user.role}, ${user.tenant}): ${user.description}`, firstCommandOf(user, graphql, env)].join('\n'),
    )
    .join('\n\n')
}

/** The command that sends a demo user's first query: one line for sh, bash and zsh. */
export function firstCommandOf(user: StackUser, graphql: string, env: NodeJS.ProcessEnv): string {
  const { name } = user
  const query = firstQueryOf(user)
  const body = JSON.stringify(query === undefined ? { documentId: operationId(name, FIRST_OPERATION[name] ?? '') } : { query })
  return [
    `curl -s ${asksAuditLog(user) ? auditUrlOf(graphql) : graphql}`,
    `-H "authorization: Bearer $(${phiCommand(env)} token ${name})"`,
    `-H 'content-type: application/json'`,
    `-d '${body}'`,
  ].join(' ')
}
