import canonicalize from 'canonicalize'
import { createHash } from 'node:crypto'

/**
 * Digest of a review, in hex: SHA-256 of this line and the canonical JSON (RFC 8785) of its members. Equal records under an equal policy
 * give an equal digest. Left out is what does not depend on them:
 * - the order of lists, which is that of the answer of a database
 * - `examined`, which depends on the files of the tables
 * - `file` and `line`, which change with comments of the schema
 *
 * The number of records is in `policies`, and the grants are those of the digest in `policy`.
 */
export function reviewDigest(review: object): string {
  const text = textOf(canonical(review))
  return createHash('sha256').update(`phi-gateway/access-review/v1\n${text}`).digest('hex')
}

const LEFT_OUT: ReadonlySet<string> = new Set(['examined', 'file', 'line'])

function canonical(value: unknown): unknown {
  if (Array.isArray(value)) {
    const members = value.map((one) => canonical(one)).map((member) => ({ member, text: textOf(member) }))
    return members.toSorted((one, other) => (one.text < other.text ? -1 : 1)).map(({ member }) => member)
  }
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, member]) => (LEFT_OUT.has(name) ? [] : [[name, canonical(member)]])),
  )
}

function textOf(value: unknown): string {
  const text = canonicalize(value)
  if (text === undefined) throw new TypeError('a member of a review has no JSON')
  return text
}
