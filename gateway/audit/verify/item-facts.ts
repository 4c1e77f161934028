import { contentIn, type ItemContent } from './item-text.ts'

/** The facts of an item that concern the log as a whole. */
interface ItemFacts {
  /** Number of field-level records. */
  readonly records: number
  /** Milliseconds since the epoch. */
  readonly time: number
  /** Digest of the policy lock, base64url. */
  readonly policy: string
  readonly succeeds?: string
  readonly content: ItemContent
}

/** 32 bytes in base64url. The last digit has two unused bits. */
const DIGEST = /^[\w-]{42}[AEIMQUYcgkosw048]$/

/** The facts of a text. Returns undefined for a text that is no item, or that two readers could read in different ways. */
export function itemFacts(text: string): ItemFacts | undefined {
  try {
    const value: unknown = JSON.parse(text)
    // a member that occurs twice, or any other spelling, does not come back the same
    if (JSON.stringify(value) !== text) return undefined
    const content = contentIn(value)
    const { c, g, h, s } = content
    const { t: time, po: policy, su: succeeds } = c
    if (typeof time !== 'number' || !Number.isSafeInteger(time) || typeof policy !== 'string' || !DIGEST.test(policy))
      return undefined
    if (succeeds !== undefined && typeof succeeds !== 'string') return undefined
    let records = 0
    for (const [head, , , shapes] of g) {
      if (head >= h.length || shapes.some((place) => place >= s.length)) return undefined
      records += shapes.length
    }
    return records === 0 ? undefined : { records, time, policy, content, ...(succeeds !== undefined && { succeeds }) }
  } catch {
    return undefined
  }
}
