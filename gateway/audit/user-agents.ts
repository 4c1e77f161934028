import { userAgentHash } from './entry.ts'
import { writeUnits } from './item.ts'

/** The user agent of a request. A request computes it once for all of its items. */
export interface UserAgent {
  readonly text: string
  /** First 8 bytes of SHA-256 of the text, base64url. */
  readonly hash: string
  /** Write units of the text in a transaction. */
  readonly units: number
}

/** More than a lane meets in its hour. Beyond this number, texts are stored again. */
const MAX_STORED = 10_000
/** `"ut":,` */
const MEMBER_BYTES = 6
/** Write units of texts in one transaction at most: they are not in the units of an item. Later items store the other texts. */
const MAX_UNITS = 16

export function userAgentOf(given: string): UserAgent {
  // the bytes are the client's, cut at some length: half a character has no canonical form
  const text = given.toWellFormed()
  const units = writeUnits(Buffer.byteLength(JSON.stringify(text)) + MEMBER_BYTES, 0)
  return { text, hash: userAgentHash(text), units }
}

/** The user agents with a stored text in a lane. The text is stored once for each lane and session; other items have its hash. */
export class UserAgents {
  readonly #stored = new Set<string>()
  #units = 0

  /** Begins another transaction. */
  begin(): void {
    this.#units = 0
  }

  /** The members of an item for a user agent. */
  membersFor({ text, hash, units }: UserAgent, session: string | undefined): { userAgent: string; userAgentText?: string } {
    const key = `${session ?? ''}\n${hash}`
    if (this.#stored.has(key) || this.#units + units > MAX_UNITS) return { userAgent: hash }
    if (this.#stored.size >= MAX_STORED) this.#stored.clear()
    this.#stored.add(key)
    this.#units += units
    return { userAgent: hash, userAgentText: text }
  }

  /** The items with the texts were not stored. */
  forget(): void {
    this.#stored.clear()
  }
}
