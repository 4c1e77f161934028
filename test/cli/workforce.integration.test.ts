import { ScanCommand } from '@aws-sdk/client-dynamodb'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { workforceCommand } from '../../cli/workforce.ts'
import { RIVERSIDE } from '../gateway/asking.ts'
import { runClinic, type RunningClinic } from '../harness/running-clinic.ts'
import { type Ran, runCommand } from './run-command.ts'

const HEADER = 'user,name,patientNumber,familyName,street,postalCode,phone,vip'
const LEE = 'j.lee,Jordan Lee,MR 1,Lee,12 Elm Street Apt 3,02139,617-555-0142,'
const STAR = ',,MR 2,,,,,yes'

const folder = mkdtempSync(join(tmpdir(), 'phi-workforce-'))
let clinic: RunningClinic
beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
})
afterAll(async () => {
  rmSync(folder, { recursive: true })
  await clinic.stop()
})

const workforce = async (...words: string[]): Promise<Ran> => await runCommand(workforceCommand(), words)
const importOf = async (lines: readonly string[], tenant = 'riverside'): Promise<Ran> => {
  const file = join(folder, 'workforce.csv')
  writeFileSync(file, lines.join('\n'))
  return await workforce('import', file, '--tenant', tenant)
}
const listOf = async (tenant = 'riverside'): Promise<Ran> => await workforce('list', '--tenant', tenant)
const printed = (stdout: string): Ran => ({ code: 0, stdout, stderr: '' })
/** All rows as stored, and the audit records of them. */
const stored = async () => {
  const { Items } = await clinic.stack.dynamodb.send(new ScanCommand({ TableName: clinic.stack.env.PHI_TABLE_WORKFORCE }))
  const entries = await clinic.services.history.entriesBy('user', RIVERSIDE, `os:${userInfo().username}`)
  return { rows: Items, records: entries.filter(({ path }) => path === '#workforce') }
}

describe('phi workforce', () => {
  it.each([
    [[], ['import [options] <file>', 'list [options]']],
    [['import'], ['--tenant <tenant>', HEADER.replace(',patientNumber', ',patient,patientNumber'), 'A file with a fault changes']],
    [['list'], ['--tenant <tenant>']],
  ])('%j --help has the format and examples', async (words, parts) => {
    const { code, stdout } = await workforce(...words, '--help')
    expect(code).toBe(0)
    for (const part of parts) expect(stdout).toContain(part)
    expect(stdout).toContain('$ phi workforce ')
  })

  it('import makes the workforce equal to the file, and list prints no value that is compared', async () => {
    expect(await listOf()).toEqual(printed('no workforce\n'))
    const first = await importOf([HEADER, LEE, 'a.hill,,,,Main Street,02139,555,', STAR])
    expect(first).toEqual(
      printed(`added 3, changed 0, unchanged 0, removed 0
rows with an address that cannot be compared: 1
rows with a phone number that cannot be compared: 1
`),
    )
    const lines = (await listOf()).stdout.trimEnd().split('\n')
    expect(lines.toSorted()).toEqual([
      '(no user)  (no name)  VIP  compared by PATIENT',
      'a.hill  (no name)  compared by nothing',
      'j.lee  Jordan Lee  compared by PATIENT FAMILY_NAME ADDRESS STREET PHONE',
    ])
    const removed = await importOf([HEADER, 'j.lee,Jordan Hill,MR 1,Lee,"12 ELM ST., #3",02139,+1 617 555 0142,', STAR])
    expect(removed).toEqual(printed('added 0, changed 1, unchanged 1, removed 1\n'))
    expect((await listOf()).stdout).not.toContain('a.hill')
    expect(await listOf('lakeside')).toEqual(printed('no workforce\n'))
  })

  it('a repeat changes nothing, and leaves no audit record', async () => {
    const lines = [HEADER, LEE, STAR]
    await importOf(lines)
    const before = await stored()
    expect(await importOf(lines)).toEqual(printed('added 0, changed 0, unchanged 2, removed 0\n'))
    expect(await stored()).toEqual(before)
  })

  it.each([
    ['a fault in the last line', [HEADER, 'n.new,Nora New,,,,,,', ',Ann Quartz,,,,,,'], 'error: line 3, user is empty. '],
    ['no rows', [HEADER], 'error: The file has no rows. '],
    ['a column that does not exist', ['user,Quartz', 'u1,1'], 'error: line 1: The header must name columns of: '],
    ['a cell that is not closed', [HEADER, 'u1,"Quartz'], 'error: line 2: The line is not well-formed CSV'],
  ])('P8: a file with %s changes nothing, and the error has no value of it', async (_, lines, message) => {
    const before = await stored()
    const { code, stdout, stderr } = await importOf(lines)
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr.startsWith(message)).toBe(true)
    expect(stderr).not.toMatch(/Quartz|Nora/)
    expect(await stored()).toEqual(before)
  })

  it.each([
    [
      'a file that does not exist',
      ['import', 'none.csv', '--tenant', 'riverside'],
      'error: Cannot read none.csv (<file>): it does not exist. Check the path.',
    ],
    [
      'a folder',
      ['import', folder, '--tenant', 'riverside'],
      `error: Cannot read ${folder} (<file>): it is a folder, not a file. Name a file in it.`,
    ],
    ['no tenant', ['list'], "error: required option '--tenant <tenant>' not specified"],
    ['no tenant', ['import', 'x.csv'], "error: required option '--tenant <tenant>' not specified"],
    ['an invalid tenant', ['list', '--tenant', 'No#Tenant'], 'error: option '],
    ['no file', ['import', '--tenant', 'riverside'], "error: missing required argument 'file'"],
    [
      'a tenant that does not exist',
      ['list', '--tenant', 'riversid'],
      'error: the local stack has no such tenant (--tenant). Did you mean riverside?',
    ],
  ])('%s is an error with its cause', async (_, words, message) => {
    const { code, stdout, stderr } = await workforce(...words)
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr.startsWith(message)).toBe(true)
  })

  it('P5: an import for a tenant that does not exist changes nothing', async () => {
    const before = await stored()
    const { code, stderr } = await importOf([HEADER, LEE], 'northside')
    expect(code).toBe(1)
    expect(stderr).toMatch(/^error: /)
    expect(await stored()).toEqual(before)
  })
})
