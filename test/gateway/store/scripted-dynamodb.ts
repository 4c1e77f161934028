import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

/** A request in the form that the service receives. */
export interface Received {
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** Identifies the connection. */
  readonly port: number | undefined
}

/** Answers one request, or aborts the call. */
export type Step = (response: ServerResponse, abort: () => void) => void

const TYPE = { 'content-type': 'application/x-amz-json-1.0', 'x-amzn-requestid': 'REQUEST' }

/** A response with this JSON. */
export const json =
  (status: number, body: unknown, headers: Record<string, string> = {}): Step =>
  (response) =>
    response.writeHead(status, { ...TYPE, ...headers }).end(JSON.stringify(body))

/** A response with this text, which is not necessarily JSON. */
export const raw =
  (status: number, body: string): Step =>
  (response) =>
    response.writeHead(status, TYPE).end(body)

/** An error of the service. */
export const refuse = (name: string, members: object = {}, status = 400, headers: Record<string, string> = {}): Step =>
  json(status, { __type: `com.amazonaws.dynamodb.v20120810#${name}`, message: 'Injected.', ...members }, headers)

export const cut: Step = (response) => response.destroy()

/** Ends the connection in the middle of the body. */
export const cutBody: Step = (response) => {
  response.writeHead(200, { ...TYPE, 'content-length': '1000' }).write('{"Item":', () => response.destroy())
}

export const hang: Step = () => undefined

/** The caller aborts before the response. */
export const abortBefore: Step = (_, abort) => abort()

/** The caller aborts in the middle of the body. */
export const abortWithin: Step = (response, abort) => {
  response.writeHead(200, { ...TYPE, 'content-length': '1000' }).write('{"Item":', () => setTimeout(abort, 10))
}

/** A server that answers the requests with the steps of a script in their order. */
export class ScriptedDynamoDB {
  readonly #server = createServer((request, response) => {
    const step = this.#script.shift()
    text(request).then(
      (body) => {
        this.received.push({ headers: request.headers, body, port: request.socket.remotePort })
        if (step === undefined) refuse('ScriptEnded', {}, 418)(response, this.#abort)
        else step(response, this.#abort)
      },
      () => undefined,
    )
  })
  #script: Step[] = []
  #abort = (): void => undefined
  received: Received[] = []

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  play(script: readonly Step[], abort = (): void => undefined): void {
    this.#script = [...script]
    this.#abort = abort
    this.received = []
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
