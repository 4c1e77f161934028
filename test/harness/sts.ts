import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { close, listen, LOOPBACK } from '../../infra/local/ports.ts'

/** A session that the stand-in gave. */
interface AssumedSession {
  readonly role: string
  readonly name: string
  readonly policy: string
  readonly seconds: number
  /** The token of its credentials. */
  readonly token: string
}

/**
 * What the stand-in does with a request. DENIED: AccessDenied. BUSY: a throttling error. HANG: no answer. GARBAGE: an answer that is no
 * XML. EMPTY: an answer without credentials. ENDED: credentials whose time is over.
 */
export type StsFault = 'DENIED' | 'BUSY' | 'HANG' | 'GARBAGE' | 'EMPTY' | 'ENDED'

/**
 * A stand-in for AssumeRole of AWS STS. It speaks the query protocol to the standard SDK client, and remembers the requests. It is not
 * STS: signatures and trust policies are not checked.
 *
 * @source https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
 */
export interface StsStandIn {
  readonly endpoint: string
  /** The sessions that it gave, in order. */
  readonly sessions: readonly AssumedSession[]
  /** The number of requests, also of those that failed. */
  readonly calls: number
  /** The bodies of all requests, as received. */
  readonly bodies: readonly string[]
  /** Undefined ends the fault. */
  fail(fault: StsFault | undefined): void
  stop(): Promise<void>
}

/** A session policy is refused above this number of characters, as STS does. */
const MAX_POLICY = 2_048

export async function startSts({ now = Date.now }: { readonly now?: () => number } = {}): Promise<StsStandIn> {
  const sessions: AssumedSession[] = []
  const bodies: string[] = []
  let fault: StsFault | undefined

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request)
    bodies.push(body)
    if (fault === 'HANG') return
    if (fault === 'GARBAGE') {
      response.writeHead(200, { 'content-type': 'text/xml' }).end('<<<')
      return
    }
    const signed = /^AWS4-HMAC-SHA256 Credential=[^/]+\/\d{8}\/[^/]+\/sts\/aws4_request/.test(request.headers.authorization ?? '')
    const asked = new URLSearchParams(body)
    const of = (name: string): string => asked.get(name) ?? ''
    if (!signed || of('Action') !== 'AssumeRole' || fault === 'DENIED') {
      refuse(response, 403, 'AccessDenied')
      return
    }
    if (fault === 'BUSY') {
      refuse(response, 400, 'Throttling')
      return
    }
    const seconds = Number(of('DurationSeconds'))
    if (
      of('Policy').length > MAX_POLICY ||
      !(seconds >= 900 && seconds <= 3_600) ||
      !/^[\w+=,.@-]{2,64}$/.test(of('RoleSessionName'))
    ) {
      refuse(response, 400, 'ValidationError')
      return
    }
    const session = { role: of('RoleArn'), name: of('RoleSessionName'), policy: of('Policy'), seconds, token: randomUUID() }
    if (fault !== 'EMPTY') sessions.push(session)
    const ends = new Date(now() + (fault === 'ENDED' ? -1_000 : seconds * 1_000)).toISOString()
    const credentials =
      `<Credentials><AccessKeyId>ASIA${session.token.slice(0, 8).toUpperCase()}</AccessKeyId><SecretAccessKey>${randomUUID()}</SecretAccessKey>` +
      `<SessionToken>${session.token}</SessionToken><Expiration>${ends}</Expiration></Credentials>`
    xml(
      response,
      200,
      `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>${fault === 'EMPTY' ? '' : credentials}` +
        `</AssumeRoleResult><ResponseMetadata><RequestId>${randomUUID()}</RequestId></ResponseMetadata></AssumeRoleResponse>`,
    )
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy())
  })
  const port = await listen(server, 0)
  return {
    endpoint: `http://${LOOPBACK}:${port}`,
    sessions,
    bodies,
    get calls() {
      return bodies.length
    },
    fail: (next) => {
      fault = next
    },
    stop: async () => {
      server.closeAllConnections()
      await close(server)
    },
  }
}

function refuse(response: ServerResponse, status: number, code: string): void {
  xml(
    response,
    status,
    `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>${code}</Code>` +
      `<Message>The request was refused.</Message></Error><RequestId>${randomUUID()}</RequestId></ErrorResponse>`,
  )
}

function xml(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'text/xml' }).end(body)
}
