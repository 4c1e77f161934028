import { BatchWriteItemCommand, CreateTableCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { openStore, searchIndexes, tenantId } from '../gateway/index.ts'
import type { StackEnvironment } from '../infra/local/environment.ts'
import { clinicLock } from '../schema/clinic.ts'
import { type BenchPatient, benchPatients, type BenchTenant } from './data.ts'
import { rowsOf, type ToAttribute } from './row-writer.ts'
import { BENCH_TABLES } from './contestants/tables.ts'

/** The values of one table of a contestant other than the gateway. */
export interface PlainCopy {
  readonly table: string
  readonly toAttribute: ToAttribute
}

/** The patients of the bench, by tenant. */
export type SeededPatients = Readonly<Record<BenchTenant, readonly BenchPatient[]>>

/** Patients that are written at the same time. */
const AT_ONCE = 8
/** The maximum of a BatchWriteItem. */
const BATCH = 25

/**
 * Writes the same patients for every contestant: through the store of the gateway, in its own formats, and as rows.
 *
 * @param patients number of patients of each tenant
 */
export async function seed(
  client: DynamoDBClient,
  env: StackEnvironment,
  copies: readonly PlainCopy[],
  patients: number,
): Promise<SeededPatients> {
  for (const table of BENCH_TABLES) await client.send(new CreateTableCommand(table))
  const [panel, charts] = [await writeTenant(env, 'panel', patients), await writeTenant(env, 'charts', patients)]
  for (const copy of copies) for (const patient of [...panel, ...charts]) await writeRows(client, copy, patient)
  return { panel, charts }
}

async function writeTenant(env: StackEnvironment, name: BenchTenant, count: number): Promise<BenchPatient[]> {
  const tenant = tenantId(name)
  if (tenant === undefined) throw new RangeError(`${name} is no name of a tenant.`)
  const store = await openStore(tenant, '0'.repeat(64), env, searchIndexes(clinicLock()))
  try {
    const patients = [...benchPatients(name, (type, source) => store.idFor(type, source), count)]
    const waiting = [...patients]
    const writer = async (): Promise<void> => {
      for (let patient = waiting.shift(); patient; patient = waiting.shift()) await store.write(patient)
    }
    await Promise.all(Array.from({ length: AT_ONCE }, writer))
    return patients
  } finally {
    await store.close()
  }
}

async function writeRows(client: DynamoDBClient, { table, toAttribute }: PlainCopy, patient: BenchPatient): Promise<void> {
  const rows = await rowsOf(patient, toAttribute)
  for (let start = 0; start < rows.length; start += BATCH) {
    const requests = rows.slice(start, start + BATCH).map((Item) => ({ PutRequest: { Item } }))
    await client.send(new BatchWriteItemCommand({ RequestItems: { [table]: requests } }))
  }
}
