import * as z from 'zod'
import type { ExplorerUser } from '../explorer-config.ts'

/** A GraphQL request: the text, the values of its variables, and the operation of the text to run. */
export interface Operation {
  readonly query: string
  readonly variables?: unknown
  readonly operationName?: string | null | undefined
}

/** The stack gave no token for the user. */
class NotSignedIn extends Error {
  override readonly name = 'NotSignedIn'
}

const TokenAnswer = z.object({ token: z.string() })
const Refusal = z.object({ message: z.string() })

/** Requests as one user with one purpose of use. */
export class Session {
  readonly user: ExplorerUser
  readonly purpose: string | undefined
  #token: Promise<string> | undefined

  constructor(user: ExplorerUser, purpose: string | undefined) {
    this.user = user
    this.purpose = purpose
  }

  /**
   * Sends a request with the user's token. An expired token, or an idle session, is replaced once.
   *
   * @throws NotSignedIn
   */
  async ask(operation: Operation): Promise<object> {
    let response = await this.#send(operation)
    if (response.status === 401) {
      this.#token = undefined
      response = await this.#send(operation)
    }
    return z.looseObject({}).parse(await response.json())
  }

  async #send(operation: Operation): Promise<Response> {
    this.#token ??= this.#signIn()
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${await this.#token}` }
    return await fetch(this.user.endpoint, { method: 'POST', headers, body: JSON.stringify(operation) })
  }

  async #signIn(): Promise<string> {
    try {
      const response = await fetch('/explorer/token', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ user: this.user.name, ...(this.purpose !== undefined && { purpose: this.purpose }) }),
      })
      const answer: unknown = await response.json()
      if (!response.ok) throw new NotSignedIn(Refusal.safeParse(answer).data?.message ?? 'The stack gave no token.')
      return TokenAnswer.parse(answer).token
    } catch (error) {
      this.#token = undefined
      throw error
    }
  }
}
