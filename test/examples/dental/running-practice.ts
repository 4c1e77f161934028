import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AuditEntry } from '../../../gateway/audit/entry.ts'
import type { DemoUser } from '../../../infra/local/users.ts'
import { dentalGateway } from '../../../examples/dental/gateway.ts'
import { clientIdOf, treatmentIdOf } from '../../../examples/dental/practice-server.ts'
import type { PracticeRoster } from '../../../examples/dental/same-practice.ts'
import {
  encodeNodeId,
  type GatewayEvent,
  type Json,
  openServices,
  openStore,
  type RecordId,
  type RecordRef,
  type SchemaPath,
  type TenantId,
  type TypeName,
} from '../../../gateway/index.ts'
import { startStack } from '../../../infra/local/stack.ts'
import { fetchToken } from '../../../infra/local/token.ts'
import { type ClinicAnswer, read } from '../../harness/running-clinic.ts'
import { type KeptTreatment, type PracticeServerStandIn, startPracticeServer } from './practice-server-stand-in.ts'

const TENANT = 'riverside' as TenantId
const USERS: readonly DemoUser[] = [
  { name: 'dentist', tenant: 'riverside', role: 'DENTIST', description: 'treats' },
  { name: 'hygienist', tenant: 'riverside', role: 'HYGIENIST', description: 'cleans' },
  { name: 'physician', tenant: 'riverside', role: 'PHYSICIAN', description: 'a role of the clinic' },
  { name: 'stranger', tenant: 'riverside', role: 'NO_SUCH_ROLE', description: 'a role of nobody' },
  { name: 'lakeside-hygienist', tenant: 'lakeside', role: 'HYGIENIST', description: 'another tenant' },
]

export interface KeptClient {
  readonly uuid: string
  /** Tokens of the tenant's users name the tenant as their organization. Any other organization is another practice. */
  readonly practice: string
  /** By the name of the field. */
  readonly values: Readonly<Record<string, Json>>
}

/** The dental example in this process: engine, keys, identity provider, practice server, and the gateway over all of them. */
export interface RunningPractice {
  readonly server: PracticeServerStandIn
  readonly events: readonly GatewayEvent[]
  clientId(uuid: string): string
  treatmentId(treatment: KeptTreatment): string
  ask(user: string, query: string, variables?: Record<string, unknown>, headers?: Record<string, string>): Promise<ClinicAnswer>
  /** The audit records of one request. */
  audit(answer: ClinicAnswer): Promise<AuditEntry[]>
  stop(): Promise<void>
}

export async function runPractice(clients: readonly KeptClient[], treatments: readonly KeptTreatment[]): Promise<RunningPractice> {
  const dataFolder = mkdtempSync(join(tmpdir(), 'phi-dental-'))
  const stack = await startStack({ dataFolder, port: 0, namespace: `dental-${randomUUID()}`, users: USERS })
  const server = await startPracticeServer(TENANT, treatments)
  const events: GatewayEvent[] = []
  const services = openServices(stack.env, { events: (event) => void events.push(event) })

  for (const tenant of [TENANT, 'lakeside' as TenantId]) {
    const store = await openStore(tenant, '0'.repeat(64), stack.env)
    for (const { uuid, values } of tenant === TENANT ? clients : []) {
      const patient = clientIdOf(uuid)
      await store.write({
        patient,
        records: [
          {
            ref: clientRef(uuid),
            values: new Map(Object.entries(values).map(([field, value]) => [`Client.${field}` as SchemaPath, value])),
            metadata: { open: {}, references: {} },
          },
        ],
        memberships: [],
      })
    }
    await store.close()
  }

  const { PHI_ISSUER: issuer, PHI_AUDIENCE: audience, PHI_JWKS_URI: jwksUri } = stack.env
  const gateway = await dentalGateway({
    services,
    issuer: { issuer, audience, jwksUri },
    roster: rosterOf(clients),
    practiceServer: server.url,
  })

  return {
    server,
    events,
    clientId: (uuid) => encodeNodeId(clientRef(uuid)),
    treatmentId: ({ client, id }) =>
      encodeNodeId({ type: 'Treatment' as TypeName, patient: clientIdOf(client), id: treatmentIdOf(id) }),
    ask: async (user, query, variables, headers) => {
      server.asked.length = 0
      const response = await gateway.handle({
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${await fetchToken(stack, user)}`, ...headers },
        body: JSON.stringify({ query, ...(variables && { variables }) }),
        sourceIp: '127.0.0.1',
      })
      return read(response)
    },
    audit: ({ phi }) => services.history.ofRequest(TENANT, phi.requestId),
    stop: async () => {
      await gateway.stop()
      services.close()
      await server.stop()
      await stack.stop()
      rmSync(dataFolder, { recursive: true, force: true })
    },
  }
}

/** A client is the patient of its own record, so both ids are equal. */
const clientRef = (uuid: string): RecordRef => ({
  type: 'Client' as TypeName,
  patient: clientIdOf(uuid),
  id: clientIdOf(uuid) as string as RecordId,
})

function rosterOf(clients: readonly KeptClient[]): PracticeRoster {
  const of = (tenant: TenantId, practice: string) =>
    clients.filter((client) => tenant === TENANT && client.practice === practice).map(({ uuid }) => clientIdOf(uuid))
  return {
    among: (tenant, practice, asked) => Promise.resolve(of(tenant, practice).filter((client) => asked.includes(client))),
    clients: (tenant, practice, after, limit) =>
      Promise.resolve(
        of(tenant, practice)
          .toSorted((a, b) => (a < b ? -1 : 1))
          .filter((client) => after === undefined || client > after)
          .slice(0, limit),
      ),
  }
}
