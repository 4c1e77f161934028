import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { rebuildCommand, recountCommand } from '../../cli/audit-tables.ts'
import { FolderObjects } from '../../gateway/store/folder-objects.ts'
import { NOON } from '../gateway/audit/examples.ts'
import { laneOf, sealedByTime } from '../gateway/audit/sealed-log.ts'

const folder = mkdtempSync(join(tmpdir(), 'phi-tables-'))
const place = (name: string): string => join(folder, name)
/** 20 items of 3 records, in two rounds. */
const log = sealedByTime([laneOf('kakjK50G.1', 20, 3, NOON, 60_000)], 10 * 60_000)

beforeAll(async () => {
  const objects = new FolderObjects(place('objects'))
  for (const [name, bytes] of log.files) await objects.put(`riverside/${name}`, bytes)
})
afterEach(() => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Runs a command in this process, over the folders of this test. */
async function run(command: ReturnType<typeof recountCommand>, objects = 'objects'): Promise<{ code: number; output: string }> {
  vi.stubEnv('PHI_AUDIT_OBJECTS', place(objects))
  vi.stubEnv('PHI_AUDIT_TABLES', place('tables'))
  const parts: string[] = []
  for (const stream of [process.stdout, process.stderr]) {
    vi.spyOn(stream, 'write').mockImplementation((chunk) => parts.push(String(chunk)) > 0)
  }
  const before = process.exitCode
  try {
    await command.exitOverride().parseAsync(['--tenant', 'riverside'], { from: 'user' })
    return { code: Number(process.exitCode ?? 0), output: parts.join('') }
  } catch (error) {
    return { code: (error as { exitCode: number }).exitCode, output: parts.join('') }
  } finally {
    process.exitCode = before
  }
}

describe('P7: phi audit rebuild and recount', () => {
  it('compare tables that are not made yet with the log, and exit with 1 or 0', async () => {
    const none = await run(recountCommand())
    expect(none.output).toContain('0 field records in 0 of 20 sealed items')
    const made = await run(rebuildCommand())
    expect(made).toMatchObject({
      code: 0,
      output: expect.stringContaining('60 field records in 20 of 20 sealed items: the tables equal the log') as string,
    })
    expect(await run(recountCommand())).toMatchObject({
      code: 0,
      output: expect.stringContaining('the tables equal the log') as string,
    })
  })

  it('print the cause and exit with 2 if the log is shorter than its tables', async () => {
    await run(rebuildCommand())
    const { code, output } = await run(recountCommand(), 'no-objects')
    expect(code).toBe(2)
    expect(output).toMatch(/^error: /m)
  })
})
