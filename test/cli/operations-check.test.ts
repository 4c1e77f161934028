import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { operationsCommand } from '../../cli/operations.ts'
import { clinicTypeDefs } from '../../schema/clinic.ts'
import { runCommand } from './run-command.ts'

const FILES = 'infra/local/demo/clients'
const folder = mkdtempSync(join(tmpdir(), 'phi-check-'))
afterAll(() => rmSync(folder, { recursive: true }))

const phi = (...words: readonly string[]) =>
  runCommand(
    operationsCommand(
      (command) => command,
      () => Promise.reject(new Error('a check of files enters no system')),
    ),
    words,
  )
const check = (...words: readonly string[]) => phi('check', ...words)

let folders = 0
const newFolder = (): string => {
  const made = join(folder, `folder-${++folders}`)
  mkdirSync(made)
  return made
}

/** The schema of the project with a change. */
function schemaWith(before: string, after: string): string {
  const changed = newFolder()
  let isChanged = false
  for (const { name, sdl } of clinicTypeDefs()) {
    isChanged ||= sdl.includes(before)
    writeFileSync(join(changed, name.replace(/.*\//, '')), sdl.replace(before, after))
  }
  if (!isChanged) throw new Error('the schema has no such text')
  return changed
}

/** The demo clients with a change of the contract of acme. */
function clientsWith(change: object): string {
  const changed = newFolder()
  cpSync(FILES, changed, { recursive: true })
  const file = join(changed, 'acme', 'contract.json')
  writeFileSync(file, JSON.stringify({ ...(JSON.parse(readFileSync(file, 'utf8')) as object), ...change }))
  return changed
}

const PROPOSAL = [
  ...['propose', join(FILES, 'acme', 'manifest.json'), '--client', 'acme', '--recipient-name', 'Acme Health Plan'],
  ...['--recipient-address', '100 Example Plaza', '--network', '192.0.2.0/24', '--expires', '2030-12-31'],
]

describe('phi operations check --files', () => {
  it('P10: accepts the demo clients', async () => {
    const { code, stdout } = await check('--files', FILES)
    expect(code).toBe(0)
    expect(stdout).toMatch(/^11 operations of 2 clients under policy [0-9a-f]{12}: 0 refused, 0 contracts with faults\n$/)
  })

  it('P10: names the operations beyond a contract with the path, and a path that the policy does not know', async () => {
    const { paths } = JSON.parse(readFileSync(join(FILES, 'acme', 'contract.json'), 'utf8')) as { paths: string[] }
    const changed = clientsWith({ paths: [...paths.filter((path) => path !== 'Claim.total'), 'Claim.sum'] })
    const { code, stdout } = await check('--files', changed)
    expect(code).toBe(1)
    expect(stdout).toContain('  Claim.total is not a path of the contract.\n')
    expect(stdout).toMatch(/^contract of acme\n {2}paths\[\d+\] Claim\.sum is not a PHI path of the schema\./m)
    const json = JSON.parse((await check('--files', changed, '--json')).stdout) as { refused: { faults: { path?: string }[] }[] }
    expect(new Set(json.refused.flatMap(({ faults }) => faults.map(({ path }) => path)))).toEqual(new Set(['Claim.total']))
  })

  it('P10: names what a changed schema would break, with the change', async () => {
    const schema = schemaWith('total: Float', 'sum: Float')
    const { code, stdout } = await check('--files', FILES, '--schema', schema)
    expect(code).toBe(1)
    expect(stdout).toMatch(/^breaks {3}acme {2}ClaimById {2}/m)
    expect(stdout).toContain("schema: Field 'total' was removed from object type 'Claim'")
  })

  it('P10: accepts an equal schema', async () => {
    const { code, stdout } = await check('--files', FILES, '--schema', schemaWith('type Patient', 'type Patient'))
    expect(code).toBe(0)
    expect(stdout).toContain('0 would break, 0 would give more')
  })

  it('P10: names what a changed policy would widen, which is no failure', async () => {
    const grant = 'roles: [PARTNER], purposes: [HPAYMT], relationship: CARE_TEAM'
    const schema = schemaWith('type Claim implements Node\n', `type Claim implements Node @minimumNecessary(${grant})\n`)
    const { code, stdout } = await check('--files', FILES, '--schema', schema)
    expect(code).toBe(0)
    expect(stdout).toMatch(/^widens {3}acme {2}ClaimById {2}/m)
    expect(stdout).toContain('  Claim.total  PARTNER for HPAYMT as CARE_TEAM, READ: none -> FULL\n')
  })

  it.each([
    ['no folder', () => join(folder, 'none'), '(--files): it does not exist. Check the path.'],
    [
      'a folder without a client',
      () => mkdtempSync(join(folder, 'empty-')),
      '(--files) has no client. Name a folder with a subfolder for each',
    ],
    ['a contract that is no JSON', () => withFile('contract.json', 'nothing'), 'The contract is not valid JSON.'],
    ['a manifest that is none', () => withFile('manifest.json', '[]'), 'The manifest has no operations.'],
  ])('refuses %s', async (_name, files, message) => {
    const { code, stderr } = await check('--files', files())
    expect(code).toBe(1)
    expect(stderr).toContain(message)
  })

  it('refuses a schema with faults, and a folder without one', async () => {
    expect((await check('--files', FILES, '--schema', folder)).stderr).toContain('has no .graphql file')
    const faulty = await check('--files', FILES, '--schema', schemaWith('type Patient ', 'type Patient @unknown '))
    expect(faulty.code).toBe(1)
    expect(faulty.stderr).not.toBe('')
  })
})

function withFile(name: string, text: string): string {
  const changed = clientsWith({})
  writeFileSync(join(changed, 'acme', name), text)
  return changed
}

describe('phi operations propose', () => {
  it('P10: writes a contract under which its operations are proved, and without any path are not', async () => {
    const out = join(newFolder(), 'acme')
    const { code, stdout } = await phi(...PROPOSAL, '--out', out)
    expect({ code, stdout }).toEqual({ code: 0, stdout: '6 operations need 14 paths as PARTNER HPAYMT\n' })
    cpSync(join(FILES, 'acme', 'manifest.json'), join(out, 'manifest.json'))
    expect((await check('--files', join(out, '..'))).code).toBe(0)
    const proposed = JSON.parse(readFileSync(join(out, 'contract.json'), 'utf8')) as { paths: string[] }
    for (const left of proposed.paths) {
      const fewer = { ...proposed, paths: proposed.paths.filter((path) => path !== left) }
      writeFileSync(join(out, 'contract.json'), JSON.stringify(fewer))
      const refused = await check('--files', join(out, '..'))
      expect(refused.code).toBe(1)
      expect(refused.stdout).toContain(`  ${left} is not a path of the contract.\n`)
    }
  })

  it('P10: names the operations that no contract admits, and writes the contract without them', async () => {
    const [file, out] = [join(newFolder(), 'manifest.json'), newFolder()]
    writeFileSync(
      file,
      JSON.stringify({
        good: 'query Good { viewer { userId } }',
        bad: 'query Bad { patients(first: 1) { edges { node { ssn } } } }',
      }),
    )
    const { code, stderr } = await phi('propose', file, ...PROPOSAL.slice(2), '--out', join(out, 'report'))
    expect(code).toBe(1)
    expect(stderr).toContain('Bad (bad) is refused:\n')
    expect(stderr).not.toContain('Good')
    const { paths } = JSON.parse(readFileSync(join(out, 'report', 'contract.json'), 'utf8')) as { paths: string[] }
    expect(paths).toEqual([])
  })

  it('refuses terms that are no terms of a contract, and writes nothing', async () => {
    const out = join(newFolder(), 'report')
    const refused = await phi(...PROPOSAL, '--network', '192.0.2.1/24', '--out', out)
    expect(refused).toEqual({
      code: 1,
      stdout: '',
      stderr:
        "error: option '--network <cidr>' argument '192.0.2.1/24' is invalid. Write a network in CIDR notation, with zeros after the prefix: 192.0.2.0/24.\n",
    })
    expect((await phi(...PROPOSAL, '--role', 'NOBODY', '--out', out)).stderr).toBe(
      'error: the schema has no such role of a partner (--role). The roles of partners are: PARTNER.\n',
    )
    expect((await phi('propose', 'none', ...PROPOSAL.slice(2), '--out', out)).code).toBe(1)
    expect(() => readFileSync(join(out, 'contract.json'))).toThrow()
  })
})
