import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { auditCommand } from '../../cli/audit.ts'
import { ExportFolder } from '../../cli/export-folder.ts'
import { VerifyPool } from '../../cli/verify-pool.ts'
import { exportLog } from '../../gateway/oversight/log/log-export.ts'
import { StoredLog } from '../../gateway/oversight/log/stored-log.ts'
import { proveItem } from '../../gateway/oversight/log/item-proof.ts'
import { parseLogPolicy } from '../../gateway/audit/verify/log-policy.ts'
import type { LogReport } from '../../gateway/audit/verify/log-report.ts'
import { verifyProof } from '../../gateway/audit/verify/tlog-proof.ts'
import { verifyLog } from '../../gateway/audit/verify/verify-log.ts'
import type { TenantId } from '../../gateway/model/ids.ts'
import { FolderObjects } from '../../gateway/store/folder-objects.ts'
import { NOON } from '../gateway/audit/examples.ts'
import { laneOf, sealedByTime } from '../gateway/audit/sealed-log.ts'
import { runCommand } from './run-command.ts'

const HOUR_MS = 3_600_000

/** Three hours with lanes of their own, and a lane over the end of an hour. */
const hours = [11, 12, 13].map((hour) => {
  const since = NOON + (hour - 12) * HOUR_MS
  return {
    hour: `2026-03-01T${hour}`,
    lanes: [laneOf(`kakjK50G.${hour}`, 110, 4, since, 30_000), laneOf(`bZ1x9_-Q.${hour}`, 50, 2, since, 60_000)],
  }
})
const first = hours[0]?.lanes[0]
const log = sealedByTime(
  hours.flatMap(({ lanes }) => lanes),
  10 * 60_000,
)
for (const { hour, lanes } of hours) log.closeHour(hour, lanes)
const read = parseLogPolicy(log.keys.policy)
if (read.outcome === 'REFUSED') throw new Error('the policy cannot be read')
const { policy } = read

const folder = mkdtempSync(join(tmpdir(), 'phi-export-'))
const objects = new FolderObjects(join(folder, 'objects'))
const stored = new StoredLog(objects, 'riverside' as TenantId)
const ownPolicy = join(folder, 'own-policy')

beforeAll(async () => {
  for (const [name, bytes] of log.files) await objects.put(`riverside/${name}`, bytes)
  writeFileSync(ownPolicy, log.keys.policy)
})
afterAll(() => rmSync(folder, { recursive: true }))

async function exported(name: string, span: { from?: number; to?: number }): Promise<ExportFolder> {
  const target = new ExportFolder(join(folder, name))
  await exportLog(
    stored,
    span,
    (file, bytes) => target.write(file, bytes),
    () => undefined,
  )
  return target
}
const phi = async (...words: string[]) =>
  await runCommand(
    auditCommand((command) => command),
    words,
  )
async function phiVerify(name: string, ...options: string[]): Promise<{ code: number; output: string }> {
  const { code, stdout, stderr } = await phi('verify', join(folder, name), ...options)
  return { code, output: stdout + stderr }
}

