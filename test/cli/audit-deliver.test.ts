import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { deliverCommand } from '../../cli/audit-deliver.ts'
import { FolderObjects } from '../../gateway/store/folder-objects.ts'
import { LAKESIDE, RIVERSIDE, WrittenLog } from '../gateway/oversight/delivery/delivery-bench.ts'

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
  const parts: string[] = []
  for (const stream of [process.stdout, process.stderr])
    vi.spyOn(stream, 'write').mockImplementation((chunk) => parts.push(String(chunk)) > 0)
  const before = process.exitCode
  try {
    await deliverCommand().exitOverride().parseAsync(args, { from: 'user' })
    return { code: Number(process.exitCode ?? 0), output: parts.join('') }
  } catch (error) {
    return { code: (error as { exitCode: number }).exitCode, output: parts.join('') }
  } finally {
    process.exitCode = before
  }
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
      output: 'soc riverside: sent 2 items again, in 1 batches\n',
    })
    expect(readdirSync(join(place('soc'), RIVERSIDE))).toEqual(files.slice(0, 1))
    await run(['--tenant', 'riverside', '--from', '2'])
    expect(readdirSync(join(place('soc'), RIVERSIDE)).toSorted()).toEqual(files)
    expect((await run(['--status'])).code).toBe(0)
  })

  it.each([
    [['--from', '3'], 'needs --tenant'],
    [['--to', '3'], 'needs --from'],
    [['--tenant', 'riverside', '--from', '-1'], 'whole number'],
    [['--tenant', 'riverside', '--from', '1', '--status'], 'choose'],
    [['--receiver', 'other'], 'no receiver of this name'],
  ])('refuses %j', async (args, why) => {
    const { code, output } = await run(args)
    expect([code > 0, output]).toEqual([true, expect.stringContaining(why)])
  })

  it('C28: sends nothing without a receiver, or to one that is neither confirmed nor given digests', async () => {
    for (const [siem, why] of [
      ['NONE', 'set PHI_SIEM'],
      [[{ name: 'new', sink: { folder: place('new') } }], 'insideBoundary'],
      [[receiver('new'), receiver('newer')], 'needs --receiver'],
    ] as const) {
      const { code, output } = await run(['--tenant', 'riverside', '--from', '0'], siem)
      expect([code > 0, output]).toEqual([true, expect.stringContaining(why)])
    }
    expect(readdirSync(folder).filter((name) => name.startsWith('new'))).toEqual([])
  })
})
