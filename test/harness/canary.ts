import { type AttributeValue, type DynamoDBClient, PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { StackUser } from '../../infra/local/users.ts'
import { compilePolicy } from '../../directives/compile.ts'
import type { HttpResponse } from '../../gateway/http/messages.ts'
import type { SealedStore } from '../../gateway/admin/open-store.ts'
import { clinicTypeDefs } from '../../schema/clinic.ts'
import type { GatewayEvent } from '../../gateway/telemetry/events.ts'
import type { TenantId } from '../../gateway/model/ids.ts'
import { encodeNodeId } from '../../gateway/model/node-id.ts'
import { findMarkers } from './canary-markers.ts'
import { type CanaryPatient, canaryPatient } from './canary-patient.ts'
import { type RawItem, scanRaw } from './raw-scan.ts'

/** A separate tenant, so that no suite meets its patient. */
const CANARY = 'canary' as TenantId

/** The readers of the canary patient: the care team, and the patient, with access to fields that the care team lacks. */
export const CANARY_USERS: readonly StackUser[] = [
  {
    name: 'canary-physician',
    tenant: CANARY,
    role: 'PHYSICIAN',
    fhirUser: 'Practitioner/canary-physician',
    description: 'care team of the canary patient',
  },
  {
    name: 'canary-patient',
    tenant: CANARY,
    role: 'PATIENT',
    fhirUser: 'Patient/canary-patient',
    description: 'the canary patient',
  },
]

/** Sends a query to a gateway without recording its answer as that of another user. */
export type CanaryAsk = (user: string, query: string, variables?: Record<string, unknown>) => Promise<HttpResponse>

/** A value of the canary patient occurs in a place without PHI (P8). The message names place and field, never the value. */
class CanaryLeak extends Error {
  override readonly name = 'CanaryLeak'
}

/** The canary patient of a system under test, and all output of that system. */
export class Canary {
  readonly patient: CanaryPatient
  /** The node id that its own users send. */
  readonly id: string
  /** The recorded output, by the kind of place. */
  readonly #kept = new Map<string, string[]>()

  constructor(patient: CanaryPatient) {
    this.patient = patient
    const self = patient.records.find(({ ref }) => (ref.id as string) === patient.patient)
    if (self === undefined) throw new TypeError('the schema has no patient')
    this.id = encodeNodeId(self.ref)
  }

  /** Writes a canary patient as an import would. */
  static async write(openStore: (tenant: TenantId) => Promise<SealedStore>): Promise<CanaryPatient> {
    const store = await openStore(CANARY)
    try {
      const patient = canaryPatient(compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' }), store.idFor)
      await store.write(patient)
      return patient
    } finally {
      await store.close()
    }
  }

  /** Reads all fields as each user with access. */
  async read(ask: CanaryAsk): Promise<HttpResponse[]> {
    return await Promise.all(CANARY_USERS.map(({ name }) => this.#ask(ask, name, this.patient.query, { id: this.id })))
  }

  /** Sends a value of the patient in wrong places: as an id, a filter, a variable of another type, within a document. */
  async misplace(ask: CanaryAsk): Promise<void> {
    const [value = ''] = this.patient.markers.byPath.values()
    const filtered = 'query ($id: ID!, $code: String) { patient(id: $id) { conditions(code: $code) { edges { cursor } } } }'
    const questions: readonly [string, Record<string, unknown>?][] = [
      [this.patient.query, { id: value }],
      [filtered, { id: this.id, code: value }],
      ['query ($first: Int) { patients(first: $first) { edges { cursor } } }', { first: value }],
      [`{ patients(after: "${value}") { edges { cursor } } }`],
      [`{ ${value} }`],
      [`{ patients(first: "${value}`],
    ]
    await Promise.all(questions.map(([query, variables]) => this.#ask(ask, 'canary-physician', query, variables)))
  }

  /** Flips a bit of the sealed conditions, like an attacker with write access to the database. */
  async tamper(dynamodb: DynamoDBClient, table: string): Promise<void> {
    const { Items: items = [] } = await dynamodb.send(
      new QueryCommand({
        TableName: table,
        KeyConditionExpression: 'pk = :pk AND begins_with(sk, :sk)',
        ExpressionAttributeValues: { ':pk': { S: `${CANARY}#${this.patient.patient}` }, ':sk': { S: 'Condition#' } },
      }),
    )
    await Promise.all(
      items.map((item) => dynamodb.send(new PutItemCommand({ TableName: table, Item: mapValues(item, withChangedBit) }))),
    )
  }

  /** Records an answer to any other user. */
  answered({ headers, body }: HttpResponse): void {
    this.#keep('an answer to somebody else', JSON.stringify(headers), body)
  }

  told(event: GatewayEvent): void {
    this.#keep(`an event ${event.event}`, JSON.stringify(event))
  }

  printed(line: string): void {
    this.#keep('a line of the log or of the metrics', line)
  }

  asked(url: string): void {
    this.#keep('a URL', url)
  }

  /** Searches every item of every table, and records the items with a hit. */
  async keepTables(dynamodb: DynamoDBClient, tables: readonly string[]): Promise<void> {
    for (const table of tables) {
      for await (const { text, items } of scanRaw(dynamodb, table)) {
        // binary values are base64 here, so a value occurs in one of its alignments
        if (findMarkers([{ name: table, bytes: Buffer.from(text, 'latin1') }], new Map()).length === 0) continue
        for (const item of items()) this.#keepItem(table, item)
      }
    }
  }

  /** @throws CanaryLeak if a value occurs in recorded output, or in a file of the folder */
  search(folder: string): void {
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    const found = findMarkers(
      [
        ...[...this.#kept].map(([name, texts]) => ({ name, bytes: Buffer.from(texts.join('\n'), 'utf8') })),
        ...files.map(({ name, parentPath }) => ({ name: `the file ${name}`, bytes: readFileSync(join(parentPath, name)) })),
      ],
      this.patient.markers.byPath,
    )
    if (found.length > 0) throw new CanaryLeak(`P8: values of the canary patient occur in\n${found.join('\n')}`)
  }

  async #ask(ask: CanaryAsk, user: string, query: string, variables?: Record<string, unknown>): Promise<HttpResponse> {
    const response = await ask(user, query, variables)
    const rest = { ...(JSON.parse(response.body) as Record<string, unknown>), data: 'its own' }
    this.#keep('errors or headers of an answer to its own user', JSON.stringify(response.headers), JSON.stringify(rest))
    return response
  }

  #keepItem(table: string, item: RawItem): void {
    for (const [name, { B: base64, ...rest }] of Object.entries(item)) {
      const text = base64 === undefined ? JSON.stringify(rest) : Buffer.from(base64, 'base64').toString('latin1')
      this.#keep(`the attribute ${name} of ${table.split('-').at(-1) ?? ''}`, text)
    }
  }

  #keep(name: string, ...texts: string[]): void {
    const known = this.#kept.get(name)
    if (known === undefined) this.#kept.set(name, texts)
    else known.push(...texts)
  }
}

function withChangedBit(value: AttributeValue): AttributeValue {
  if (value.B === undefined) return value
  const bytes = Buffer.from(value.B)
  bytes.writeUInt8((bytes.at(-1) ?? 0) ^ 1, bytes.length - 1)
  return { B: bytes }
}

function mapValues<T>(all: Readonly<Record<string, T>>, change: (value: T) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(all).map(([name, value]) => [name, change(value)]))
}
