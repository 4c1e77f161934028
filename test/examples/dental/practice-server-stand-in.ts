import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

/** A treatment in the form of the practices' own system. */
export interface KeptTreatment {
  readonly id: string
  readonly client: string
  readonly version: number
  readonly performedOn: string
  readonly tooth: string
  readonly procedure: string | null
  readonly note: string
}

interface Asked {
  readonly path: string
  readonly body: {
    readonly tenant: string
    readonly fields?: readonly string[]
    readonly treatments?: readonly { readonly client: string; readonly id: string }[]
    readonly client?: string
    readonly page?: number
  }
}

export interface PracticeServerStandIn {
  readonly url: URL
  /** The requests, in order. */
  readonly asked: Asked[]
  /**
   * `talkative` returns all fields, whatever is requested; `down` refuses; `garbled` returns malformed answers; `forgetful` omits a
   * treatment from its list.
   */
  mode: 'sound' | 'talkative' | 'down' | 'garbled' | 'forgetful'
  stop(): Promise<void>
}

const PAGE = 2

/** The practices' own system: REST, with a projection of fields, lists from the oldest entry, and pages of two. */
export async function startPracticeServer(tenant: string, treatments: readonly KeptTreatment[]): Promise<PracticeServerStandIn> {
  const answer = ({ path, body }: Asked): object => {
    const own = body.tenant === tenant ? treatments : []
    if (standIn.mode === 'garbled') return { treatments: [{ id: 7 }], total: 'many' }
    if (path === '/treatments/list') {
      const ofClient = own
        .filter(({ client }) => client === body.client)
        .toSorted((a, b) => (a.performedOn < b.performedOn ? -1 : 1))
      const start = (body.page ?? 0) * PAGE
      const page = ofClient.slice(start, start + PAGE).map(({ id, version, performedOn }) => ({ id, version, performedOn }))
      return {
        treatments: standIn.mode === 'forgetful' ? page.slice(1) : page,
        total: ofClient.length,
        ...(start + PAGE < ofClient.length && { next: (body.page ?? 0) + 1 }),
      }
    }
    if (standIn.mode === 'talkative') return { treatments: own }
    const wanted = new Set(body.treatments?.map(({ id }) => id))
    return {
      treatments: own
        .filter(({ id }) => wanted.has(id))
        .map(({ id, client, version, ...fields }) => ({
          id,
          client,
          version,
          ...Object.fromEntries(Object.entries(fields).filter(([name]) => body.fields?.includes(name))),
        })),
    }
  }
  const server = createServer((request, response) => {
    const answered = text(request).then((sent) => {
      const asked = { path: request.url ?? '', body: JSON.parse(sent) as Asked['body'] }
      standIn.asked.push(asked)
      response.writeHead(standIn.mode === 'down' ? 503 : 200, { 'content-type': 'application/json' })
      response.end(JSON.stringify(answer(asked)))
    })
    answered.catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const standIn: PracticeServerStandIn = {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`),
    asked: [],
    mode: 'sound',
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
  return standIn
}
