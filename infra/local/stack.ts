import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DEMO_USERS, type StackUser } from './users.ts'
import { refuseProductionIfNamed } from '../../gateway/model/stage.ts'
import { DYNAMODB_LOCAL_FOLDER, startEngine } from './engine.ts'
import { enterEnvironment, environmentOf, LOCAL_STAGE } from './environment.ts'
import { AUDIENCE, type IdentityProvider, startIdentityProvider } from './identity-provider.ts'
import { fileFaultText } from './file-fault.ts'
import { type KmsStandIn, startKms } from './kms.ts'
import { type LambdaStandIn, startLambda } from './lambda.ts'
import { listenAddress } from './listen-address.ts'
import { makeWritableFolder } from './make-folder.ts'
import { freePort, LOOPBACK, requirePorts } from './ports.ts'
import { readStackFile, removeStackFile, type StackFile, writeStackFile } from './stack-file.ts'
import { StartRefused } from './start-refused.ts'
import { createTables, dropTables } from './tables.ts'
import { PORTAL_CLIENT } from './token.ts'

export interface StackOptions {
  /** Absolute path, created if missing. Only one stack at a time can use it. */
  readonly dataFolder: string
  /** Port of the HTTP API. The identity provider uses the next port. 0 selects two free ports. */
  readonly port: number
  /** Delete the data in the folder, and the tables of an engine that was already running. */
  readonly fresh?: boolean
  readonly users?: readonly StackUser[]
  /** Part of the table names, by default `local`. Tests that share an engine use one namespace each. */
  readonly namespace?: string
  /** Prints a line about work that takes long, such as a download. */
  readonly log?: (line: string) => void
}

/** The running services that the functions need. Import a function only after they run: it reads the environment when it loads. */
export interface Stack extends StackFile {
  readonly port: number
  readonly kms: KmsStandIn
  readonly identity: IdentityProvider
  readonly lambda: LambdaStandIn
  /** A client for the setup of tables. The functions create their own client. */
  readonly dynamodb: DynamoDBClient
  stop(): Promise<void>
}

const KMS_KEY = 'alias/phi-local'
const LAKESIDE_KEY = 'alias/phi-lakeside'
const LOG_KEYS = { ed25519: 'alias/phi-local-log-ed25519', mlDsa44: 'alias/phi-local-log-ml-dsa-44' }
/** The key of records' signatures. */
const SIGNATURE_KEY = 'alias/phi-local-signatures'
/** The key for digests of ids, for receivers of the audit log outside of the boundary. */
const SIEM_KEY = 'alias/phi-local-siem'
/** In older data folders, the first tenant key of lakeside is under the shared key. */
const TENANT_KMS_KEYS = { lakeside: [LAKESIDE_KEY, KMS_KEY] }
/** Unregistered texts of the portal are reported, and it registers queries by itself. Other first-party clients send any text. */
const OPERATIONS = { modes: { [PORTAL_CLIENT]: 'log' }, register: [PORTAL_CLIENT] }
/** The function that answers who accessed a patient's record. */
export const AUDIT_FUNCTION = 'phi-gateway-local-audit'
const DATABASE = 'dynamodb.sqlite'
/** The folder of the sealed log. */
const AUDIT_OBJECTS = 'audit-objects'
/** The folder of the tables that are derived from it. */
const AUDIT_TABLES = 'audit-tables'
/** The folder of the positions up to which the log was delivered. */
const SIEM_POSITIONS = 'siem-positions'
/** The folder of a fetched engine, which `fresh` keeps. */
const ENGINES = 'engines'
/** All files of a stack. `fresh` deletes only these, so that a wrong folder loses no other files. */
const DATA_FILES = [
  DATABASE,
  `${DATABASE}-wal`,
  `${DATABASE}-shm`,
  `${DATABASE}-journal`,
  DYNAMODB_LOCAL_FOLDER,
  'kms.json',
  'identity.json',
  'seeded.json',
  AUDIT_OBJECTS,
  AUDIT_TABLES,
  SIEM_POSITIONS,
]

/** A stack already runs on this data folder. */
class StackRunning extends StartRefused {
  override readonly name = 'StackRunning'
}

