import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { compress, contentCoding } from '../../../gateway/http/content-encoding.ts'

it.each<[string | undefined, string | undefined]>([
  [undefined, undefined],
  ['', undefined],
  ['gzip, deflate, br, zstd', 'br'],
  ['gzip, deflate', 'gzip'],
  ['GZIP', 'gzip'],
  ['deflate, zstd', undefined],
  ['identity', undefined],
  ['*', 'br'],
  ['br;q=0, *', 'gzip'],
  ['*;q=0', undefined],
  ['br;q=0.5, gzip;q=0.8', 'gzip'],
  ['br ; q=0.8 , gzip ; q=0.8', 'br'],
  ['gzip;q=0.001', 'gzip'],
  ['identity;q=1, br;q=0.5', undefined],
  ['identity;q=0.5, gzip', 'gzip'],
  ['identity;q=0, deflate', undefined],
  // an invalid quality excludes the coding
  ['br;q=2, gzip;q=high', undefined],
  ['br;q=-1, gzip', 'gzip'],
  ['brotli', undefined],
])('%j is answered with %s', (accepted, coding) => {
  expect(contentCoding(accepted)).toBe(coding)
})

it('any header is read without an error, and an excluded coding is never used', () => {
  const element = fc.tuple(
    fc.constantFrom('br', 'gzip', 'identity', '*', 'x'),
    fc.constantFrom('', ';q=0', ';q=0.0', ';q=1', ';q=.5', ';;'),
  )
  const header = fc.oneof(
    fc.string(),
    fc
      .array(
        element.map((parts) => parts.join('')),
        { maxLength: 6 },
      )
      .map((parts) => parts.join(',')),
  )
  fc.assert(
    fc.property(header, fc.constantFrom('br', 'gzip'), (accepted, coding) => {
      expect(['br', 'gzip', undefined]).toContain(contentCoding(accepted))
      expect(contentCoding(`${coding};q=0,${accepted}`)).not.toBe(coding)
    }),
  )
})

it.each([1024, 1024 * 1024 - 1, 1024 * 1024])('a body of %i bytes has the same text afterwards', async (length) => {
  const body = JSON.stringify({ text: 'é€ "quoted"\n' }).repeat(200_000).slice(0, length)
  expect(brotliDecompressSync(await compress(body, 'br')).toString() === body).toBe(true)
  expect(gunzipSync(await compress(body, 'gzip')).toString() === body).toBe(true)
})
