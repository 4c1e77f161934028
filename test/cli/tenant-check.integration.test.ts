import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { phiProgram } from '../../cli/program.ts'
import { unknownTenantText } from '../../cli/tenant-check.ts'
import { runClinic, type RunningClinic } from '../harness/running-clinic.ts'
import { runCommand } from './run-command.ts'

const folder = mkdtempSync(join(tmpdir(), 'phi-tenant-check-'))
let clinic: RunningClinic
beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 0 })
})
afterAll(async () => {
  await clinic.stop()
  rmSync(folder, { recursive: true })
})

const SPAN = ['--from', '2026', '--to', '2026']
const PATIENT = ['--patient', 'A'.repeat(22)]
const CLIENT = ['--client', 'acme']
const VERSION = [...CLIENT, '--app', 'claims', '--version', '1']

/** Every command on a tenant, with words that are right apart from the tenant. */
const COMMANDS: readonly (readonly [words: string, ...more: string[]])[] = [
  ['policy narrow', ...SPAN],
  ['import', '.'],
  ['load', 'file'],
  ['audit list'],
  ['audit summary', ...SPAN],
  ['audit review', ...SPAN],
  ['audit reviews'],
  ['audit exposure', ...SPAN],
  ['audit anomalies', ...SPAN],
  ['audit export', '--out', join(folder, 'export')],
  ['audit deliver'],
  ['audit prove', 'A'.repeat(24), '--out', join(folder, 'prove')],
  ['audit rebuild'],
  ['audit recount'],
  ['audit accounting', ...PATIENT, ...SPAN],
  ['audit disclosures list', ...PATIENT],
  ['audit disclosures record', 'file', ...PATIENT],
  ['audit disclosures requests'],
  ['keys list'],
  ['keys status'],
  ['keys rotate'],
  ['keys rewrap'],
  ['keys renew', '--use', 'access'],
  ['keys replay-erasures', '--policy', 'file'],
  ['records scrub'],
  ['search reindex'],
  ['study list'],
  ['study put', 'file'],
  ['study end', 'protocol'],
  ['workforce import', 'file'],
  ['workforce list'],
  ['operations contract', 'file'],
  ['operations publish', 'file', ...CLIENT],
  ['operations list'],
  ['operations show', ...CLIENT],
  ['operations activate', ...VERSION],
  ['operations retire', ...VERSION],
  ['operations revoke', 'id', ...CLIENT],
  ['operations stale', '--days', '3'],
  ['operations check'],
]

describe('a tenant that does not exist', () => {
  it.each(COMMANDS)('is refused with the tenants of the local stack: phi %s', async (words, ...more) => {
    const path = words.split(' ')
    const tenant = path[0] === 'keys' ? ['riversid'] : ['--tenant', 'riversid']
    const { code, stdout, stderr } = await runCommand(await phiProgram(path), [...path, ...more, ...tenant])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(
      /^error: the local stack has no such tenant \(--tenant\)\. Did you mean riverside\? The tenants are: .*riverside.*\. Create a tenant with: phi keys create TENANT\n$/,
    )
  })

  it('is every command that names a tenant, apart from the one that creates it', async () => {
    const program = await phiProgram(['operations'])
    const named: string[] = []
    const visit = (command: typeof program, words: readonly string[]): void => {
      const onTenant =
        command.options.some(({ long }) => long === '--tenant') ||
        command.registeredArguments.some((one) => one.name() === 'tenant')
      if (onTenant) named.push(words.join(' '))
      for (const one of command.commands) visit(one, [...words, one.name()])
    }
    visit(program, [])
    expect(named.toSorted()).toEqual(COMMANDS.map(([words]) => words).toSorted())
  })

  it('of a deployment is refused without the names of other tenants', () => {
    const text = unknownTenantText('riversid', { PHI_STAGE: 'prod', PHI_NOTARY_TENANTS: 'riverside,lakeside' })
    expect(text).toBe(
      'the deployment has no such tenant (--tenant). Its setting PHI_NOTARY_TENANTS lists the tenants. Create a tenant with: phi keys create TENANT',
    )
  })
})
