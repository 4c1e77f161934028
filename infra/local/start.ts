import { relative } from 'node:path'
import { parseArgs } from 'node:util'
import { DEMO_USERS } from './users.ts'
import { type Handler, startHttpApi } from './api-gateway.ts'
import { seedClients } from './demo/seed-clients.ts'
import { seedWorkforce } from './demo/seed-workforce.ts'
import { seedOnce } from './seeding.ts'
import { DATA_FOLDER } from './stack-file.ts'
import { AUDIT_FUNCTION, startStack } from './stack.ts'
import { tour } from './tour.ts'
import { compilePolicy } from '../../directives/compile.ts'
import { clinicLock, clinicTypeDefs } from '../../schema/clinic.ts'

// `npm start [-- --fresh] [--patients N]` starts the whole system on this machine. PORT, PHI_DATA and PHI_SIEM come from the environment.

const DEFAULT_PORT = 4000
const DEFAULT_PATIENTS = 60
const MAX_PATIENTS = 10_000
const MINUTE_MS = 60_000

const log = (line: string): void => console.log(line)

const health: Handler = () =>
  Promise.resolve({
    statusCode: 200,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
    body: JSON.stringify({ status: 'ok' }),
  })

async function start(): Promise<void> {
  const { fresh, patients, port } = options()
  const stack = await startStack({ dataFolder: DATA_FOLDER, port, fresh })
  const stops = [() => stack.stop()]
  stopOnSignal(stops)
  try {
    // import them only now: they read the environment when they are loaded, as on Lambda
    const [{ handler }, audit, notary, tables, delivery, { openImporter }, { openOperationAdmin }, { openWorkforceAdmin }] =
      await Promise.all([
        import('../../functions/graphql.ts'),
        import('../../functions/audit.ts'),
        import('../../functions/notary.ts'),
        import('../../functions/tables.ts'),
        // a setting that is not complete stops the start, with its fault
        stack.env.PHI_SIEM === '' ? undefined : import('../../functions/delivery.ts'),
        import('../../gateway/admin/open-importer.ts'),
        import('../../gateway/admin/operation-admin.ts'),
        import('../../gateway/admin/workforce-admin.ts'),
      ])
    stack.lambda.serve(AUDIT_FUNCTION, audit.handler)
    const seeded = await seedOnce({
      stack,
      dataFolder: DATA_FOLDER,
      patients: patients ?? DEFAULT_PATIENTS,
      openImporter: (tenant) => openImporter(tenant, clinicLock(), 'create'),
      log,
    })
    if (!seeded && patients !== undefined)
      log('The demo patients already exist. To change their number, run: npm start -- --fresh --patients N')
    // unchecked: this decides no request, and only the gateway knows the sources of relationships
    const compiled = compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' })
    await seedClients({
      stage: stack.env.PHI_STAGE,
      openOperations: (tenant) => openOperationAdmin(tenant, compiled, process.env),
      log,
    })
    await seedWorkforce({
      stage: stack.env.PHI_STAGE,
      openWorkforce: (tenant) => openWorkforceAdmin(tenant, compiled.policy.digest, process.env),
    })
    const api = await startHttpApi({
      port,
      routes: {
        'POST /graphql': handler,
        'GET /graphql': handler,
        'POST /audit/graphql': audit.handler as Handler,
        'GET /health': health,
      },
    })
    const sealAndTable = async (): Promise<void> => {
      await notary.handler()
      await tables.handler()
      await delivery?.handler()
    }
    stops.unshift(() => api.stop(), everyMinute(sealAndTable))
  } catch (error) {
    await stack.stop()
    throw error
  }
  log(`\n${tour(DEMO_USERS, stack.graphql)}\n`)
  log(
    `GraphQL at ${stack.graphql}, for auditors at ${new URL('/audit/graphql', stack.graphql).href}, identity provider at ${stack.issuer}, data in ${relative('.', DATA_FOLDER) || '.'}. Press Ctrl-C to stop.`,
  )
  // this clock starts with the process
  log(`Ready in ${(performance.now() / 1000).toFixed(1)} s.`)
}

/** Does the work now and each minute, as a schedule does. The returned function waits for the call that is under way. */
function everyMinute(work: () => Promise<void>): () => Promise<void> {
  let last = work()
  const timer = setInterval(() => {
    last = last.then(work)
  }, MINUTE_MS)
  return async () => {
    clearInterval(timer)
    await last
  }
}

function options(): { fresh: boolean; patients: number | undefined; port: number } {
  const { values } = parseArgs({ options: { fresh: { type: 'boolean', default: false }, patients: { type: 'string' } } })
  return {
    fresh: values.fresh,
    patients: values.patients === undefined ? undefined : wholeNumber('--patients', values.patients, 0, MAX_PATIENTS),
    port: wholeNumber('PORT', process.env['PORT'] ?? String(DEFAULT_PORT), 1, 65_534),
  }
}

function wholeNumber(name: string, text: string, min: number, max: number): number {
  const number = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN
  if (!(number >= min && number <= max)) throw new RangeError(`${name} must be a whole number from ${min} to ${max}.`)
  return number
}

/** The first signal waits for open requests. A second signal exits at once. */
function stopOnSignal(stops: readonly (() => Promise<void>)[]): void {
  let stopping = false
  const stop = (): void => {
    if (stopping) process.exit(1)
    stopping = true
    const all = async (): Promise<void> => {
      for (const stop of stops) await stop()
    }
    all().then(
      () => process.exit(0),
      () => process.exit(1),
    )
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
}

try {
  await start()
} catch (error) {
  // the message says what to do; the stack trace is only for debugging
  console.error(error instanceof Error ? error.message : 'The local stack could not start. To see the error, set DEBUG=1.')
  if (process.env['DEBUG'] !== undefined) console.error(error)
  process.exit(1)
}
