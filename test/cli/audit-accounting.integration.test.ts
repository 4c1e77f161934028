import { Command } from 'commander'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { accountingCommand, disclosuresCommand } from '../../cli/audit-accounting.ts'
import { decodeNodeId } from '../../gateway/model/node-id.ts'
import { runClinic, type RunningClinic } from '../harness/running-clinic.ts'
import { RIVERSIDE } from '../gateway/asking.ts'
import { runCommand } from './run-command.ts'

const folder = mkdtempSync(join(tmpdir(), 'phi-accounting-'))
const place = (name: string): string => join(folder, name)

let clinic: RunningClinic
let patient = ''
beforeAll(async () => {
  clinic = await runClinic({ riverside: 2, lakeside: 1 })
  const { data } = await clinic.ask('physician', '{ patients(first: 1) { edges { node { id } } } }')
  const [edge] = (data?.['patients'] as { edges: { node: { id: string } }[] }).edges
  patient = decodeNodeId(edge?.node.id ?? '')?.patient ?? ''
}, 120_000)
afterAll(async () => {
  await clinic.stop()
  rmSync(folder, { recursive: true })
}, 120_000)

const today = new Date().toISOString().slice(0, 10)
const disclosure = {
  basis: 'LAW_ENFORCEMENT',
  date: today,
  recipient: { name: 'City Police', address: '2 Main Street' },
  description: 'Dates of visits',
  purpose: 'Search warrant 12',
}
const run = async (...words: readonly string[]) => {
  const command = new Command('audit').addCommand(accountingCommand()).addCommand(disclosuresCommand((one) => one))
  const all = command.commands.flatMap((one) => [one, ...one.commands])
  for (const one of all) one.exitOverride()
  return await runCommand(command, words)
}
const accounting = async (...more: readonly string[]) =>
  await run('accounting', '--patient', patient, '--from', today, '--to', today, ...more)
/** The records of the operator's commands. */
const records = async () =>
  (await clinic.services.history.entriesBy('patient', RIVERSIDE, patient)).filter(
    ({ user }) => user.startsWith('os:') && user.length > 3,
  )
const reviews = async () =>
  (await records()).filter(({ action }) => action === 'REVIEW').map(({ path, count }) => `${path} ${count ?? ''}`)

describe('C20: phi audit accounting', () => {
  it('C20: enters a disclosure, lists it and prints the accounting, each recorded under the operator’s account', async () => {
    writeFileSync(place('disclosure.json'), JSON.stringify(disclosure))
    const entered = await run('disclosures', 'record', place('disclosure.json'), '--patient', patient)
    expect(entered).toMatchObject({ code: 0, stdout: expect.stringMatching(/^entered: [\w-]{22}\.1\n$/) as string })
    expect(await run('disclosures', 'list', '--patient', patient)).toMatchObject({
      stdout: `${patient}.1  ${today}  LAW_ENFORCEMENT x1  City Police  version 1  Dates of visits\n`,
    })
    const { stdout } = await accounting()
    expect(stdout).toContain(`Patient id: ${patient}`)
    expect(stdout).toContain('Recipient: City Police\nAddress: 2 Main Street\nInformation: Dates of visits')
    const json = JSON.parse((await accounting('--json')).stdout) as { entries: object[] }
    expect(json.entries).toMatchObject([{ id: `${patient}.1` }])
    expect((await records()).map(({ path, outcome }) => `${path} ${outcome}`)).toContain('AuditLog.recordDisclosure WRITTEN')
    expect(await reviews()).toEqual([
      'AuditLog.disclosures 1',
      'AuditLog.accountingOfDisclosures 1',
      'AuditLog.accountingOfDisclosures 1',
    ])
  })

  it('C20: writes the document to a new file that only its owner reads, and replaces none', async () => {
    expect(await accounting('--html', place('a.html'))).toMatchObject({ code: 0 })
    const html = readFileSync(place('a.html'), 'utf8')
    expect([html.includes('City Police'), statSync(place('a.html')).mode & 0o777]).toEqual([true, 0o600])
    expect(await accounting('--html', place('a.html'))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('exists') as string,
    })
  })

  it.each([
    [['accounting', '--patient', 'x', '--from', today, '--to', today]],
    [['accounting', '--patient', 'AAAAAAAAAAAAAAAAAAAAAA', '--from', '2001', '--to', today]],
    [['disclosures', 'list', '--patient', '../x']],
    [['disclosures', 'list', '--patient', 'AAAAAAAAAAAAAAAAAAAAAA', '--tenant', 'nowhere']],
  ])('C20: refuses %j', async (words) => {
    const { code, stdout, stderr } = await run(...words)
    expect([code, stdout, stderr.startsWith('error: ')]).toEqual([1, '', true])
  })

  it.each([
    ['no file', undefined],
    ['no JSON', '{'],
    ['another member', JSON.stringify({ ...disclosure, tenant: 'lakeside' })],
    ['an escape sequence', JSON.stringify({ ...disclosure, description: '\u001b[2J' })],
  ])('C20: enters nothing from %s', async (_name, text) => {
    const file = place(`refused-${Math.random()}.json`)
    if (text !== undefined) writeFileSync(file, text)
    const before = (await records()).length
    expect(await run('disclosures', 'record', file, '--patient', patient)).toMatchObject({ code: 1, stdout: '' })
    expect((await records()).length).toBe(before)
  })

  it('C20: lists requests, and says if there are none', async () => {
    expect(await run('disclosures', 'requests')).toMatchObject({ stdout: 'no requests\n' })
  })

  it('has examples in its help', async () => {
    for (const words of [['accounting'], ['disclosures']]) {
      const { stdout } = await run(...words, '--help')
      expect(stdout).toMatch(/Examples?:\n {2}phi audit /)
    }
  })
})
