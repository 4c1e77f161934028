import type { ZodError } from 'zod'
import { OPERATION_ID_FORM } from '../model/operation-id.ts'

// Details of a body or a URL that is no request of GraphQL. They name its members, and repeat none of its values.

export const HALF_OF_A_PAIR = 'A text of the request has half of a surrogate pair. Send well-formed Unicode.'

export const NO_OPERATION =
  'The request has neither `query` nor an id. Send the text of an operation as `query`, or the id of a registered operation as `documentId`.'

export const lengthDetail = (part: string, length: number, most: number): string =>
  `The ${part} has ${length} characters; the maximum is ${most}. Send large values in requests of their own.`

/** @param holder the part of the request that holds the text */
export function jsonDetail(holder: string, text: string, error: unknown): string {
  if (text === '') return `${holder} is empty. Send a JSON object with the member \`query\`.`
  const [, position] = (error instanceof Error && /at position (\d+)/.exec(error.message)) || []
  const place = position === undefined ? '' : ` The first fault is at character ${Number(position) + 1} of ${text.length}.`
  return `${holder} is not JSON.${place}`
}

const ID = `an id: ${OPERATION_ID_FORM}`

const MEMBERS: Readonly<Record<string, string>> = {
  query: 'a text',
  documentId: ID,
  doc_id: ID,
  id: ID,
  operationName: 'a text',
  variables: 'a JSON object with the names of variables as its members',
  extensions: 'a JSON object. Its `persistedQuery` has `version` 1 and a `sha256Hash` of 64 hex digits',
}

/** The detail of a body that is JSON and no request. */
export function shapeDetail(json: unknown, { issues: [first] }: ZodError): string {
  if (Array.isArray(json)) return 'The body is a batch. Send one operation in a request.'
  const name = String(first?.path[0] ?? '')
  const form = MEMBERS[name]
  return form === undefined ? 'The body is no JSON object. Send an object with the member `query`.' : `\`${name}\` must be ${form}.`
}

/** The members of the ids of a request. */
export const membersOf = (ids: readonly { readonly form: string }[]): string => ids.map(({ form }) => `\`${form}\``).join(', ')
