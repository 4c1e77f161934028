import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request to DynamoDB on its way: `BatchGetItem`, and its body. */
export interface StoreRequest {
  readonly operation: string
  readonly body: Record<string, unknown>
}

/** What becomes of a request: it goes on as it is or changed, or is answered here. */
export type Fate =
  | { readonly kind: 'PASS'; readonly body?: object; readonly change?: (answer: Record<string, unknown>) => object }
  | { readonly kind: 'ANSWER'; readonly status: number; readonly body: object }
  | { readonly kind: 'DROP' }

export interface StoreProxy {
  readonly url: string
  /** Decides the fate of each request; everything passes until it is set. */
  script: (request: StoreRequest) => Fate
  stop(): Promise<void>
}

/** Stands between the gateway and the engine and does what it is told. */
export async function startStoreProxy(engine: string): Promise<StoreProxy> {
  const server = createServer((request, response) => {
    const answer = async (): Promise<void> => {
      const text = await bodyOf(request)
      const operation = String(request.headers['x-amz-target']).split('.').at(-1) ?? ''
      const fate = proxy.script({ operation, body: JSON.parse(text) as Record<string, unknown> })
      if (fate.kind === 'DROP') {
        response.destroy()
        return
      }
      const headers = { 'content-type': 'application/x-amz-json-1.0' }
      if (fate.kind === 'ANSWER') {
        response.writeHead(fate.status, headers).end(JSON.stringify(fate.body))
        return
      }
      const forwarded = await fetch(engine, {
        method: 'POST',
        headers: {
          ...headers,
          'x-amz-target': String(request.headers['x-amz-target']),
          authorization: String(request.headers.authorization),
          'x-amz-date': String(request.headers['x-amz-date']),
        },
        body: fate.body === undefined ? text : JSON.stringify(fate.body),
      })
      const given = (await forwarded.json()) as Record<string, unknown>
      response.writeHead(forwarded.status, headers).end(JSON.stringify(fate.change?.(given) ?? given))
    }
    answer().catch(() => response.destroy())
  })
  const proxy: StoreProxy = {
    url: '',
    script: () => ({ kind: 'PASS' }),
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return Object.assign(proxy, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}
