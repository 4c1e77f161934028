import { accessSync, constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { type CompiledPolicy, compilePolicy } from '../../directives/compile.ts'
import { loadRecords } from '../../gateway/admin/load-records.ts'
import { openImporter } from '../../gateway/admin/open-importer.ts'
import { counted } from '../../gateway/model/counted.ts'
import type { TenantId } from '../../gateway/model/ids.ts'
import { openNotary } from '../../gateway/open-notary.ts'
import { operatorEvents } from '../../gateway/telemetry/operator-events.ts'
import { type Project, projectTypeDefs, ProjectRefused } from '../../schema/project.ts'
import { type Handler, startHttpApi } from './api-gateway.ts'
import { endpointOf, serveAudit } from './audit-endpoint.ts'
import { everyMinute } from './every-minute.ts'
import { explorerRoutes } from './explorer/explorer.ts'
import { type FirstOperation, menuOf } from './explorer/menu.ts'
import { fileFaultText } from './file-fault.ts'
import { type ProjectUser, projectUsers } from './project-users.ts'
import { type Stack, startStack } from './stack.ts'

/** A running project: its function over the local services, and the API of auditors. */
export interface ProjectStack {
  readonly stack: Stack
  readonly users: readonly ProjectUser[]
  readonly compiled: CompiledPolicy
  readonly stop: () => Promise<void>
}

export interface ProjectStackOptions {
  /** Absolute path. */
  readonly dataFolder: string
  /** 0 selects free ports. */
  readonly port: number
  readonly fresh?: boolean
  readonly log: (line: string) => void
}

/**
 * Starts the local services, loads the records of the project, and serves its function and the API of auditors. A process can start one
 * project, because a function reads the environment when its module loads.
 *
 * @throws ProjectRefused, PolicyFaults, and errors of `startStack` and of the function's module
 */
export async function startProject(
  project: Project,
  { dataFolder, port, fresh = false, log }: ProjectStackOptions,
): Promise<ProjectStack> {
  const [module, usersFile] = [required(project, 'handler'), required(project, 'users')]
  requireReadable(module, 'the handler in phi.json')
  for (const [tenant, file] of project.records ?? []) requireReadable(file, `the records of ${tenant} in phi.json`)
  // unchecked: this decides no request, and only the gateway knows the sources of relationships
  const compiled = compilePolicy(projectTypeDefs(project), { relationships: 'unchecked' })
  const users = projectUsers(usersFile, compiled.policy)
  const tenants = [...new Set(users.map(({ tenant }) => tenant as TenantId))]
  const unused = [...(project.records?.keys() ?? [])].find((tenant) => !tenants.includes(tenant as TenantId))
  if (unused !== undefined)
    throw new ProjectRefused(`phi.json has records of ${unused}, a tenant without users. ${usersFile} has ${tenants.join(', ')}.`)
  const stack = await startStack({ dataFolder, port, fresh, users })
  const stops = [() => stack.stop()]
  const stop = async (): Promise<void> => {
    for (const one of stops) await one()
  }
  try {
    for (const tenant of tenants) await loadTenant(project, { tenant, compiled, log })
    const handler = await handlerOf(module)
    // import it only now: it reads the environment, as the function of the project does
    const { lambdaAudit } = await import('../../functions/lambda-audit.ts')
    const audit = serveAudit(stack, await lambdaAudit({ typeDefs: projectTypeDefs(project), lock: compiled.lock }))
    const menu = menuOf(users, compiled.policy, ({ name }) => firstOperationOf(users.find((user) => user.name === name)))
    const explorer = explorerRoutes(handler, { stage: stack.env.PHI_STAGE, users: menu, compiled, tokens: stack })
    const api = await startHttpApi({
      port: stack.port,
      routes: { 'POST /graphql': handler, 'OPTIONS /graphql': handler, ...explorer, ...audit },
    })
    stops.unshift(() => api.stop())
    const events = operatorEvents({ stage: stack.env.PHI_STAGE, now: Date.now })
    const notary = openNotary(process.env, { lock: compiled.lock, events })
    stops.unshift(
      everyMinute(async () => {
        await notary.run()
      }),
    )
  } catch (error) {
    await stop()
    throw error
  }
  return { stack, users, compiled, stop }
}

const firstOperationOf = (user: ProjectUser | undefined): FirstOperation => ({
  query: user?.query ?? '{ __typename }',
  endpoint: user === undefined ? '/graphql' : endpointOf(user),
})

function required({ folder, ...files }: Project, member: 'handler' | 'users'): string {
  const file = files[member]
  if (file === undefined) throw new ProjectRefused(`${folder}/phi.json names no "${member}", which the local stack needs`)
  return file
}

/** Refuses a file before any service starts. */
function requireReadable(file: string, what: string): void {
  try {
    accessSync(file, constants.R_OK)
  } catch (cause) {
    throw new ProjectRefused(fileFaultText(cause, 'read', { path: file, from: what }) ?? `Cannot read ${file} (${what}).`, {
      cause,
    })
  }
}

/** Gives a tenant its keys, and writes its records. Records that are stored already stay unchanged. */
async function loadTenant(
  project: Project,
  { tenant, compiled, log }: { readonly tenant: TenantId; readonly compiled: CompiledPolicy; readonly log: (line: string) => void },
): Promise<void> {
  const store = await openImporter(tenant, compiled.lock, 'create')
  try {
    const file = project.records?.get(tenant)
    if (file === undefined) return
    const source = await open(file)
    try {
      const { created, updated, unchanged, refused } = await loadRecords(source.readLines(), { compiled, store })
      log(`${tenant}: ${counted(created + updated + unchanged, 'record')}`)
      for (const { line, why } of refused) log(`${file}, line ${line}: ${why}`)
    } finally {
      await source.close()
    }
  } finally {
    await store.close()
  }
}

async function handlerOf(module: string): Promise<Handler> {
  // the environment of the stack is in place: the module reads it when it loads, as on Lambda
  const { handler } = (await import(pathToFileURL(module).href)) as { handler?: unknown }
  if (typeof handler !== 'function') throw new ProjectRefused(`${module} exports no function "handler"`)
  return handler as Handler
}
