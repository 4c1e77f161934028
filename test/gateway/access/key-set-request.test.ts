import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { MAX_KEY_SET, requestKeySet } from '../../../gateway/access/key-set-request.ts'
import { Unauthenticated } from '../../../gateway/model/failures.ts'

let stop: (() => void) | undefined
afterEach(() => stop?.())

async function issuer(answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  stop = () => {
    server.closeAllConnections()
    server.close()
  }
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`
}

describe('the request for a key set', () => {
  it('returns the text, and keeps no connection', async () => {
    let connection: string | undefined
    const uri = await issuer((request, response) => {
      connection = request.headers.connection
      response.write('{"keys":')
      response.end('["ä"]}')
    })
    await expect(requestKeySet(uri)).resolves.toBe('{"keys":["ä"]}')
    expect(connection).toBe('close')
  })

  it('follows no redirect', async () => {
    const asked: (string | undefined)[] = []
    const uri = await issuer((request, response) => {
      asked.push(request.url)
      response.writeHead(302, { location: '/other' }).end('{"keys":[]}')
    })
    await expect(requestKeySet(uri)).rejects.toThrow(Unauthenticated)
    expect(asked).toEqual(['/jwks'])
  })

  it.each([404, 500])('refuses the status %i', async (status) => {
    const uri = await issuer((_request, response) => response.writeHead(status).end('{"keys":[]}'))
    await expect(requestKeySet(uri)).rejects.toThrow(Unauthenticated)
  })

  it('ends with a set that is too large, before the whole set is here', async () => {
    const uri = await issuer((_request, response) => {
      response.write('x'.repeat(MAX_KEY_SET + 1))
    })
    await expect(requestKeySet(uri)).rejects.toThrow(Unauthenticated)
  })

  it('refuses a plain connection to another machine, and other protocols', async () => {
    for (const uri of ['http://issuer.invalid/jwks', 'file:///jwks.json', 'data:application/json,{}'])
      await expect(requestKeySet(uri)).rejects.toThrow(Unauthenticated)
  })

  it.each([
    ['no answer', () => undefined],
    ['half an answer', (_request, response) => response.write('{"keys":')],
  ] satisfies [string, RequestListener][])('ends in time with %s', async (_name, answer) => {
    await expect(requestKeySet(await issuer(answer), 100)).rejects.toThrow()
  })

  it('fails if the connection ends within the answer', async () => {
    const uri = await issuer((request, response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('{"keys":[]}', () => request.socket.destroy())
    })
    await expect(requestKeySet(uri)).rejects.toThrow()
  })
})
