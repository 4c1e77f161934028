import { Argument, Command, Option } from 'commander'
import type { KeyRotation, RenewableUse } from '../gateway/crypto/key-rotation.ts'
import type { KeyAdmin } from '../gateway/admin/key-admin.ts'
import type { PatientId, TenantId } from '../gateway/model/ids.ts'
import { patientOption } from './patient-option.ts'
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
      for (const { version, kmsKey, uses, patientKeys } of await withRotation((rotation) => rotation.usage(tenant))) {
        printLine(`version ${version}  ${kmsKey}  purpose keys ${uses}, patient keys ${patientKeys}`)
      }
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
    .description('create a version of the tenant key, under the current KMS key of the tenant')
    .addArgument(tenantArgument())
    .action(async (tenant: TenantId) => {
      printLine(`tenant key version ${await withRotation((rotation) => rotation.rotate(tenant))}`)
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
  return new Command('keys')
    .description("manage a tenant's keys")
    .addCommand(create)
    .addCommand(list)
    .addCommand(rotate)
    .addCommand(rewrap)
    .addCommand(renew)
}

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