describe('P7: an export', () => {
  it('P7: of the whole log verifies, in this thread and in workers', async () => {
    const source = await exported('whole', {})
    const report = await verifyLog(source, { policy })
    expect(report.findings).toEqual([])
    expect(report).toMatchObject({ items: 480, records: 3 * (110 * 4 + 50 * 2), lanes: 6 })
    let pool: VerifyPool | undefined
    const inWorkers = await verifyLog(source, {
      policy,
      runner: (trust) => {
        pool = new VerifyPool(join(folder, 'whole'), trust, 2)
        return { run: pool.run, width: 4 }
      },
    })
    await pool?.close()
    expect(inWorkers).toEqual(report)
  })

  it('P7: of a time holds all items of that time, begins within the log and verifies', async () => {
    const [from, to] = [NOON + 600_000, NOON + 1_800_000]
    const source = await exported('middle', { from, to })
    const report = await verifyLog(source, { policy })
    expect(report.findings).toEqual([])
    expect(report.from.size).toBeGreaterThan(0)
    expect(report.to.size).toBeLessThan(480)
    const position = (time: number): number =>
      hours
        .flatMap(({ lanes }) => lanes)
        .flatMap(({ items }) => items)
        .filter((item) => item.time < time).length
    expect(report.from.size).toBeLessThanOrEqual(position(from))
    expect(report.to.size).toBeGreaterThanOrEqual(position(to))
  })

  it('P7: of a time is refused if one of its segments, its tiles or its first checkpoint is missing', async () => {
    for (const [number, prefix] of ['segments', 'checkpoints', 'tile/0'].entries()) {
      const name = `middle-${number}`
      const source = await exported(name, { from: NOON, to: NOON + 600_000 })
      const files = readdirSync(join(folder, name, prefix), { recursive: true, withFileTypes: true }).filter((file) =>
        file.isFile(),
      )
      rmSync(join(files[0]?.parentPath ?? '', files[0]?.name ?? ''))
      const report: LogReport = await verifyLog(source, { policy })
      expect(report.findings, prefix).not.toEqual([])
    }
  })

  it('P7: the command prints a line for people, and its exit code states the result', async () => {
    await exported('printed', {})
    const [lock = ''] = readdirSync(join(folder, 'printed', 'policies'))
    const reviewed = join(folder, 'printed', 'policies', lock)
    const whole = await phiVerify('printed', '--policy', ownPolicy, '--lock', reviewed)
    expect(whole).toMatchObject({ code: 0 })
    expect(whole.output).toContain('1,620 field records in 480 items, 6 lanes, 18 of 18 checkpoints, 2 of 2 witnesses, no gap\n')
    expect(whole.output).toMatch(/^replayed ([\d,]+) of \1 disclosed or masked records; 0 depend on .*; 0 not allowed$/m)
    const [segment] = readdirSync(join(folder, 'printed', 'segments'))
      .sort()
      .slice(3)
    rmSync(join(folder, 'printed', 'segments', segment ?? ''))
    // a file that is none of the locks
    const damaged = await phiVerify('printed', '--policy', ownPolicy, '--lock', ownPolicy)
    expect(damaged.code).toBe(1)
    expect(damaged.output).toMatch(/Gap: no segment holds positions \d+ to \d+/)
    expect(damaged.output).toContain(`policies/${lock} is not a policy lock that you reviewed`)
    expect((await phiVerify('nothing', '--policy', ownPolicy)).code).toBe(2)
  })
})

describe('P7: a proof', () => {
  const items = first?.items ?? []

  it('P7: of each item verifies, has at most 12 KB, and does not verify for another item', async () => {
    const proofs = []
    for (const item of [items[0], items[17], items[109]]) {
      if (item === undefined) throw new Error('the lane has such an item')
      const proven = await proveItem(stored, item)
      if (proven === 'NOT_SEALED') throw new Error('the item is sealed')
      proofs.push(proven)
      const verdict = await verifyProof(proven.proof, proven.line, policy)
      expect(verdict).toMatchObject({ outcome: 'PROVEN', item: { lane: item.lane, sequence: item.sequence, text: item.text } })
      expect(verdict.outcome === 'PROVEN' && verdict.records).toHaveLength(4)
      expect(Buffer.byteLength(proven.proof)).toBeLessThan(12_000)
    }
    const [one, other] = proofs
    expect(await verifyProof(one?.proof ?? '', other?.line ?? '', policy)).toEqual({ outcome: 'REFUSED', reason: 'INCLUSION' })
  })

  it('P7: of an item that no checkpoint includes does not exist yet', async () => {
    const last = items.at(-1)
    if (last === undefined) throw new Error('the lane has items')
    expect(await proveItem(stored, { ...last, sequence: last.sequence + 1 })).toBe('NOT_SEALED')
    expect(await proveItem(stored, { ...last, time: NOON + 24 * HOUR_MS })).toBe('NOT_SEALED')
  })

  it('P7: the command verifies a proof without network', async () => {
    const proven = await proveItem(stored, items[3] ?? { lane: '', sequence: 0, time: 0 })
    if (proven === 'NOT_SEALED') throw new Error('the item is sealed')
    const name = join(folder, 'one')
    writeFileSync(`${name}.tlog-proof`, proven.proof)
    writeFileSync(`${name}.item.json`, proven.line)
    const verify = async () => await phi('verify-proof', `${name}.tlog-proof`, '--policy', ownPolicy)
    expect((await verify()).stdout).toMatch(
      /4 field records, item kakjK50G\.11\/4 of phi\.example\.com\/audit\/riverside, sealed by 2026-03-01T.*, 2 witnesses/,
    )
    writeFileSync(`${name}.item.json`, readFileSync(`${name}.item.json`, 'utf8').replace('TREAT', 'HRESC'))
    expect(await verify()).toMatchObject({ code: 1 })
  })
})
