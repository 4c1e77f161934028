import { describe, expect, it } from 'vitest'
import { policyCommand } from '../../cli/policy.ts'
import { runCommand } from './run-command.ts'

const phi = async (...args: string[]) => await runCommand(policyCommand(), ['explain', ...args])

describe('C06: phi policy explain RULE', () => {
  it('prints the line with its location, its grant in words, and the paths that it applies to', async () => {
    const { stdout } = await phi('Patient.ssn#1')
    expect(stdout).toMatch(/^schema\/clinical\/patient\.graphql:\d+\n {2}@minimumNecessary\(roles: \[BILLING\]/)
    expect(stdout).toMatch(/^BILLING, for HPAYMT, with relationship ORGANIZATION, may READ it as LAST4$/m)
    expect((await phi('Patient.birthDate#1')).stdout).toMatch(/birthDate, searchable together with Patient\.familyName$/m)
    expect(stdout).toMatch(/^applies to:\n {2}Patient\.ssn, searchable\n$/m)
  })

  it('a default of a type applies to its fields', async () => {
    const { stdout } = await phi('DocumentReference#1')
    expect(stdout.split('\n').filter((line) => line.startsWith('  DocumentReference.')).length).toBeGreaterThan(1)
  })

  it.each([['Patient.ssn#9'], ['Nobody#1'], ['nonsense'], ['--user', 'physician']])(
    'refuses an invalid rule: %s',
    async (...args) => {
      expect(await phi(...args)).toMatchObject({ code: 1, stdout: '' })
    },
  )
})
