import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DEMO_USERS, type StackUser } from './users.ts'
import { refuseProductionIfNamed } from '../../gateway/model/stage.ts'
import { startEngine } from './engine.ts'
import { enterEnvironment, environmentOf } from './environment.ts'
import { AUDIENCE, type IdentityProvider, startIdentityProvider } from './identity-provider.ts'
import { type KmsStandIn, startKms } from './kms.ts'
import { freePort, LOOPBACK, requirePort } from './ports.ts'
import { readStackFile, removeStackFile, type StackFile, writeStackFile } from './stack-file.ts'
import { createTables, dropTables } from './tables.ts'

export interface StackOptions {
  /** Absolute path; made when missing. One stack at a time has it. */
  readonly dataFolder: string
  /** Where the HTTP API is to listen; the identity provider takes the next one. 0 for any free two. */
  readonly port: number
  /** Forget what the folder holds, and what the tables hold on an engine that was there before. */
  readonly fresh?: boolean
  readonly users?: readonly StackUser[]
  /** Part of the tables' names, `local` when left out: tests that share an engine take one each. */
  readonly namespace?: string
}

/** All that the functions stand on, started. Nothing serves GraphQL yet: that is for who imports the function. */
export interface Stack extends StackFile {
  readonly port: number
  readonly kms: KmsStandIn
  readonly identity: IdentityProvider
  /** For those who set tables up; the functions make their own. */
  readonly dynamodb: DynamoDBClient
  stop(): Promise<void>
}

const STAGE = 'local'
const KMS_KEY = 'alias/phi-local'
const LAKESIDE_KEY = 'alias/phi-lakeside'
/** Data folders of earlier starts have its first tenant key under the shared key. */
const TENANT_KMS_KEYS = { lakeside: [LAKESIDE_KEY, KMS_KEY] }
const DATABASE = 'dynamodb.sqlite'
/** Everything that a stack keeps. Named one by one: a folder given by mistake loses nothing else. */
const KEPT = [DATABASE, `${DATABASE}-wal`, `${DATABASE}-shm`, `${DATABASE}-journal`, 'kms.json', 'identity.json', 'seeded.json']

/** A stack already runs on this data folder. */
class StackRunning extends Error {
  override readonly name = 'StackRunning'
}

/**
 * Starts the engine with its tables, the KMS stand-in and the identity provider, puts the environment of the functions in
 * place, and writes `stack.json`. A function imported from now on until `stop` finds all of it.
 *
 * @throws PortInUse, StackRunning, NoEngine; StageRefused in a process that was told to be production
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { dataFolder, port: wanted, fresh = false, users = DEMO_USERS, namespace = STAGE } = options
  refuseProductionIfNamed(process.env)
  mkdirSync(dataFolder, { recursive: true, mode: 0o700 })
  await refuseSecond(dataFolder)
  const port = wanted === 0 ? await freePort() : wanted
  const identityPort = wanted === 0 ? 0 : wanted + 1
  await Promise.all([requirePort(port), identityPort === 0 ? undefined : requirePort(identityPort)])
  if (fresh) for (const file of KEPT) rmSync(join(dataFolder, file), { force: true })

  const started: { stop(): Promise<void> }[] = []
  const keep = async <T extends { stop(): Promise<void> }>(part: Promise<T>): Promise<T> => {
    const running = await part
    started.push(running)
    return running
  }
  const tablesOn = async (engine: Promise<{ endpoint: string }>) => {
    const { endpoint } = await engine
    const dynamodb = new DynamoDBClient({
      endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    })
    if (fresh) await dropTables(dynamodb, namespace)
    return { endpoint, dynamodb, tables: await createTables(dynamodb, namespace) }
  }
  const parts = await Promise.allSettled([
    tablesOn(keep(startEngine({ dataFile: join(dataFolder, DATABASE) }))),
    keep(startKms({ file: join(dataFolder, 'kms.json'), aliases: [KMS_KEY, LAKESIDE_KEY] })),
    keep(startIdentityProvider({ port: identityPort, dataFolder, users })),
  ])
  const [data, kms, identity] = parts
  if (data.status === 'rejected' || kms.status === 'rejected' || identity.status === 'rejected') {
    await Promise.all(started.map((part) => part.stop()))
    throw parts.find((part) => part.status === 'rejected')?.reason
  }

  const { endpoint, dynamodb, tables } = data.value
  const { issuer, jwksUri, tokenEndpoint, clientSecrets } = identity.value
  const env = environmentOf({
    stage: STAGE,
    tables,
    kmsKeyId: KMS_KEY,
    tenantKmsKeys: TENANT_KMS_KEYS,
    issuer,
    audience: AUDIENCE,
    jwksUri,
    dynamodb: endpoint,
    kms: kms.value.endpoint,
  })
  const leaveEnvironment = enterEnvironment(env)
  const file: StackFile = { graphql: `http://${LOOPBACK}:${port}/graphql`, issuer, jwksUri, tokenEndpoint, clientSecrets, env }
  writeStackFile(dataFolder, file)

  return {
    ...file,
    port,
    kms: kms.value,
    identity: identity.value,
    dynamodb,
    stop: async () => {
      removeStackFile(dataFolder)
      leaveEnvironment()
      dynamodb.destroy()
      await Promise.all(started.map((part) => part.stop()))
    },
  }
}

/** Two engines on one file would each hold half of the truth. A file that a killed stack left behind does not count. */
async function refuseSecond(dataFolder: string): Promise<void> {
  let other: StackFile
  try {
    other = readStackFile(dataFolder)
  } catch {
    return
  }
  const answers = await fetch(other.jwksUri, { signal: AbortSignal.timeout(1_000) }).then(
    (response) => response.ok,
    () => false,
  )
  if (answers) throw new StackRunning(`A stack is already running: ${other.graphql}`)
}
