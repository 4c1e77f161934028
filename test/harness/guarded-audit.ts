import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { bundleAudit } from '../../infra/bundle.ts'
import { type Handler, startHttpApi } from '../../infra/local/api-gateway.ts'
import { startObjectStore } from '../../infra/local/object-store.ts'
import { refuse as refusal, type Script } from '../hostile/faults.ts'
import { startProxy } from '../hostile/proxy.ts'
import { ownLibrary } from '../infra/native-library.ts'
import { ACCOUNT, ResolvedTemplate } from '../infra/resolved-template.ts'
import { FunctionChild } from './function-child.ts'
import { type GuardedObjects, guardObjects, type IamGuard, iamGuard } from './iam-guard.ts'
import type { RunningClinic } from './running-clinic.ts'
import { startSts, type StsStandIn } from './sts.ts'

/** The variables of tables, by the id of their resource, as far as the function for auditors could use them. */
const TABLES = {
  AuditTable: 'PHI_TABLE_AUDIT',
  CheckpointsTable: 'PHI_TABLE_CHECKPOINTS',
  DisclosuresTable: 'PHI_TABLE_DISCLOSURES',
  ComparisonsTable: 'PHI_TABLE_COMPARISONS',
  WorkforceTable: 'PHI_TABLE_WORKFORCE',
  SessionsTable: 'PHI_TABLE_SESSIONS',
  SecurityTable: 'PHI_TABLE_SECURITY',
  RecordsTable: 'PHI_TABLE_RECORDS',
  KeysTable: 'PHI_TABLE_KEYS',
} as const

/** The packaged function for auditors in a process of its own, as it is deployed: every request to AWS is decided by the policies. */
export interface GuardedAudit {
  /** The HTTP API with `POST /audit/graphql`, and the routes that the test adds. */
  readonly url: string
  readonly guard: IamGuard
  readonly sts: StsStandIn
  readonly objects: GuardedObjects
  /** The environment of the function. */
  readonly env: RunningClinic['stack']['env'] & Readonly<Record<string, string>>
  /** Faults of DynamoDB, for calls that IAM allows. */
  play(script: Script | undefined): void
  /** Invokes the function with an event that does not come from API Gateway. */
  invoke(event: Readonly<Record<string, unknown>>): Promise<unknown>
  /** Ends the process at once. The next request starts another. */
  kill(): void
  stop(): Promise<void>
}

export async function startGuardedAudit(
  { stack }: Pick<RunningClinic, 'stack'>,
  {
    env: more = {},
    routes = {},
  }: { readonly env?: Record<string, string>; readonly routes?: Record<`POST /${string}`, Handler> } = {},
): Promise<GuardedAudit> {
  const folder = mkdtempSync(join(tmpdir(), 'phi-guarded-audit-'))
  const bundle = pathToFileURL(join(folder, 'audit/'))
  await bundleAudit(bundle, ownLibrary())
  const sts = await startSts()
  const guard = iamGuard(sts, new Map(Object.entries(TABLES).map(([id, variable]) => [id, stack.env[variable]])))
  const proxy = await startProxy(stack.env.AWS_ENDPOINT_URL_DYNAMODB, { remember: false })
  const template = new ResolvedTemplate()
  const named = ['AuditBucket', 'AuditTablesBucket'].map((id) => template.nameOf(id))
  const stores = await Promise.all(named.map((bucket) => startObjectStore({ bucket, missing: 'AccessDenied' })))
  const objects = await guardObjects(guard, new Map(stores.map(({ endpoint }, at) => [named[at] ?? '', endpoint])))
  const env = {
    ...stack.env,
    // a stage with patients: the local exceptions do not apply
    PHI_STAGE: 'prod',
    PHI_AUDIT_READER_ROLE: `arn:aws:iam::${ACCOUNT}:role/AuditReaderRole`,
    PHI_AUDIT_OBJECTS: `s3://${named[0] ?? ''}`,
    PHI_AUDIT_TABLES: `s3://${named[1] ?? ''}`,
    PHI_AUDIT_RESULTS: `s3://${template.nameOf('AuditResultsBucket')}`,
    PHI_CLAIMS: '{}',
    PHI_SESSIONS: '{}',
    AWS_ENDPOINT_URL_DYNAMODB: proxy.endpoint,
    AWS_ENDPOINT_URL_S3: objects.endpoint,
    AWS_ENDPOINT_URL_STS: sts.endpoint,
    ...more,
  }
  let faults: Script | undefined
  const script: Script = async (call) => {
    if (!(await guard.allowsCall(call))) return refusal('AccessDeniedException')
    return faults === undefined ? { kind: 'PASS' } : await faults(call)
  }
  proxy.play(script)

  let child: Promise<FunctionChild> | undefined
  const running = async (): Promise<FunctionChild> => {
    child ??= FunctionChild.start(folder, env, { name: 'audit', bundle: new URL('index.mjs', bundle) })
    return await child
  }
  const handler: Handler = async (event) => (await (await running()).invoke(event)).result
  const api = await startHttpApi({ port: 0, routes: { ...routes, 'POST /audit/graphql': handler }, timeoutMs: 29_000 })
  const kill = (): void => {
    child?.then((one) => one.kill('SIGKILL')).catch(() => undefined)
    child = undefined
  }
  return {
    url: api.url,
    guard,
    sts,
    objects,
    env,
    play: (next) => {
      faults = next
    },
    invoke: async (event) => (await (await running()).invoke(event)).result,
    kill,
    stop: async () => {
      kill()
      await Promise.all([api.stop(), proxy.stop(), sts.stop(), objects.stop(), ...stores.map((store) => store.stop())])
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
