import { DEMO_USERS } from './users.ts'
import { type Handler, startHttpApi } from './api-gateway.ts'
import { auditUrlOf, serveAudit } from './audit-endpoint.ts'
import { fileFaultText } from './file-fault.ts'
import { seedClients } from './demo/seed-clients.ts'
import { seedWorkforce } from './demo/seed-workforce.ts'
import { everyMinute } from './every-minute.ts'
import { explorerRoutes } from './explorer/explorer.ts'
import { menuOf } from './explorer/menu.ts'
import { seedOnce } from './seeding.ts'
import { listenAddress } from './listen-address.ts'
import { phiCommand } from './phi-command.ts'
import { screen } from './screen.ts'
import { DATA_FOLDER, removeStackFile } from './stack-file.ts'
import { startCommandWith } from './start-command.ts'
import { DEFAULT_PATIENTS, startOptions } from './start-options.ts'
import { startStack } from './stack.ts'
import { stopOnSignals } from './stop-on-signals.ts'
import { firstCommandOf, firstOperationOf } from './tour.ts'
import { compilePolicy } from '../../directives/compile.ts'
import { clinicLock, clinicTypeDefs } from '../../schema/clinic.ts'

// `npm start [-- --fresh] [--patients N] [--log text|json]` starts the whole system on this machine. PORT, PHI_DATA, PHI_CORS and PHI_SIEM come
// from the environment.

const log = (line: string): void => console.log(line)

const health: Handler = () =>
  Promise.resolve({
    statusCode: 200,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
    body: JSON.stringify({ status: 'ok' }),
  })

async function start(): Promise<void> {
  const { fresh, patients, port, log: form } = startOptions(process.argv.slice(2), process.env)
  const stops: (() => Promise<void>)[] = []
  stopOnSignals(stops)
  // the functions read it when they are loaded, and print their events in this form
  process.env['PHI_LOG'] = form
  const stack = await startStack({ dataFolder: DATA_FOLDER, port, fresh, log })
  stops.push(() => stack.stop())
  process.on('exit', () => removeStackFile(DATA_FOLDER))
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
    const auditRoutes = serveAudit(stack, audit.handler)
    const seeded = await seedOnce({
      stack,
      dataFolder: DATA_FOLDER,
      patients: patients ?? DEFAULT_PATIENTS,
      openImporter: (tenant) => openImporter(tenant, clinicLock(), 'create'),
      log,
    })
    if (!seeded && patients !== undefined)
      log(`The demo patients already exist. To change their number, run: ${startCommandWith({ options: '--fresh --patients N' })}`)
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
      address: listenAddress(process.env),
      routes: {
        'POST /graphql': handler,
        'OPTIONS /graphql': handler,
        ...explorerRoutes(handler, {
          stage: stack.env.PHI_STAGE,
          users: menuOf(DEMO_USERS, compiled.policy, firstOperationOf),
          compiled,
          tokens: stack,
        }),
        ...auditRoutes,
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
  const [first] = DEMO_USERS
  const text = screen({
    url: stack.graphql,
    auditUrl: auditUrlOf(stack.graphql),
    users: DEMO_USERS,
    columns: process.stdout.columns,
    dataFolder: DATA_FOLDER,
    command: firstCommandOf(first, stack.graphql, process.env),
    hints: [`For the commands of all users, run: ${phiCommand(process.env)} tour`],
  })
  log(`\n${text}\n`)
  // this clock starts with the process
  log(`Ready in ${(performance.now() / 1000).toFixed(1)} s. Press Ctrl-C to stop.`)
}

try {
  await start()
} catch (error) {
  // the message says what to do; the stack trace is only for debugging
  console.error(
    fileFaultText(error) ??
      (error instanceof Error ? error.message : 'The local stack could not start. To see the error, run it again with DEBUG=1.'),
  )
  if (process.env['DEBUG'] !== undefined) console.error(error)
  process.exit(1)
}
