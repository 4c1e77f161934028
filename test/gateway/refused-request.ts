import type { FailureCode } from '../../gateway/model/failures.ts'

/** Occurs in every value of a request: in variables, literals, headers and tokens. */
export const VALUE = 'CANARY-999-12-3456'

export interface Sent {
  readonly method?: string
  readonly queryString?: string
  readonly headers?: Readonly<Record<string, string | undefined>>
  readonly body?: unknown
}

export const query = (text: string, variables?: object, more: object = {}): Sent => ({ body: { query: text, variables, ...more } })
export const BY_ID = 'query ($id: ID!) { patient(id: $id) { familyName } }'

/** A bad request, its code, and its message on the local stage. */
export type RefusedRequest = readonly [name: string, sent: (token: string) => Sent, code: FailureCode, message: string | RegExp]
