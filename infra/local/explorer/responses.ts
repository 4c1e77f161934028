import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'

/**
 * The page loads only its own files, and sends requests only to its own origin. Monaco, the editor of GraphiQL, adds style
 * elements, so styles need `unsafe-inline`. Its style sheet has its fonts as data.
 */
export const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "connect-src 'self'",
  "worker-src 'self'",
  "font-src 'self' data:",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const COMMON = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  // another site, or another local server, can neither read an answer nor share a process with the page
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'content-security-policy': PAGE_POLICY,
}

/** The page. It is never stored, so that a new version of the project needs no reload of a cache. */
export const htmlResponse = (statusCode: number, body: string): APIGatewayProxyStructuredResultV2 => ({
  statusCode,
  headers: { ...COMMON, 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store', vary: 'accept' },
  body,
})

export const jsonResponse = (statusCode: number, value: unknown): APIGatewayProxyStructuredResultV2 => ({
  statusCode,
  headers: { ...COMMON, 'content-type': 'application/json', 'cache-control': 'no-store' },
  body: JSON.stringify(value),
})

/** A file with a hash of its content in its name, compressed with gzip. */
export const assetResponse = (type: string, compressed: Buffer): APIGatewayProxyStructuredResultV2 => ({
  statusCode: 200,
  headers: {
    ...COMMON,
    'content-type': type,
    'content-encoding': 'gzip',
    'cache-control': 'public, max-age=31536000, immutable',
  },
  body: compressed.toString('base64'),
  isBase64Encoded: true,
})
