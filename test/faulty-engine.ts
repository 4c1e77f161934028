import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { close, listen, LOOPBACK } from '../infra/local/ports.ts'

/** A call of the SDK's client, as far as a script needs it to choose. */
export interface EngineRequest {
  /** `TransactWriteItems`: the operation, from `x-amz-target`. */
  readonly operation: string
  readonly body: string
  /** Whether the call names this table. */
  names(table: string): boolean
}

/** What becomes of one call. */
export type Fault =
  | { readonly kind: 'PASS' }
  /** The engine never sees it; the client gets this error of DynamoDB. */
  | { readonly kind: 'REFUSE'; readonly error: string; readonly status?: number; readonly reasons?: readonly { Code: string }[] }
  /** The engine never sees it; the connection ends. */
  | { readonly kind: 'CUT' }
  /** The engine never sees it; no answer ever comes. */
  | { readonly kind: 'HANG' }
  | { readonly kind: 'DELAY'; readonly milliseconds: number }
  /** The engine gets this instead. */
  | { readonly kind: 'REWRITE'; readonly body: string }
  /** The engine does it; the connection ends before its answer. */
  | { readonly kind: 'DROP_ANSWER' }
  /** The engine does it; its answer never comes. */
  | { readonly kind: 'HOLD_ANSWER' }

export const PASS: Fault = { kind: 'PASS' }
export const CUT: Fault = { kind: 'CUT' }
export const HANG: Fault = { kind: 'HANG' }
export const DROP_ANSWER: Fault = { kind: 'DROP_ANSWER' }
export const HOLD_ANSWER: Fault = { kind: 'HOLD_ANSWER' }
export const refuse = (error: string, status = 400): Fault => ({ kind: 'REFUSE', error, status })
export const cancel = (...codes: string[]): Fault => ({
  kind: 'REFUSE',
  error: 'TransactionCanceledException',
  reasons: codes.map((Code) => ({ Code })),
})

/** Decides about each call, in the order in which they come; may act on the engine itself first. */
type Script = (request: EngineRequest) => Fault | Promise<Fault>

/** Stands between the SDK's client and an engine, and does to calls what a network and a busy service do. */
export interface FaultyEngine {
  readonly endpoint: string
  /** What was asked since the last script, in order. */
  readonly requests: readonly EngineRequest[]
  /** Takes effect for the next call. */
  play(script: Script): void
  stop(): Promise<void>
}

const SERVICE = 'com.amazonaws.dynamodb.v20120810#'

export async function startFaultyEngine(engine: string): Promise<FaultyEngine> {
  let script: Script = () => PASS
  let requests: EngineRequest[] = []

  const answer = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const body = await text(incoming)
    const target = String(incoming.headers['x-amz-target'])
    const request: EngineRequest = {
      operation: target.slice(target.indexOf('.') + 1),
      body,
      names: (table) => body.includes(`"TableName":"${table}"`) || body.includes(`"${table}":{"Keys"`),
    }
    requests.push(request)
    const fault = await script(request)
    switch (fault.kind) {
      case 'REFUSE':
        refuseWith(outgoing, fault)
        return
      case 'CUT':
        outgoing.destroy()
        return
      case 'HANG':
        return
      case 'DROP_ANSWER':
        await forward(engine, incoming, body)
        outgoing.destroy()
        return
      case 'HOLD_ANSWER':
        await forward(engine, incoming, body)
        return
      case 'DELAY':
        await new Promise((resolve) => setTimeout(resolve, fault.milliseconds))
        break
      case 'PASS':
      case 'REWRITE':
        break
    }
    const sent = fault.kind === 'REWRITE' ? fault.body : body
    const { status, headers, body: answered } = await forward(engine, incoming, sent)
    outgoing.writeHead(status, headers).end(answered)
  }

  const server = createServer((incoming, outgoing) => {
    // what fails here, a client sees as a broken connection
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
    },
  }
}

async function forward(
  engine: string,
  { headers }: IncomingMessage,
  body: string,
): Promise<{ status: number; headers: Record<string, string>; body: string }> {
  const passed = ['x-amz-target', 'content-type', 'authorization', 'x-amz-date']
  const response = await fetch(engine, {
    method: 'POST',
    headers: passed.flatMap((name): [string, string][] => (typeof headers[name] === 'string' ? [[name, headers[name]]] : [])),
    body,
  })
  const type = response.headers.get('x-amzn-errortype')
  return {
    status: response.status,
    headers: {
      'content-type': response.headers.get('content-type') ?? 'application/x-amz-json-1.0',
      ...(type !== null && { 'x-amzn-errortype': type }),
    },
    body: await response.text(),
  }
}

function refuseWith(outgoing: ServerResponse, { error, status = 400, reasons }: Extract<Fault, { kind: 'REFUSE' }>): void {
  outgoing
    .writeHead(status, { 'content-type': 'application/x-amz-json-1.0', 'x-amzn-errortype': `${SERVICE}${error}` })
    .end(JSON.stringify({ __type: `${SERVICE}${error}`, message: 'Injected.', ...(reasons && { CancellationReasons: reasons }) }))
}
