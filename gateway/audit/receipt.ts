import { createHash } from 'node:crypto'
import type { ItemReceipt } from './submission.ts'

const PREFIX = 'phi-gateway/receipt/v1\n'

/**
 * The receipt of a request: base64url of SHA-256 over a prefix, the request id, a newline and the hashes of the request's items,
 * 32 bytes each, in the order of lane and sequence. It reveals neither lanes nor the number of items.
 *
 * The format is `docs/audit-log.md`, section "The receipt".
 */
export function receiptText(requestId: string, items: readonly ItemReceipt[]): string {
  const hash = createHash('sha256').update(`${PREFIX}${requestId}\n`)
  // by code units: localeCompare would depend on the language of the machine
  for (const item of items.toSorted((a, b) => (a.lane === b.lane ? a.sequence - b.sequence : a.lane < b.lane ? -1 : 1))) {
    hash.update(Buffer.from(item.hash, 'hex'))
  }
  return hash.digest('base64url')
}
