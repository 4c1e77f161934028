import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** The only address of local servers, because the demo issues tokens without a password. */
export const LOOPBACK = '127.0.0.1'

/** Another process listens on the requested port. */
class PortInUse extends Error {
  override readonly name = 'PortInUse'
  readonly port: number
  constructor(port: number, options?: ErrorOptions) {
    super(
      `Port ${port} is in use. Stop the process that listens there, or choose another port: PORT=${port + 100} npm start`,
      options,
    )
    this.port = port
  }
}

/**
 * Listens on the loopback address.
 *
 * @param port 0 selects a free port
 * @returns the port
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

/** Closes a server. Idle connections close at once, the others after their response or after one second. */
export function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeIdleConnections()
    // a client that never ends its request must not keep the process alive
    setTimeout(() => server.closeAllConnections(), 1_000).unref()
  })
}

/** Finds a free port for a process that cannot choose one itself. Another process may take it a moment later. */
export async function freePort(): Promise<number> {
  const server = createServer()
  const port = await listen(server, 0)
  await close(server)
  return port
}

/**
 * Checks that a port is free. Call it before anything else starts, so that the message comes at once.
 *
 * @throws PortInUse
 */
export async function requirePort(port: number): Promise<void> {
  const server = createServer()
  await listen(server, port)
  await close(server)
}

/**
 * Whether the `Host` header of a request names this machine. With DNS rebinding, the name of another site can resolve to the
 * loopback address, so that its pages could read local responses. Such requests still name the other site as their host.
 */
export function namesThisMachine(host: string | undefined): boolean {
  return host !== undefined && /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?$/.test(host)
}
