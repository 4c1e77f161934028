import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import type { Instant, TenantId } from '../../../../gateway/model/ids.ts'
import { StoredLog } from '../../../../gateway/oversight/log/stored-log.ts'
import {
  type IntegrityParts,
  type IntegrityReport,
  reportIntegrity,
} from '../../../../gateway/oversight/reports/integrity-report.ts'
import { reportSpan } from '../../../../gateway/oversight/reports/report-span.ts'
import { DuckDbTables } from '../../../../gateway/oversight/tables/duckdb-tables.ts'
import { Turns } from '../../../../gateway/oversight/tables/turns.ts'
import { TableWriter } from '../../../../gateway/oversight/tables/table-writer.ts'
import { FolderObjects } from '../../../../gateway/store/folder-objects.ts'
import { FolderTables } from '../../../../gateway/store/folder-tables.ts'
import { NOON } from '../../audit/examples.ts'
import { compressed, laneOf, LogKeys, sealedByTime, type SealedLog } from '../../audit/sealed-log.ts'
import { tabledOnly } from '../tables/question-bench.ts'
import { TENANT } from '../tables/table-bench.ts'
import { inAMinute } from './clinic-year.ts'

const MINUTE = 60_000
const keys = new LogKeys()
/** 30 items of 3 records, one a minute, sealed each 10 minutes. */
function minutes(): SealedLog {
  const lane = laneOf('kakjK50G.1', 30, 3, NOON, MINUTE)
  const log = sealedByTime([lane], 10 * MINUTE, keys)
  log.closeHour('2026-03-01T12', [lane])
  return log
}

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

/** The report about a log whose objects were changed after its tables were made. */
async function reportOf(
  log: SealedLog,
  change: (files: Map<string, Uint8Array<ArrayBuffer>>) => void = () => undefined,
  times: { from: string; to: string } = { from: '2026-03-01', to: '2026-03-01' },
  isNew = false,
): Promise<IntegrityReport> {
  const folder = mkdtempSync(join(tmpdir(), 'phi-test-integrity-'))
  folders.push(folder)
  const tables = new FolderTables(join(folder, 'tables'))
  const fill = async (name: string, files: ReadonlyMap<string, Uint8Array>): Promise<FolderObjects> => {
    const objects = new FolderObjects(join(folder, name))
    for (const [file, bytes] of files) if (file !== 'export.json') await objects.put(`${TENANT}/${file}`, bytes)
    return objects
  }
  const now = NOON + 35 * MINUTE
  if (!isNew)
    await new TableWriter({ log: await fill('whole', log.files), tables, now: () => now }).pass(TENANT, Number.POSITIVE_INFINITY)
  const files = new Map(log.files)
  change(files)
  const objects = await fill('log', files)
  const tenant = TENANT as TenantId
  const reading: IntegrityParts = {
    reader: {
      tables: new DuckDbTables({ tenant, tables, tail: tabledOnly(objects, tenant), turns: new Turns() }),
      log: new StoredLog(objects, tenant),
    },
    now: now as Instant,
    deadline: inAMinute(),
  }
  return await reportIntegrity(reading, reportSpan(times))
}

const FIRST = 'segments/0000000000000000-0000000000000010.ndjson.gz'
/** A segment whose first item names another user. */
const altered = (segment: Uint8Array | undefined): Uint8Array<ArrayBuffer> =>
  compressed(
    gunzipSync(segment ?? new Uint8Array())
      .toString('utf8')
      .replace('physician', 'physicist'),
  )

const kinds = ({ verification }: IntegrityReport): readonly string[] => verification.findings.map(({ kind }) => kind)