/**
 * Starts the engine with its tables, the KMS stand-in and the identity provider. Sets the environment of the functions and
 * writes `stack.json`. A function that is imported after this and before `stop` uses these services.
 *
 * @throws StartRefused: FolderRefused, PortInUse, StackRunning, NoEngine, ListenRefused, DataUnreadable
 * @throws StageRefused in a production process
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { dataFolder, port: wanted, fresh = false, users = DEMO_USERS, namespace = LOCAL_STAGE, log = () => undefined } = options
  refuseProductionIfNamed(process.env)
  const address = listenAddress(process.env)
  prepareFolder(dataFolder)
  await refuseSecond(dataFolder)
  // the file of a killed stack would lead commands to ports without a stack
  removeStackFile(dataFolder)
  const port = wanted === 0 ? await freePort() : wanted
  const identityPort = wanted === 0 ? 0 : wanted + 1
  await requirePorts(port, identityPort)
  if (fresh) for (const file of DATA_FILES) rmSync(join(dataFolder, file), { force: true, recursive: true })

  const started: { stop(): Promise<void> }[] = []
  const track = async <T extends { stop(): Promise<void> }>(part: Promise<T>): Promise<T> => {
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
    tablesOn(track(startEngine({ dataFile: join(dataFolder, DATABASE), cacheFolder: join(dataFolder, ENGINES), log }))),
    track(
      startKms({
        file: join(dataFolder, 'kms.json'),
        aliases: [KMS_KEY, LAKESIDE_KEY],
        signing: {
          [LOG_KEYS.ed25519]: 'ECC_NIST_EDWARDS25519',
          [LOG_KEYS.mlDsa44]: 'ML_DSA_44',
          [SIGNATURE_KEY]: 'ECC_NIST_EDWARDS25519',
          [SIEM_KEY]: 'HMAC_256',
        },
      }),
    ),
    track(startIdentityProvider({ port: identityPort, address, dataFolder, users })),
    track(startLambda()),
  ])
  const [data, kms, identity, lambda] = parts
  if (data.status === 'rejected' || kms.status === 'rejected' || identity.status === 'rejected' || lambda.status === 'rejected') {
    await Promise.all(started.map((part) => part.stop()))
    throw parts.find((part) => part.status === 'rejected')?.reason
  }

  const { endpoint, dynamodb, tables } = data.value
  const { issuer, jwksUri, tokenEndpoint, clientSecrets } = identity.value
  const env = environmentOf({
    stage: LOCAL_STAGE,
    tables,
    kmsKeyId: KMS_KEY,
    tenantKmsKeys: TENANT_KMS_KEYS,
    signatureKey: SIGNATURE_KEY,
    logKeys: LOG_KEYS,
    tenants: [...new Set(users.map(({ tenant }) => tenant))],
    auditObjects: join(dataFolder, AUDIT_OBJECTS),
    auditTables: join(dataFolder, AUDIT_TABLES),
    siem: process.env['PHI_SIEM'] ?? '',
    siemPositions: join(dataFolder, SIEM_POSITIONS),
    issuer,
    audience: AUDIENCE,
    jwksUri,
    operations: OPERATIONS,
    auditFunction: AUDIT_FUNCTION,
    dynamodb: endpoint,
    kms: kms.value.endpoint,
    lambda: lambda.value.endpoint,
  })
  const leaveEnvironment = enterEnvironment(env)
  const file: StackFile = {
    graphql: `http://${LOOPBACK}:${port}/graphql`,
    issuer,
    jwksUri,
    tokenEndpoint,
    clientSecrets,
    users: users.map(({ name, tenant, fhirUser, client }) => ({
      name,
      tenant,
      ...(fhirUser !== undefined && { fhirUser }),
      ...(client && { client }),
    })),
    env,
  }
  writeStackFile(dataFolder, file)

  return {
    ...file,
    port,
    kms: kms.value,
    identity: identity.value,
    lambda: lambda.value,
    dynamodb,
    stop: async () => {
      removeStackFile(dataFolder)
      leaveEnvironment()
      dynamodb.destroy()
      await Promise.all(started.map((part) => part.stop()))
    },
  }
}

/** The data folder is missing and cannot be created, or cannot be written. */
class FolderRefused extends StartRefused {
  override readonly name = 'FolderRefused'
}

/** @throws FolderRefused */
function prepareFolder(dataFolder: string): void {
  try {
    makeWritableFolder(dataFolder)
  } catch (cause) {
    const text = fileFaultText(cause, 'write', { path: dataFolder, from: 'the data folder' })
    if (text === undefined) throw cause
    throw new FolderRefused(`${text} PHI_DATA names the data folder.`, { cause })
  }
}

/** Two engines on one file would each hold half of the data. The file of a killed stack does not count. */
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
  if (answers)
    throw new StackRunning(`A stack is already running at ${other.graphql}. Stop it, or name another folder in PHI_DATA.`)
}
