import { rmSync } from 'node:fs'
import { servedClinic } from '../../functions/served-clinic.ts'
import { DEMO_USERS } from '../../infra/local/users.ts'
import { composeGateway, openServices, type Services } from '../../gateway/compose.ts'
import type { Gateway } from '../../gateway/create-gateway.ts'
import type { HttpRequest, HttpResponse } from '../../gateway/http/messages.ts'
import { operatorEvents } from '../../gateway/telemetry/operator-events.ts'
import type { Stack } from '../../infra/local/stack.ts'
import { fetchToken } from '../../infra/local/token.ts'
import { clinic as compiled } from '../gateway/decide/clinic-policy.ts'
import type { GatewayEvent } from '../../gateway/telemetry/events.ts'
import type { TenantId } from '../../gateway/model/ids.ts'
import type { Clock } from '../../gateway/model/record.ts'
import { listenToUrls } from './asked-urls.ts'
import { Canary, type CanaryAsk } from './canary.ts'
import { replayAudit } from './replayed-audit.ts'
import { contractFor } from './contracts.ts'
import { MemoryOperations } from './operation-registry.ts'
import { startSeeded } from './seeded-system.ts'

/** An answer in the form that a client reads. */
export interface ClinicAnswer {
  readonly status: number
  readonly headers: HttpResponse['headers']
  /** The body as received, for comparisons by byte. */
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

/** The bytes of an answer without its request id and its receipt, which differ in every answer. */
export function bytesOf({ text, phi }: Pick<ClinicAnswer, 'text' | 'phi'>): string {
  return text.replaceAll(phi.requestId, 'REQUEST').replaceAll(JSON.stringify(phi.receipt), '"RECEIPT"')
}

/**
 * The whole system in this process, with its own data folder: engine, KMS stand-in, identity provider, seeded patients, and the
 * gateway over real clients and tokens. A canary patient in a separate tenant is read at the start and, under faults, at the end.
 * No output or stored data of the system may contain a value of that patient (P8). The policy must allow every disclosure in the audit (P3).
 */
export interface RunningClinic {
  readonly stack: Stack
  readonly services: Services
  readonly gateway: Gateway
  readonly canary: Canary
  /** Reads the canary patient as each user with access, in the first process. */
  readCanary(): Promise<HttpResponse[]>
  /** The events for operators, in order. */
  readonly events: readonly GatewayEvent[]
  /** The registry of all processes. */
  readonly operations: MemoryOperations
  /** The request of a demo user, for a test that passes it to a gateway itself. */
  requestOf(
    user: string,
    query: string,
    variables?: Readonly<Record<string, unknown>>,
    headers?: Record<string, string>,
  ): Promise<HttpRequest>
  /** Sends a query as a demo user. A partner has it registered first, and sends its id. */
  ask(user: string, query: string, variables?: Record<string, unknown>, headers?: Record<string, string>): Promise<ClinicAnswer>
  /** A second process of the same function: its own services and gateway over the same tables, with cold keys. */
  another(options?: {
    now?: Clock
    env?: Record<string, string>
  }): Promise<Pick<RunningClinic, 'services' | 'gateway' | 'ask' | 'events'>>
  /** @throws CanaryLeak, OverGrant */
  stop(): Promise<void>
}

/** The machine clients of partners. Their contracts narrow nothing, so that a test sees the rights of their roles. */
const PARTNERS = DEMO_USERS.filter(({ role }) => role === 'PARTNER').map(({ tenant, name }) => ({
  tenant: tenant as TenantId,
  client: name,
}))

export async function runClinic({ riverside = 25, lakeside = 3 } = {}): Promise<RunningClinic> {
  const { stack, dataFolder, canary: patient, stop: stopStack } = await startSeeded({ riverside, lakeside })
  const canary = new Canary(patient)
  const silence = listenToUrls((url) => canary.asked(url))
  // the events of the canary's own requests are searched, but are not events of the suite
  let aside = false
  const tokens = new Map<string, Promise<string>>()
  const opened: { stop(): Promise<void> }[] = []

  const operations = new MemoryOperations()
  for (const client of PARTNERS) operations.admit(client, contractFor(compiled.policy, client.client))
  const requestOf: RunningClinic['requestOf'] = async (user, query, variables, headers) => {
    const partner = PARTNERS.find(({ client }) => client === user)
    const operation = partner === undefined ? { query } : { documentId: operations.register(partner, query) }
    const token = tokens.get(user) ?? fetchToken(stack, user)
    tokens.set(user, token)
    return {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${await token}`, 'user-agent': 'vitest', ...headers },
      body: JSON.stringify({ ...operation, ...(variables && { variables }) }),
      sourceIp: '127.0.0.1',
    }
  }

  const open = async ({ now = Date.now, env = {} }: { now?: Clock; env?: Record<string, string> } = {}) => {
    const events: GatewayEvent[] = []
    // errors have the texts of a deployment: a test of detailed errors sets the local stage itself
    const environment = { ...stack.env, PHI_STAGE: 'test', ...env }
    const operator = operatorEvents({ stage: 'test', now, print: (line) => canary.printed(line) })
    const tell = (event: GatewayEvent): void => {
      canary.told(event)
      operator(event)
      if (!aside) events.push(event)
    }
    const services = openServices(environment, { now, events: tell })
    const composed = await composeGateway(services, environment, servedClinic(), { registry: operations, automatic: operations })
    opened.push({
      stop: async () => {
        await composed.stop()
        services.close()
      },
    })
    const gateway: Gateway = {
      stop: () => composed.stop(),
      prefetch: () => composed.prefetch(),
      preparations: composed.preparations,
      handle: async (request) => {
        const response = await composed.handle(request)
        canary.answered(response)
        return response
      },
    }
    const ask: RunningClinic['ask'] = async (user, query, variables, headers) => {
      return read(await gateway.handle(await requestOf(user, query, variables, headers)))
    }
    const askAside: CanaryAsk = async (user, query, variables) => await composed.handle(await requestOf(user, query, variables))
    return { services, gateway, events, ask, askAside }
  }
  const { askAside, ...first } = await open()
  const disturb = async (): Promise<void> => {
    const { PHI_KMS_KEY_ID: key, PHI_TABLE_RECORDS: records } = stack.env
    const deaf = await open({ env: { PHI_TABLE_AUDIT: 'gone' } })
    stack.kms.setState(key, 'Disabled')
    await canary.read(deaf.askAside)
    stack.kms.setState(key, 'Enabled')
    await canary.read(deaf.askAside)
    await canary.misplace(askAside)
    await canary.tamper(stack.dynamodb, records)
    await canary.read(askAside)
  }
  aside = true
  await canary.read(askAside)
  aside = false
  return {
    stack,
    canary,
    operations,
    readCanary: () => canary.read(askAside),
    requestOf,
    ...first,
    another: open,
    stop: async () => {
      aside = true
      try {
        await disturb()
        await canary.keepTables(
          stack.dynamodb,
          Object.entries(stack.env).flatMap(([name, value]) => (/^PHI_TABLE_/.test(name) ? value : [])),
        )
        await replayAudit(stack.dynamodb, stack.env.PHI_TABLE_AUDIT)
      } finally {
        silence()
        for (const part of opened) await part.stop()
        await stopStack()
      }
      canary.search(dataFolder)
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