describe('P7: an integrity report', () => {
  it('C08: has the last checkpoint, its signatures and witnesses, and the sealed items', async () => {
    const report = await reportOf(minutes())
    expect(report).toMatchObject({ sealedItems: 30, unsealedItems: 0, records: 90, tableSize: 30 })
    expect(report.checkpoint).toMatchObject({
      origin: 'phi.example.com/audit/riverside',
      size: 30,
      at: new Date(NOON + 30 * MINUTE + 20_000).toISOString(),
      ageSeconds: 280,
      signed: true,
      knownWitnesses: 2,
      quorum: true,
    })
    expect(report.checkpoint?.signatures.every(({ known }) => known)).toBe(true)
    expect(report.checkpoint?.witnesses.length).toBeGreaterThan(0)
  })

  it('P7: verifies the part of the log that holds the time, and no more', async () => {
    const whole = await reportOf(minutes())
    expect(whole.verification).toMatchObject({
      outcome: 'VERIFIED',
      fromSize: 0,
      toSize: 30,
      items: 30,
      records: 90,
      findingCount: 0,
    })
    const late = await reportOf(minutes(), undefined, { from: '2026-03-01T12:25:00Z', to: '2026-03-01T12:40:00Z' })
    expect(late.verification.outcome).toBe('VERIFIED')
    expect(late.verification.fromSize).toBeGreaterThan(0)
    expect(late.sealedItems).toBe(5)
  })

  it.each<[string, (files: Map<string, Uint8Array<ArrayBuffer>>) => void, string]>([
    [
      'a segment is missing',
      (files) => files.delete([...files.keys()].find((name) => name.includes('0010-0000000000000020')) ?? ''),
      'SEGMENT_MISSING',
    ],
    [
      'a segment is no segment',
      (files) => files.set([...files.keys()].find((name) => name.startsWith('segments/')) ?? '', compressed('{}\n')),
      'SEGMENT_FORM',
    ],
    ['a checkpoint is missing', (files) => files.delete('checkpoints/0000000000000020'), 'CHECKPOINT_MISSING'],
    ['an item is altered', (files) => files.set(FIRST, altered(files.get(FIRST))), 'ALTERED'],
  ])('P7: reports findings if %s', async (_, change, kind) => {
    const report = await reportOf(minutes(), change)
    expect(report.verification.outcome).toBe('FINDINGS')
    expect(kinds(report)).toContain(kind)
    expect(report.verification.findings.every(({ places }) => places.length > 0)).toBe(true)
  })

  it('P7: names no key of another log as known, and verifies nothing with it', async () => {
    const report = await reportOf(minutes(), (files) => files.set('policy', new TextEncoder().encode(new LogKeys().policy)))
    expect(report.checkpoint).toMatchObject({ signed: false, fault: 'KEY', quorum: false, witnesses: [] })
    expect(report.checkpoint?.signatures.some(({ known }) => known)).toBe(false)
    expect(report.verification.outcome).not.toBe('VERIFIED')
  })

  it('P7: does not say that a log is verified if it has no policy or no checkpoint', async () => {
    const none = await reportOf(minutes(), (files) => files.delete('policy'))
    expect(none.checkpoint).toMatchObject({ signed: false, fault: 'POLICY' })
    expect(none.verification).toMatchObject({ outcome: 'NOT_VERIFIED', reason: 'NO_POLICY' })
    const clear = (files: Map<string, unknown>): void => files.clear()
    const empty = await reportOf(minutes(), clear, undefined, true)
    expect(empty.checkpoint).toBeUndefined()
    expect(empty.verification).toMatchObject({ outcome: 'NOT_VERIFIED', reason: 'NOTHING_SEALED' })
    // a log that ends before its tables is no log without items
    await expect(reportOf(minutes(), clear)).rejects.toMatchObject({ code: 'AUDIT_LOG_UNAVAILABLE' })
  })

  it('P7: refuses a time without an end, and one that ends before it begins', async () => {
    await expect(reportOf(minutes(), undefined, { from: '2026-03-01' } as never)).rejects.toMatchObject({
      code: 'FILTER_TOO_BROAD',
      add: ['to'],
    })
    await expect(reportOf(minutes(), undefined, { from: '2026-03-02', to: '2026-03-01' })).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
    })
  })
})
