import { sha256 } from '@noble/hashes/sha2.js'
import { hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js'
import { chainHash, type ChainedItem } from './item.ts'
import { base64url } from './member-forms.ts'

const PREFIX = 'phi-gateway/receipt/v1\n'

/**
 * Whether the items of a request are exactly those that its receipt was computed over, and none of them is altered.
 *
 * @param items items of one tenant, in any order; those of other requests are skipped
 * @param receipt `extensions.phi.receipt` of the response
 */
export function verifyReceipt(items: readonly ChainedItem[], requestId: string, receipt: string): boolean {
  const ofRequest = itemsOf(items, requestId)
  if (ofRequest.some((item) => chainHash(item) !== item.hash)) return false
  const hash = sha256.create().update(utf8ToBytes(`${PREFIX}${requestId}\n`))
  for (const item of ofRequest.toSorted(inOrder)) hash.update(hexToBytes(item.hash))
  return base64url(hash.digest()) === receipt
}

/**
 * Whether all items of a request exist, by the numbers in them. A request that a crash cut off is not whole. If it was cut off after
 * an item with a write, that cannot be seen: the request could have ended with it.
 */
export function isWholeRequest(items: readonly ChainedItem[], requestId: string): boolean {
  const ofRequest = itemsOf(items, requestId)
  const numbers = new Set(ofRequest.map(({ part }) => part))
  const parts = Math.max(0, ...ofRequest.map((item) => item.parts ?? 0))
  // as many as stated, all different, none above: exactly 1 to `parts`
  return parts > 0 && ofRequest.length === parts && numbers.size === parts && Math.max(...numbers) === parts
}

const itemsOf = (items: readonly ChainedItem[], requestId: string): ChainedItem[] =>
  items.filter((item) => item.requestId === requestId)

/** By lane, in UTF-16 code units, then by sequence. */
function inOrder(one: ChainedItem, other: ChainedItem): number {
  if (one.lane === other.lane) return one.sequence - other.sequence
  return one.lane < other.lane ? -1 : 1
}
