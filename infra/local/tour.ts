import { operationId } from './demo/demo-clients.ts'
import type { DemoUser } from './users.ts'

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

/** Lists the demo users, each with one command that you can run in the project folder. */
export function tour(users: readonly DemoUser[], graphql: string): string {
  return users
    .map((user) => [`# ${user.name} (${user.role}, ${user.tenant}): ${user.description}`, curl(user, graphql)].join('\n'))
    .join('\n\n')
}

function curl(user: DemoUser, graphql: string): string {
  const operation = FIRST_OPERATION[user.name]
  const question = FIRST_QUESTION[user.role]
  const query = question ?? FIRST_QUERY[user.role] ?? WHO_AM_I
  const body = JSON.stringify(operation === undefined ? { query } : { documentId: operationId(user.name, operation) })
  return [
    `curl -s ${question === undefined ? graphql : new URL('/audit/graphql', graphql).href}`,
    `-H "authorization: Bearer $(npm run --silent phi -- token ${user.name})"`,
    `-H 'content-type: application/json'`,
    `-d '${body}'`,
  ].join(' ')
}
