import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { deliverCommand } from '../../cli/audit-deliver.ts'
import { FolderObjects } from '../../gateway/store/folder-objects.ts'
import { LAKESIDE, RIVERSIDE, WrittenLog } from '../gateway/oversight/delivery/delivery-bench.ts'
import { runCommand } from './run-command.ts'

const folder = mkdtempSync(join(tmpdir(), 'phi-deliver-'))
const place = (name: string): string => join(folder, name)
const insideBoundary = { confirmedBy: 'A. Officer, privacy officer', confirmedOn: '2026-11-28' }
const receiver = (name: string): object => ({ name, sink: { folder: place(name) }, insideBoundary })
let sizes: Record<string, number>

beforeAll(async () => {
  const objects = new FolderObjects(place('objects'))
  sizes = {}
  for (const tenant of [RIVERSIDE, LAKESIDE]) {
    const log = new WrittenLog(objects, tenant, 10, 3)
    await log.seal(2, 1_772_366_460)
    await log.seal(100, 1_772_366_520)
    sizes[tenant] = log.items.length
  }
})
afterEach(() => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Runs the command in this process. */
async function run(args: readonly string[], siem: unknown = [receiver('soc')]): Promise<{ code: number; output: string }> {
  vi.stubEnv('PHI_AUDIT_OBJECTS', place('objects'))
  vi.stubEnv('PHI_SIEM_POSITIONS', place('positions'))
  vi.stubEnv('PHI_LOG_ORIGIN', 'phi.example.com')
  vi.stubEnv('PHI_SIEM', siem === 'NONE' ? '' : JSON.stringify(siem))
  const { code, stdout, stderr } = await runCommand(deliverCommand(), args)
  return { code, output: stdout + stderr }
}

describe('C08: phi audit deliver', () => {
  it('C08: shows how far each tenant is, delivers what is left, and sends a part again', async () => {
    const before = await run(['--status'])
    expect(before.code).toBe(1)
    expect(before.output).toMatch(new RegExp(`^soc lakeside: delivered 0 of ${sizes[LAKESIDE]} sealed items, [\\d,]+ s behind\n`))
    const sent = await run([])
    expect(sent).toEqual({
      code: 0,
      output: [LAKESIDE, RIVERSIDE]
        .map((tenant) => `soc ${tenant}: delivered ${sizes[tenant]} of ${sizes[tenant]} sealed items\n`)
        .join(''),
    })
    const files = readdirSync(join(place('soc'), RIVERSIDE)).toSorted()
    expect(files.length).toBe(2)
    rmSync(join(place('soc'), RIVERSIDE), { recursive: true })
    // position 1 is in the first batch, which has two items
    expect(await run(['--tenant', 'riverside', '--from', '1', '--to', '2'])).toEqual({
      code: 0,
      output: 'soc riverside: sent 2 items again, in 1 batch\n',
    })
    expect(readdirSync(join(place('soc'), RIVERSIDE))).toEqual(files.slice(0, 1))
    await run(['--tenant', 'riverside', '--from', '2'])
    expect(readdirSync(join(place('soc'), RIVERSIDE)).toSorted()).toEqual(files)
    expect((await run(['--status'])).code).toBe(0)
  })

  it.each([
    [['--from', '3'], 'needs --tenant'],
    [['--to', '3'], 'needs --from'],
    [['--tenant', 'riverside', '--from', '3', '--to', '3'], '--from is not before --to. Exchange them.'],
    [['--tenant', 'riverside', '--from', '-1'], 'whole number'],
    [['--tenant', 'riverside', '--from', '1', '--status'], 'choose'],
    [['--receiver', 'other'], 'PHI_SIEM has no such receiver (--receiver). The receivers are: soc.'],
  ])('refuses %j', async (args, why) => {
    const { code, output } = await run(args)
    expect([code > 0, output]).toEqual([true, expect.stringContaining(why)])
  })

  it('C28: sends nothing without a receiver, or to one that is neither confirmed nor given digests', async () => {
    for (const [siem, why] of [
      ['NONE', 'the log has no receiver. Name one in PHI_SIEM, as docs/siem-delivery.md describes.'],
      [[{ name: 'new', sink: { folder: place('new') } }], 'insideBoundary'],
      [[receiver('new'), receiver('newer')], '--from needs --receiver: new or newer'],
    ] as const) {
      const { code, output } = await run(['--tenant', 'riverside', '--from', '0'], siem)
      expect([code > 0, output]).toEqual([true, expect.stringContaining(why)])
    }
    expect(readdirSync(folder).filter((name) => name.startsWith('new'))).toEqual([])
  })
})
