import { get as getHttp, type IncomingMessage } from 'node:http'
import { get as getHttps } from 'node:https'
import { Unauthenticated } from '../model/failures.ts'

const TIMEOUT_MS = 1_500
/** Maximum size in bytes. A set of keys is a few kilobytes. */
export const MAX_KEY_SET = 256 * 1024
const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost'])

// the next request is minutes away, and a kept connection can break while Lambda freezes the process
const HEADERS = { accept: '*/*', connection: 'close', 'user-agent': 'phi-gateway' }

/**
 * Requests the text of an issuer's key set. Requires TLS, except on the loopback interface, which no network attacker can read.
 * It uses `node:https`, which the AWS SDK loads too: the global `fetch` takes a tenth of a cold start to load.
 *
 * @throws Unauthenticated for another protocol, a redirect, another status than 2xx and a set that is too large. Error if the
 *   issuer does not answer in time
 */
export async function requestKeySet(uri: string, milliseconds = TIMEOUT_MS): Promise<string> {
  const url = new URL(uri)
  const isLocal = url.protocol === 'http:' && LOOPBACK.has(url.hostname)
  if (url.protocol !== 'https:' && !isLocal) throw new Unauthenticated()
  const get = isLocal ? getHttp : getHttps
  return await new Promise((resolve, reject) => {
    const request = get(url, { headers: HEADERS, signal: AbortSignal.timeout(milliseconds) }, (response) => {
      textOf(response)
        .finally(() => request.destroy())
        .then(resolve, reject)
    })
    // an error can also come after the response
    request.on('error', reject)
  })
}

async function textOf(response: IncomingMessage): Promise<string> {
  const { statusCode = 0 } = response
  if (statusCode < 200 || statusCode > 299) throw new Unauthenticated()
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_KEY_SET) throw new Unauthenticated()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
