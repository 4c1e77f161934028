import { GenerateDataKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { encodeNodeId, type Json } from '../gateway/index.ts'
import { startStack, type Stack } from '../infra/local/stack.ts'
import { readFragment } from '../infra/local/tables.ts'
import { fetchToken } from '../infra/local/token.ts'
import { Child } from './child.ts'
import type { ContestantName } from './contestant-names.ts'
import { encryptionSdkSealing } from './contestants/encryption-sdk-sealing.ts'
import { nodeCryptoSealing } from './contestants/node-crypto.ts'
import { placeOf, type Sealing } from './contestants/protected.ts'
import { toPlain } from './contestants/rows.ts'
import { AUDIT_TABLE, ENCRYPTION_SDK_TABLE, PLAIN_TABLE, SEALED_TABLE } from './contestants/tables.ts'
import { type BenchRequest, Driver } from './driver.ts'
import { PANEL_PATIENTS } from './data.ts'
import type { ToAttribute } from './row-writer.ts'
import { BENCH_USERS, type Scenario } from './scenarios.ts'
import { seed, type SeededPatients } from './seed.ts'
import type { StoreCounts } from './store/counts.ts'
import type { StoreCommand, StoreReply } from './store/process.ts'

/** The services of a run: the store, KMS and identity provider, with the patients of every contestant. */
export interface Arena {
  /** Starts a contestant in a process of its own. */
  open(name: ContestantName): Promise<Driver>
  /** The environment of a contestant's process. */
  environmentOf(name: ContestantName): Readonly<Record<string, string>>
  requestOf(scenario: Scenario): Promise<BenchRequest>
  /** Sets the delay of the store, in milliseconds a round trip. */
  delay(milliseconds: number): Promise<void>
  /** Starts to count the work of the store. */
  resetCounts(): Promise<void>
  counts(): Promise<StoreCounts>
  readonly stack: Stack
  stop(): Promise<void>
}

const deployment = z.object({
  functions: z.object({ graphql: z.object({ environment: z.object({ NODE_OPTIONS: z.string() }) }) }),
})

/**
 * Starts the services and writes the patients.
 *
 * @param patients number of patients of each tenant
 */
export async function openArena({ patients = PANEL_PATIENTS } = {}): Promise<Arena> {
  const dataFolder = mkdtempSync(join(tmpdir(), 'phi-bench-'))
  const { child: store, ready } = await Child.start('./store/process.ts', { env: {} })
  const tell = async (command: StoreCommand): Promise<StoreReply> => (await store.ask(command)) as StoreReply
  // the stack uses an engine that the environment names
  const former = process.env['AWS_ENDPOINT_URL_DYNAMODB']
  process.env['AWS_ENDPOINT_URL_DYNAMODB'] = (ready as StoreReply).endpoint
  const stack = await startStack({ dataFolder, port: 0, users: BENCH_USERS })
  const opened: Driver[] = []
  const key = await newDataKey(stack)
  const copies = [
    { table: PLAIN_TABLE, toAttribute: (value: Json) => Promise.resolve(toPlain(value)) },
    { table: SEALED_TABLE, toAttribute: sealedBy(nodeCryptoSealing(key.plaintext)) },
    { table: ENCRYPTION_SDK_TABLE, toAttribute: sealedBy(encryptionSdkSealing(key.plaintext)) },
  ]
  const seeded = await seed(stack.dynamodb, stack.env, copies, patients)
  const tokens = new Map<string, Promise<string>>()

  const written = [stack.env.PHI_TABLE_BUDGETS, stack.env.PHI_TABLE_AUDIT, AUDIT_TABLE]
  const environmentOf = (name: ContestantName) => ({ ...stack.env, ...settingsOf(name), BENCH_DATA_KEY: key.wrapped })

  return {
    stack,
    environmentOf,
    open: async (name) => {
      const { child, ready: url } = await Child.start('./contestant-process.ts', {
        env: { ...environmentOf(name), BENCH_CONTESTANT: name },
        execArgv: ['--expose-gc'],
      })
      const driver = new Driver(child, url as string, async () => {
        for (const table of written) await tell({ command: 'clear', table })
      })
      opened.push(driver)
      return driver
    },
    requestOf: async (scenario) => {
      const token = tokens.get(scenario.user) ?? fetchToken(stack, scenario.user)
      tokens.set(scenario.user, token)
      const body = JSON.stringify({ query: scenario.query, variables: variablesOf(scenario, seeded) })
      return { token: await token, body, values: scenario.disclosed, denied: scenario.disclosed < scenario.values }
    },
    delay: async (milliseconds) => {
      await tell({ command: 'delay', milliseconds })
    },
    resetCounts: async () => {
      await tell({ command: 'reset' })
    },
    counts: async () => (await tell({ command: 'counts' })).counts,
    stop: async () => {
      for (const driver of opened) await driver.stop()
      await stack.stop()
      await store.stop()
      if (former === undefined) Reflect.deleteProperty(process.env, 'AWS_ENDPOINT_URL_DYNAMODB')
      else process.env['AWS_ENDPOINT_URL_DYNAMODB'] = former
      rmSync(dataFolder, { recursive: true, force: true })
    },
  }
}

const sealedBy = (sealing: Sealing): ToAttribute => {
  return async (value, { tenant, pk, sk }, name) => ({ B: await sealing.seal(value, tenant, placeOf(pk, sk, name)) })
}

/** The data key of the hand-built contestants: its bytes, and those that KMS wrapped, in base64. */
async function newDataKey({ env }: Stack): Promise<{ readonly plaintext: Uint8Array; readonly wrapped: string }> {
  const kms = new KMSClient({})
  try {
    const { Plaintext, CiphertextBlob } = await kms.send(
      new GenerateDataKeyCommand({ KeyId: env.PHI_KMS_KEY_ID, KeySpec: 'AES_256' }),
    )
    if (!Plaintext || !CiphertextBlob) throw new RangeError('KMS returned no key.')
    return { plaintext: Plaintext, wrapped: Buffer.from(CiphertextBlob).toString('base64') }
  } finally {
    kms.destroy()
  }
}

/** The largest request has 10,000 values, and S3 has 400 denied values in each request. */
const LIMITS = {
  operation: { CLINICIAN: 20_000 },
  answer: { places: 200_000 },
  refusedValues: { STAFF: Number.MAX_SAFE_INTEGER },
}

/** The settings of a contestant's process: for the gateway those of the deployment, for the others the documented ones of Apollo. */
function settingsOf(name: ContestantName): Record<string, string> {
  if (name !== 'gateway') return { NODE_ENV: 'production' }
  const { NODE_OPTIONS } = deployment.parse(readFragment(new URL('../serverless.yml', import.meta.url))).functions.graphql
    .environment
  return { NODE_OPTIONS, PHI_LIMITS: JSON.stringify(LIMITS) }
}

function variablesOf({ patient, variables }: Scenario, seeded: SeededPatients): object {
  if (!patient) return { ...variables }
  const found = seeded[patient.tenant].at(patient.which === 'first' ? 0 : -1)?.records[0]
  if (!found) throw new RangeError('The tenant has no patient.')
  return { ...variables, id: encodeNodeId(found.ref) }
}
