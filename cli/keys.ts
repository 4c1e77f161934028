import { Argument, Command, Option } from 'commander'
import type { TenantRotation } from '../gateway/admin/tenant-rotation.ts'
import type { KeyRotation, RenewableUse } from '../gateway/crypto/key-rotation.ts'
import type { KeyAdmin } from '../gateway/admin/key-admin.ts'
import type { PatientId, TenantId } from '../gateway/model/ids.ts'
import { ROTATION_SCOPES, type RotationScope, type RotationStep } from '../gateway/model/rotation-run.ts'
import { statusText, tenantKeyLine } from './keys-text.ts'
import { patientOption } from './patient-option.ts'
import { positionProgress } from './position-progress.ts'
import { tenantOption } from './tenant-option.ts'
import { printLine } from './terminal.ts'

interface RenewOptions {
  readonly patient?: PatientId
  readonly use?: RenewableUse
}

/** `phi keys` lists and creates versions of a tenant's keys. Changes are audited under the account that runs the command. */
export function keysCommand(): Command {
  const list = new Command('list')
    .description('list the versions of the tenant key, with the number of keys wrapped under each')
    .addArgument(tenantArgument())
    .action(async (tenant: TenantId) => {
      const { tenantKeys } = await withAdmin(({ tenants }) => tenants.status(tenant))
      for (const key of tenantKeys) printLine(tenantKeyLine(key))
    })
  const status = new Command('status')
    .description('show versions and ages of the keys, the latest rotation with its progress, and the due dates')
    .addArgument(tenantArgument())
    .action(async (tenant: TenantId) => {
      const { lines, overdue } = await withAdmin(async ({ tenants, rotationDays }) =>
        statusText(await tenants.status(tenant), rotationDays, Date.now()),
      )
      for (const line of lines) printLine(line)
      if (overdue) process.exitCode = OVERDUE
    })
  const create = new Command('create')
    .description('create the keys of a new tenant, or the keys that a tenant lacks after an update of the gateway')
    .addArgument(new Argument('<name>', 'the name of the tenant').argParser(tenantOption))
    .action(async (tenant: TenantId) => {
      const done = await withAdmin((admin) => admin.create(tenant))
      const added = done === 'created' || done.length === 0 ? '' : `, added the keys for ${done.join(', ')}`
      printLine(done === 'created' ? 'tenant created' : `tenant exists${added}`)
    })
  const rotate = new Command('rotate')
    .description('replace keys of a tenant while it is in use; continues an interrupted rotation')
    .addArgument(tenantArgument())
    .addOption(
      new Option('--scope <scope>', 'the tenant key, the key of the search entries, or these and the other purpose keys')
        .choices(ROTATION_SCOPES)
        .default('tenant' satisfies RotationScope),
    )
    .action(async (tenant: TenantId, { scope }: { scope: RotationScope }) => {
      await withAdmin(({ tenants }) => rotateWithProgress(tenants, tenant, scope))
    })
  const rewrap = new Command('rewrap')
    .description('wrap the patient keys under the newest tenant key; continues an interrupted run')
    .addArgument(tenantArgument())
    .action(async (tenant: TenantId) => {
      const report = ({ rewrapped }: { rewrapped: number }): void => printLine(`rewrapped ${rewrapped}`, 'stderr')
      const { rewrapped, already, refused } = await withRotation((rotation) => rotation.rewrap(tenant, report))
      printLine(`rewrapped ${rewrapped}, already ${already}, refused ${refused}`)
      if (refused > 0) process.exitCode = 1
    })
  const renew = new Command('renew')
    .description('create a key version for future writes, for one patient or one use')
    .addArgument(tenantArgument())
    .option('--patient <id>', 'the patient id, from the API or from a record', patientOption)
    .addOption(new Option('--use <use>', 'the use of the key').choices(['access', 'cursor']))
    .action(async (tenant: TenantId, { patient, use }: RenewOptions, command: Command) => {
      if ((patient === undefined) === (use === undefined))
        command.error('error: specify exactly one of --patient and --use (access or cursor)')
      const version = await withRotation(async (rotation) => {
        if (patient !== undefined) return await rotation.renewPatient(tenant, patient)
        return await rotation.renewUse(tenant, use ?? 'access')
      })
      printLine(patient === undefined ? `${use ?? 'access'} key version ${version}` : `patient key version ${version}`)
    })
  const replay = new Command('replay-erasures')
    .description('destroy the keys of erased patients again, after a restore and before the gateway serves')
    .addArgument(tenantArgument())
    .requiredOption('--policy <file>', 'the keys of the log and the quorum of witnesses (C2SP tlog-policy)')
    .addHelpText('after', '\nExit code: 1 if a key item is missing or damaged. Such a patient stays closed.')
    .action(async (tenant: TenantId, { policy }: { readonly policy: string }, command: Command) => {
      const { replayErasures } = await import('./keys-replay-run.ts')
      await replayErasures(tenant, policy, command)
    })
  return new Command('keys')
    .description("manage a tenant's keys")
    .addCommand(create)
    .addCommand(list)
    .addCommand(status)
    .addCommand(rotate)
    .addCommand(rewrap)
    .addCommand(renew)
    .addCommand(replay)
}

/** Exit code if a rotation is overdue. */
const OVERDUE = 3

/** Shows a bar for each step, and prints what was done. */
async function rotateWithProgress(tenants: TenantRotation, tenant: TenantId, scope: RotationScope): Promise<void> {
  const bars = new Map<RotationStep, ReturnType<typeof positionProgress>>()
  const { run, continued, rewrapped, refused } = await tenants
    .run(tenant, scope, ({ step, done, of }) => {
      if (step !== 'REWRAP' && step !== 'REWRITE') return
      const bar = bars.get(step) ?? positionProgress(process.stderr, UNITS[step])
      bars.set(step, bar)
      bar.update(done, of)
    })
    .finally(() => {
      for (const bar of bars.values()) bar.stop()
    })
  if (continued) printLine('continued an earlier rotation', 'stderr')
  const { planned } = run
  for (const [key, version] of Object.entries(planned)) printLine(`${key} key version ${version}`)
  printLine(`rewrapped ${rewrapped}, refused ${refused}`)
  if (refused > 0) process.exitCode = 1
}

const UNITS = { REWRAP: 'patient keys wrapped', REWRITE: 'patients with rewritten search entries' } as const

const withRotation = <T>(work: (rotation: KeyRotation) => Promise<T>): Promise<T> => withAdmin(({ rotation }) => work(rotation))

async function withAdmin<T>(work: (admin: KeyAdmin) => Promise<T>): Promise<T> {
  const { openKeyAdmin } = await import('./keys-run.ts')
  const admin = openKeyAdmin()
  try {
    return await work(admin)
  } finally {
    admin.close()
  }
}

const tenantArgument = (): Argument => new Argument('<tenant>', 'the tenant of the keys').argParser(tenantOption)
