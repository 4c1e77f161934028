import { userAgentHash } from './entry.ts'

/** More than a lane meets between two cold starts; past it, texts are told again. */
const MOST = 10_000

/** Which user agents a lane has told in full: the text goes out once in a lane and session, after that its hash says enough. */
export class UserAgents {
  readonly #told = new Set<string>()

  /** What a record says of the user agent. */
  tell(given: string, session: string | undefined): { userAgent: string; userAgentText?: string } {
    // a client's own bytes, cut at some length: half a character has no canonical form and would come back as another one
    const text = given.toWellFormed()
    const userAgent = userAgentHash(text)
    const told = `${session ?? ''}\n${userAgent}`
    if (this.#told.has(told)) return { userAgent }
    if (this.#told.size >= MOST) this.#told.clear()
    this.#told.add(told)
    return { userAgent, userAgentText: text }
  }

  /** Records that were to tell it were not stored: it was not told. */
  forget(): void {
    this.#told.clear()
  }
}
