import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Everything local listens here and nowhere else: a demo hands out tokens without a password. */
export const LOOPBACK = '127.0.0.1'

/** Somebody else listens on the port that was asked for. */
class PortInUse extends Error {
  override readonly name = 'PortInUse'
  readonly port: number
  constructor(port: number, options?: ErrorOptions) {
    super(`Port ${port} is in use. Stop what listens there, or choose another: PORT=${port + 100} npm start`, options)
    this.port = port
  }
}

/**
 * Listens on the loopback address.
 *
 * @param port 0 for any free one
 * @returns the port in use
 * @throws PortInUse
 */
export function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void =>
      reject(error.code === 'EADDRINUSE' ? new PortInUse(port, { cause: error }) : error)
    server.once('error', fail)
    server.listen(port, LOOPBACK, () => {
      server.off('error', fail)
      resolve((server.address() as AddressInfo).port)
    })
  })
}

/** Ends a server with its idle connections, and with the others once they have answered. */
export function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeIdleConnections()
    // a client that never ends its request must not keep the process
    setTimeout(() => server.closeAllConnections(), 1_000).unref()
  })
}

/** A port that is free now, for a process that cannot choose one itself. It may be taken a moment later. */
export async function freePort(): Promise<number> {
  const server = createServer()
  const port = await listen(server, 0)
  await close(server)
  return port
}

/** Throws PortInUse unless the port can be had now. Asked before anything else starts, so that the message comes at once. */
export async function requirePort(port: number): Promise<void> {
  const server = createServer()
  await listen(server, port)
  await close(server)
}

/**
 * Whether a request names this machine as its host. A web page on another site can be made to resolve to the loopback
 * address (DNS rebinding) and would then read what is served there; its requests still name the other site.
 */
export function namesThisMachine(host: string | undefined): boolean {
  return host !== undefined && /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?$/.test(host)
}
