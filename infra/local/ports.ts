import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { startCommandWith } from './start-command.ts'
import { StartRefused } from './start-refused.ts'

/** The address of local servers, because the demo issues tokens without a password. `listen-address.ts` has the exception. */
export const LOOPBACK = '127.0.0.1'

/** A server cannot listen on the requested port. */
class PortRefused extends StartRefused {
  override readonly name: string = 'PortRefused'
  readonly port: number
  constructor(port: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.port = port
  }
}

/** Another process listens on the requested port. */
class PortInUse extends PortRefused {
  override readonly name = 'PortInUse'
}

/** The last port of which the next one, for the identity provider, exists. */
const MAX_PORT = 65_534
/** Below this port, some systems need an administrator. */
const FIRST_FREE_PORT = 1_024

/** The message for a port that cannot be listened on: which one, for which server, and another one to choose. */
function portText(code: string, port: number, { name, first }: PortUse): string {
  const other = first < FIRST_FREE_PORT ? 4_000 : first + 100 > MAX_PORT ? first - 100 : first + 100
  const wanted = name === undefined ? `Port ${port}` : `Port ${port}, for ${name},`
  return code === 'EACCES'
    ? `${wanted} needs the rights of an administrator. Choose another port: ${startCommandWith({ setting: `PORT=${other}` })}`
    : `${wanted} is in use. Stop the process that listens there, or choose another port: ${startCommandWith({ setting: `PORT=${other}` })}`
}

/** Longer than any pause of a client. The default of 5 s closes connections that a client is about to use again. */
const IDLE_MS = 120_000

interface PortUse {
  /** The server, if the variable PORT is not its own port. */
  readonly name?: string
  /** The value of PORT. */
  readonly first: number
}

/**
 * Listens on the loopback address, or on the given one.
 *
 * @param port 0 selects a free port
 * @returns the port
 * @throws PortInUse; PortRefused for a port that this account may not use
 */
export function listen(server: Server, port: number, address = LOOPBACK, use: PortUse = { first: port }): Promise<number> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => {
      const { code } = error
      if (code === 'EADDRINUSE') reject(new PortInUse(port, portText(code, port, use), { cause: error }))
      else if (code === 'EACCES') reject(new PortRefused(port, portText(code, port, use), { cause: error }))
      else reject(error)
    }
    server.once('error', fail)
    server.keepAliveTimeout = IDLE_MS
    server.listen(port, address, () => {
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
 * Checks that the ports of the stack are free. Call it before anything else starts, so that the message comes at once.
 *
 * @param port of the HTTP API
 * @param identityPort of the identity provider; 0 selects a free port
 * @throws PortInUse, PortRefused
 */
export async function requirePorts(port: number, identityPort: number): Promise<void> {
  const require = async (wanted: number, use: PortUse): Promise<void> => {
    const server = createServer()
    await listen(server, wanted, LOOPBACK, use)
    await close(server)
  }
  await require(port, { first: port })
  if (identityPort !== 0) await require(identityPort, { first: port, name: 'the identity provider' })
}

/**
 * Whether the `Host` header of a request names this machine. With DNS rebinding, the name of another site can resolve to the
 * loopback address, so that its pages could read local responses. Such requests still name the other site as their host.
 */
export function namesThisMachine(host: string | undefined): boolean {
  return host !== undefined && /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?$/.test(host)
}
