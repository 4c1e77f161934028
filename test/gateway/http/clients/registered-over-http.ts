import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compilePolicy } from '../../../../directives/compile.ts'
import { openImporter } from '../../../../gateway/admin/open-importer.ts'
import { type OperationAdmin, openOperationAdmin } from '../../../../gateway/admin/operation-admin.ts'
import type { AuditEntry } from '../../../../gateway/audit/entry.ts'
import { composeGateway, openServices } from '../../../../gateway/compose.ts'
import { fromEvent, toResult } from '../../../../gateway/http/lambda-event.ts'
import type { TenantId } from '../../../../gateway/model/ids.ts'
import { type Handler, startHttpApi } from '../../../../infra/local/api-gateway.ts'
import { seedClients } from '../../../../infra/local/demo/seed-clients.ts'
import { seedDemo } from '../../../../infra/local/demo/seed.ts'
import { type Stack, startStack } from '../../../../infra/local/stack.ts'
import { fetchToken } from '../../../../infra/local/token.ts'
import { DEMO_USERS } from '../../../../infra/local/users.ts'
import { clinic } from '../../../../resolvers/clinic.ts'
import { clinicLock, clinicTypeDefs } from '../../../../schema/clinic.ts'

/** A partner besides acme, with a client of its own. */
export const BEACON = 'beacon'
export const RIVERSIDE = 'riverside' as TenantId

/** What a request carried: `GET`, `id`, `text` or `text and id`. */
type Sent = 'GET' | 'id' | 'text' | 'text and id' | 'nothing'

/** A process of the function behind an HTTP API, with services and caches of its own. */
export interface Served {
  /** `http://127.0.0.1:PORT/graphql` */
  readonly url: string
  /** The requests so far. */
  readonly sent: Sent[]
}

/** The local stack with its demo clients, and two processes over the same tables. */
export interface RegisteredStack {
  readonly processes: readonly [Served, Served]
  /** The URL of the KMS stand-in. */
  readonly kms: string
  /** Starts a process with cold caches. It stops with the stack. */
  another(): Promise<Served>
  /** The audit records of a request. */
  recordsOf(requestId: string): Promise<readonly AuditEntry[]>
  readonly admin: OperationAdmin
  token(user: string, client?: string): Promise<string>
  stop(): Promise<void>
}

export async function serveRegistered(): Promise<RegisteredStack> {
  const dataFolder = mkdtempSync(join(tmpdir(), 'phi-test-'))
  const beacon = { name: BEACON, tenant: RIVERSIDE, role: 'PARTNER', client: true, description: 'a second payer' } as const
  const stack = await startStack({ dataFolder, port: 0, namespace: `test-${randomUUID()}`, users: [...DEMO_USERS, beacon] })
  const stage = stack.env.PHI_STAGE
  const log = () => undefined
  await seedDemo({ stage, openImporter: (tenant) => openImporter(tenant, clinicLock(), 'create'), riverside: 4, lakeside: 1, log })
  const compiled = compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' })
  const openOperations = (tenant: TenantId) => openOperationAdmin(tenant, compiled, stack.env)
  await seedClients({ stage, openOperations, log })
  const admin = await openOperations(RIVERSIDE)
  const [one, other] = [await serve(stack), await serve(stack)]
  const reader = openServices(stack.env, { events: () => undefined })
  const served = [one, other]
  return {
    processes: [one, other],
    kms: stack.env.AWS_ENDPOINT_URL_KMS,
    another: async () => {
      const process = await serve(stack)
      served.push(process)
      return process
    },
    recordsOf: (requestId) => reader.history.ofRequest(RIVERSIDE, requestId),
    admin,
    token: (user, client) => fetchToken(stack, user, undefined, client),
    stop: async () => {
      for (const { stop } of served) await stop()
      reader.close()
      admin.close()
      await stack.stop()
      rmSync(dataFolder, { recursive: true, force: true })
    },
  }
}

/** As functions/graphql.ts does, which a process can load only once. */
async function serve(stack: Stack): Promise<Served & { readonly stop: () => Promise<void> }> {
  const services = openServices(stack.env, { events: () => undefined })
  const gateway = await composeGateway(services, stack.env, { ...clinic, typeDefs: clinicTypeDefs(), lock: clinicLock() })
  const sent: Sent[] = []
  const handler: Handler = async (event, context) => {
    const request = fromEvent(event, context, services.now())
    sent.push(request.method === 'GET' ? 'GET' : carriedBy(request.body))
    return await toResult(await gateway.handle(request), request)
  }
  const api = await startHttpApi({ port: 0, routes: { 'POST /graphql': handler, 'GET /graphql': handler } })
  const stop = async (): Promise<void> => {
    await api.stop()
    await gateway.stop()
    services.close()
  }
  return { url: `${api.url}/graphql`, sent, stop }
}

function carriedBy(body: string): Sent {
  const { query, documentId, doc_id, id, extensions } = JSON.parse(body) as {
    readonly query?: unknown
    readonly documentId?: unknown
    readonly doc_id?: unknown
    readonly id?: unknown
    readonly extensions?: { readonly persistedQuery?: unknown }
  }
  const hasId = [documentId, doc_id, id, extensions?.persistedQuery].some((one) => one !== undefined)
  if (query === undefined) return hasId ? 'id' : 'nothing'
  return hasId ? 'text and id' : 'text'
}
