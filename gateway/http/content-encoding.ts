import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import { parseWeighted } from './messages.ts'

/** The codings of a compressed body. If the client accepts several equally, the first one is used. */
const CODINGS = ['br', 'gzip'] as const
export type ContentCoding = (typeof CODINGS)[number]

/** A shorter body is sent as it is: it fits into one packet, and compression would save nothing. */
export const MIN_COMPRESSED_BYTES = 1024

/**
 * The qualities for most bodies: 1 ms of processor time for 100 patients. Brotli at quality 5 takes a quarter longer and saves 2 percent.
 */
const QUALITY = { br: 4, gzip: 6 }
/** From this length on, each quality is the lowest: 2.8 MB take 25 to 50 ms instead of 150, and half a second is left for sending. */
const LARGE_BYTES = 1024 * 1024
const LOWEST_QUALITY = { br: 1, gzip: 1 }

const brotli = promisify(brotliCompress)
const deflate = promisify(gzip)

/**
 * Negotiates the coding of a response. Returns undefined for a body without compression: the client accepts no coding, or prefers none.
 *
 * @source https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3
 */
export function contentCoding(accepted: string | undefined): ContentCoding | undefined {
  if (accepted === undefined) return undefined
  const ranges = accepted.split(',').map(parseWeighted)
  const weightOf = (coding: string): number | undefined => ranges.find(({ essence }) => essence === coding)?.quality
  const others = weightOf('*') ?? 0
  const [best] = CODINGS.map((coding) => ({ coding, weight: weightOf(coding) ?? others })).toSorted((a, b) => b.weight - a.weight)
  return best !== undefined && best.weight > 0 && best.weight >= (weightOf('identity') ?? 0) ? best.coding : undefined
}

/** Compresses a body, in a thread of the pool. */
export async function compress(body: string, coding: ContentCoding): Promise<Buffer> {
  const bytes = Buffer.from(body)
  const quality = bytes.length < LARGE_BYTES ? QUALITY : LOWEST_QUALITY
  if (coding === 'gzip') return await deflate(bytes, { level: quality.gzip })
  const params = {
    [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
    [constants.BROTLI_PARAM_QUALITY]: quality.br,
    [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
  }
  return await brotli(bytes, { params })
}
