import type { DemoUser } from './users.ts'

const PANEL = '{ patients(first: 2) { edges { node { id familyName givenName birthDate'

/** What each role would ask first. The answers differ by role, not by who wrote the query. */
const FIRST_QUERY: Readonly<Record<string, string>> = {
  PHYSICIAN: `${PANEL} observations(first: 2) { edges { node { code { text } effectiveDateTime valueQuantity { value unit } } } } } } } }`,
  NURSE: `${PANEL} observations(first: 2) { edges { node { code { text } valueQuantity { value unit } } } } } } } }`,
  FRONT_DESK: `${PANEL} phone } } } }`,
  BILLING: `${PANEL} ssn } } } }`,
  RESEARCHER: '{ patients(first: 2) { edges { node { birthDate gender address { postalCode } } } } }',
  PATIENT: `${PANEL} careTeam { edges { node { displayName role } } } } } } }`,
}
const WHO_AM_I = '{ viewer { userId tenant roles purpose mayClaim } }'

/** The demo users, each with one line that a shell in the project's folder runs as it stands. */
export function tour(users: readonly DemoUser[], graphql: string): string {
  return users
    .map((user) => [`# ${user.name} (${user.role}, ${user.tenant}): ${user.says}`, curl(user, graphql)].join('\n'))
    .join('\n\n')
}

function curl(user: DemoUser, graphql: string): string {
  const body = JSON.stringify({ query: FIRST_QUERY[user.role] ?? WHO_AM_I })
  return [
    `curl -s ${graphql}`,
    `-H "authorization: Bearer $(npm run --silent phi -- token ${user.name})"`,
    `-H 'content-type: application/json'`,
    `-d '${body}'`,
  ].join(' ')
}
