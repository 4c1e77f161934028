import { Argument, Command, Option } from 'commander'
import type { KeyRotation, RenewableUse } from '../gateway/crypto/key-rotation.ts'
import { lockDigest } from '../directives/compile.ts'
import { keyAdmin } from '../gateway/admin/key-admin.ts'
import { clinicLock } from '../schema/clinic.ts'
import type { PatientId, TenantId } from '../gateway/model/ids.ts'
import { decodeNodeId } from '../gateway/model/node-id.ts'
import { tenantOption } from './tenant-option.ts'

interface RenewOptions {
  readonly patient?: PatientId
  readonly use?: RenewableUse
}

/** `phi keys`: the versions of a tenant's keys, and new ones. What it changes is audited under the account that runs it. */
export function keysCommand(): Command {
  const list = new Command('list')
    .description('the versions of the tenant key, and how many keys are wrapped under each')
    .addArgument(tenantArgument())
    .action(async (tenant: TenantId) => {
      for (const { version, kmsKey, uses, patientKeys } of await keeping((rotation) => rotation.usage(tenant))) {
        print(`version ${version}  ${kmsKey}  use keys ${uses}, patient keys ${patientKeys}`)
      }
    })
  const rotate = new Command('rotate')
    .description('a new version of the tenant key, under the present KMS key of the tenant')
    .addArgument(tenantArgument())
    .action(async (tenant: TenantId) => {
      print(`tenant key version ${await keeping((rotation) => rotation.rotate(tenant))}`)
    })
  const rewrap = new Command('rewrap')
    .description('wrap the patient keys under the newest tenant key; goes on where an earlier run ended')
    .addArgument(tenantArgument())
    .action(async (tenant: TenantId) => {
      const told = ({ rewrapped }: { rewrapped: number }): void => void process.stderr.write(`rewrapped ${rewrapped}\n`)
      const { rewrapped, already, refused } = await keeping((rotation) => rotation.rewrap(tenant, told))
      print(`rewrapped ${rewrapped}, already ${already}, refused ${refused}`)
      if (refused > 0) process.exitCode = 1
    })
  const renew = new Command('renew')
    .description('a new key for what is written from now on, of a patient or of a use')
    .addArgument(tenantArgument())
    .option('--patient <id>', "the patient's id, as clients have it or as records have it", patientOption)
    .addOption(new Option('--use <use>', 'what the key is for').choices(['access', 'cursor']))
    .action(async (tenant: TenantId, { patient, use }: RenewOptions, command: Command) => {
      if ((patient === undefined) === (use === undefined)) command.error('error: give one of --patient and --use')
      const version = await keeping(async (rotation) => {
        if (patient !== undefined) return await rotation.renewPatient(tenant, patient)
        return await rotation.renewUse(tenant, use ?? 'access')
      })
      print(patient === undefined ? `${use ?? 'access'} key version ${version}` : `patient key version ${version}`)
    })
  return new Command('keys').description("a tenant's keys").addCommand(list).addCommand(rotate).addCommand(rewrap).addCommand(renew)
}

async function keeping<T>(work: (rotation: KeyRotation) => Promise<T>): Promise<T> {
  const keeping = keyAdmin(lockDigest(clinicLock()), process.env)
  try {
    return await work(keeping.rotation)
  } finally {
    keeping.close()
  }
}

const print = (line: string): void => void process.stdout.write(`${line}\n`)

const tenantArgument = (): Argument => new Argument('<tenant>', 'whose keys').argParser(tenantOption)

const patientOption = (text: string): PatientId => decodeNodeId(text)?.patient ?? (text as PatientId)
