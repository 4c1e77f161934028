import { Agent, createServer, type IncomingMessage, request as send, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { close, listen, LOOPBACK } from '../../infra/local/ports.ts'
import { errorReply, type Fault, PASS, type Reply, type Script, type ServiceCall } from './faults.ts'

/** A proxy between stock SDK clients and an AWS JSON service, which injects the faults of a network and a busy service. */
export interface HostileProxy {
  readonly endpoint: string
  /** The calls since the last script, in order. Empty if the proxy does not remember calls. */
  readonly requests: readonly ServiceCall[]
  /** Takes effect at the next call. */
  play(script: Script): void
  stop(): Promise<void>
}

/**
 * A proxy before DynamoDB's engine or the KMS stand-in. Both use AWS JSON, with one operation for each POST.
 *
 * @param service URL of the service
 * @param remember whether calls are kept for `requests`; before a whole suite this would keep all bodies
 */
export async function startProxy(service: string, { remember = true } = {}): Promise<HostileProxy> {
  let script: Script = () => PASS
  let requests: ServiceCall[] = []
  // a new connection for each call would cost more than most calls
  const agent = new Agent({ keepAlive: true })

  const answer = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const body = await text(incoming)
    const call = callOf(incoming.headers, body)
    if (remember) requests.push(call)
    let fault = await script(call)
    while (fault.kind === 'DELAY') {
      await sleep(fault.milliseconds, undefined, { ref: false })
      fault = fault.then ?? PASS
    }
    const type = incoming.headers['content-type'] ?? 'application/x-amz-json-1.0'
    const forwarded = (sent: string): Promise<Sent> => forward(service, agent, incoming, sent)
    await undergo(fault, body, forwarded, outgoing, type)
  }

  const server = createServer((incoming, outgoing) => {
    // a client sees a failure here as a broken connection
    answer(incoming, outgoing).catch(() => outgoing.destroy())
  })
  const port = await listen(server, 0)
  return {
    endpoint: `http://${LOOPBACK}:${port}`,
    get requests() {
      return requests
    },
    play: (next) => {
      script = next
      requests = []
    },
    stop: async () => {
      server.closeAllConnections()
      await close(server)
      agent.destroy()
    },
  }
}

function callOf(headers: IncomingMessage['headers'], body: string): ServiceCall {
  const target = String(headers['x-amz-target'])
  let json: ServiceCall['json'] | undefined
  return {
    operation: target.slice(target.indexOf('.') + 1),
    body,
    invocation: String(headers['amz-sdk-invocation-id']),
    sessionToken: headers['x-amz-security-token']?.toString(),
    get json() {
      return (json ??= JSON.parse(body) as ServiceCall['json'])
    },
    names: (table) => body.includes(`"TableName":"${table}"`) || body.includes(`"${table}":{"Keys"`),
  }
}

async function undergo(
  fault: Exclude<Fault, { kind: 'DELAY' }>,
  body: string,
  forwarded: (body: string) => Promise<Sent>,
  outgoing: ServerResponse,
  type: string,
): Promise<void> {
  switch (fault.kind) {
    case 'REFUSE':
      reply(outgoing, errorReply(fault), type)
      return
    case 'ANSWER':
      reply(outgoing, fault.reply, type)
      return
    case 'CUT':
      outgoing.destroy()
      return
    case 'HANG':
      return
    case 'DROP_ANSWER':
      await forwarded(body)
      outgoing.destroy()
      return
    case 'HOLD_ANSWER':
      await forwarded(body)
      return
    case 'PASS':
    case 'REWRITE': {
      const { change, body: rewritten = body } = fault.kind === 'REWRITE' ? fault : {}
      const sent = await forwarded(rewritten)
      if (change) reply(outgoing, await change({ status: sent.status, body: JSON.parse(sent.body) as Reply['body'] }), type)
      else outgoing.writeHead(sent.status, sent.headers).end(sent.body)
      return
    }
    default:
      fault satisfies never
  }
}

function reply(outgoing: ServerResponse, { status, body }: Reply, type: string): void {
  outgoing.writeHead(status, { 'content-type': type }).end(JSON.stringify(body))
}

interface Sent {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

// includes the invocation id, because another proxy behind this one uses it to recognize retries
const ASKED = [
  'x-amz-target',
  'content-type',
  'authorization',
  'x-amz-date',
  'x-amz-security-token',
  'amz-sdk-invocation-id',
] as const
const ANSWERED = ['content-type', 'x-amzn-errortype', 'x-amzn-requestid'] as const

async function forward(service: string, agent: Agent, { headers }: IncomingMessage, body: string): Promise<Sent> {
  for (;;) {
    try {
      return await forwardOnce(service, agent, pick(headers, ASKED), body)
    } catch (error) {
      // the service closed an idle connection while it was used, and saw nothing of this call
      if (!(error instanceof StaleConnection)) throw error
    }
  }
}

/** A kept-alive connection ended before any answer. */
class StaleConnection extends Error {
  override readonly name = 'StaleConnection'
}

function forwardOnce(service: string, agent: Agent, headers: Record<string, string>, body: string): Promise<Sent> {
  return new Promise((resolve, reject) => {
    const outgoing = send(
      service,
      { method: 'POST', agent, headers: { ...headers, 'content-length': Buffer.byteLength(body) } },
      (response) => {
        text(response).then(
          (answered) => resolve({ status: response.statusCode ?? 500, headers: pick(response.headers, ANSWERED), body: answered }),
          reject,
        )
      },
    )
    outgoing.on('error', (error: NodeJS.ErrnoException) =>
      reject(outgoing.reusedSocket && error.code === 'ECONNRESET' ? new StaleConnection('', { cause: error }) : error),
    )
    outgoing.end(body)
  })
}

function pick(headers: IncomingMessage['headers'], names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name): [string, string][] => {
      const value = headers[name]
      return typeof value === 'string' ? [[name, value]] : []
    }),
  )
}
