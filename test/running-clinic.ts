import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openImporter } from '../cli/open-importer.ts'
import { seedDemo } from '../demo/seed.ts'
import { composeGateway, openServices, type Services } from '../gateway/compose.ts'
import type { Gateway } from '../gateway/create-gateway.ts'
import type { HttpResponse } from '../gateway/http.ts'
import { startStack, type Stack } from '../infra/local/stack.ts'
import { fetchToken } from '../infra/local/token.ts'
import { clinicResolvers } from '../resolvers/clinic.ts'
import { clinicLock, clinicTypeDefs } from '../schema/clinic.ts'
import type { GatewayEvent } from '../vocabulary/events.ts'
import type { Clock } from '../vocabulary/record.ts'

/** An answer as a client reads it. */
export interface ClinicAnswer {
  readonly status: number
  readonly headers: HttpResponse['headers']
  /** The body as it came, for comparisons by byte. */
  readonly text: string
  readonly data: Record<string, unknown> | null | undefined
  readonly errors: readonly {
    readonly message: string
    readonly path?: readonly (string | number)[]
    readonly extensions: Record<string, unknown>
  }[]
  readonly phi: {
    readonly requestId: string
    readonly resolved?: number
    readonly denied?: number
    readonly masked?: readonly {
      readonly coordinate: string
      readonly view: string
      readonly count: number
      readonly paths: readonly unknown[]
    }[]
    readonly receipt?: string | null
  }
}

/**
 * The whole system in this process, on a data folder of its own: engine, KMS stand-in, identity provider, seeded patients
 * and the gateway over real clients and real tokens.
 */
export interface RunningClinic {
  readonly stack: Stack
  readonly services: Services
  readonly gateway: Gateway
  /** What was told to operators, in order. */
  readonly events: readonly GatewayEvent[]
  /** Asks as a demo user. */
  ask(user: string, query: string, variables?: Record<string, unknown>, headers?: Record<string, string>): Promise<ClinicAnswer>
  /** A second process of the same function: services and gateway of its own over the same tables, keys cold. */
  another(options?: {
    now?: Clock
    env?: Record<string, string>
  }): Promise<Pick<RunningClinic, 'services' | 'gateway' | 'ask' | 'events'>>
  stop(): Promise<void>
}

export async function runClinic({ riverside = 25, lakeside = 3 } = {}): Promise<RunningClinic> {
  const dataFolder = mkdtempSync(join(tmpdir(), 'phi-test-'))
  // an engine that all tests share, as DynamoDB Local is, tells them apart by the names of their tables
  const stack = await startStack({ dataFolder, port: 0, namespace: `test-${randomUUID()}` })
  await seedDemo({ openImporter, riverside, lakeside, log: () => undefined })
  const tokens = new Map<string, Promise<string>>()
  const opened: { stop(): Promise<void> }[] = []

  const open = async ({ now = Date.now, env = {} }: { now?: Clock; env?: Record<string, string> } = {}) => {
    const events: GatewayEvent[] = []
    const environment = { ...stack.env, ...env }
    const services = openServices(environment, { now, events: (event) => void events.push(event) })
    const gateway = await composeGateway(services, environment, {
      typeDefs: clinicTypeDefs(),
      resolvers: clinicResolvers,
      lock: clinicLock(),
    })
    opened.push({
      stop: async () => {
        await gateway.stop()
        services.close()
      },
    })
    const ask: RunningClinic['ask'] = async (user, query, variables, headers) => {
      const token = tokens.get(user) ?? fetchToken(stack, user)
      tokens.set(user, token)
      const response = await gateway.handle({
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${await token}`, 'user-agent': 'vitest', ...headers },
        body: JSON.stringify({ query, ...(variables && { variables }) }),
        sourceIp: '127.0.0.1',
      })
      return read(response)
    }
    return { services, gateway, events, ask }
  }
  const first = await open()
  return {
    stack,
    ...first,
    another: open,
    stop: async () => {
      for (const part of opened) await part.stop()
      await stack.stop()
      rmSync(dataFolder, { recursive: true, force: true })
    },
  }
}

export function read(response: HttpResponse): ClinicAnswer {
  const body = JSON.parse(response.body) as {
    data?: ClinicAnswer['data']
    errors?: ClinicAnswer['errors']
    extensions: { phi: ClinicAnswer['phi'] }
  }
  return {
    status: response.status,
    headers: response.headers,
    text: response.body,
    data: body.data,
    errors: body.errors ?? [],
    phi: body.extensions.phi,
  }
}
