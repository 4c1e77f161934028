import { S3Client } from '@aws-sdk/client-s3'
import fc from 'fast-check'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ItemParts } from '../../../../gateway/audit/item.ts'
import type { ObjectStore, RemovableObjects } from '../../../../gateway/model/object-store.ts'
import { readManifest } from '../../../../gateway/oversight/tables/manifest.ts'
import { recount } from '../../../../gateway/oversight/tables/recount.ts'
import { FolderObjects } from '../../../../gateway/store/folder-objects.ts'
import { FolderTables } from '../../../../gateway/store/folder-tables.ts'
import { S3Objects } from '../../../../gateway/store/s3-objects.ts'
import { S3Tables } from '../../../../gateway/store/s3-tables.ts'
import { type ObjectStoreStandIn, startObjectStore } from '../../../../infra/local/object-store.ts'
import { linked, packed, samples } from '../../audit/audit-arbitraries.ts'
import { NOON } from '../../audit/examples.ts'
import type { SealedLog } from '../../audit/sealed-log.ts'
import { laneOf, sealedByTime } from '../../audit/sealed-log.ts'
import { dataNames, HOUR_MS, publish, recordsIn, rowsIn, SMALL, soundManifest, tablesOf, TENANT, emptyLog } from './table-bench.ts'

let folder: string
let bucket: ObjectStoreStandIn
let tableBucket: ObjectStoreStandIn
let clients: S3Client[]
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'phi-test-tables-'))
  bucket = await startObjectStore({ bucket: 'phi-audit', pageSize: 5 })
  tableBucket = await startObjectStore({ bucket: 'phi-tables', pageSize: 5 })
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }
  clients = [bucket, tableBucket].map(({ endpoint }) => new S3Client({ endpoint, region: 'us-east-1', credentials }))
})
afterAll(async () => {
  for (const client of clients) client.destroy()
  await Promise.all([bucket.stop(), tableBucket.stop()])
  rmSync(folder, { recursive: true })
})

let folders = 0
const inFolders = (): { log: ObjectStore; tables: RemovableObjects } => {
  const own = join(folder, String(++folders))
  return { log: new FolderObjects(join(own, 'log')), tables: new FolderTables(join(own, 'tables')) }
}
const inBuckets = (): { log: ObjectStore; tables: RemovableObjects } => {
  const [one, other] = clients
  if (one === undefined || other === undefined) throw new Error('the clients are open')
  return { log: new S3Objects(one, 'phi-audit'), tables: new S3Tables(other, 'phi-tables') }
}

describe.each([
  ['folders', inFolders],
  ['buckets, with the client of the SDK', inBuckets],
])('P7: tables in %s', (_, open) => {
  it('P7: have each record of the log once and in order, grow with each round, and are compacted by hour and by day', async () => {
    const { log, tables } = open()
    let time = NOON + 40 * 60_000
    const auditTables = tablesOf(log, tables, () => time)
    const sealed = emptyLog()
    const lane = laneOf('kakjK50G.1', 21, 8, NOON + 30 * 60_000, 240_000)
    // 84 minutes: hours 12, 13 and the begin of 14
    for (let at = 0; at < lane.items.length; at += 3) {
      const items = lane.items.slice(at, at + 3)
      time = (items.at(-1)?.time ?? 0) + 30_000
      sealed.seal(items, Math.floor(time / 1_000))
      await publish(sealed, log)
      const { added, isComplete } = await auditTables.pass(TENANT, Number.POSITIVE_INFINITY)
      expect([added, isComplete]).toEqual([24, true])
    }
    const hours = (await readManifest(tables, TENANT)).manifest.files.map(({ sealed: [from] }) =>
      new Date(from * 1_000).getUTCHours(),
    )
    // the hour that is not over keeps the files of its rounds
    expect(hours.filter((hour) => hour === 12)).toHaveLength(1)
    expect(hours.length).toBeGreaterThan(5)
    await soundManifest(tables, sealed)
    // the files that compaction replaced remain for a while, for readers of an older manifest
    expect((await dataNames(tables)).length).toBeGreaterThan(hours.length)

    time += 24 * HOUR_MS
    await auditTables.pass(TENANT, Number.POSITIVE_INFINITY)
    expect((await soundManifest(tables, sealed)).files).toHaveLength(1)
    time += HOUR_MS
    const next = laneOf('kakjK50G.2', 6, 8, time)
    for (const items of [next.items.slice(0, 3), next.items.slice(3)]) {
      sealed.seal(items, Math.floor(time / 1_000))
      await publish(sealed, log)
      await auditTables.pass(TENANT, Number.POSITIVE_INFINITY)
    }
    time += HOUR_MS
    await auditTables.pass(TENANT, Number.POSITIVE_INFINITY)
    const { files, replaced } = await soundManifest(tables, sealed)
    expect(files).toHaveLength(2)
    expect(await dataNames(tables)).toEqual([...files, ...replaced].map(({ name }) => name).toSorted())
    const counted = await recount({ log, tables }, TENANT)
    expect(counted).toEqual({ size: 27, logSize: 27, records: 216, differences: [] })
  })
})

describe('P7: the rows of the tables', () => {
  it('P7: have every member of every record as an export has it, whatever characters the texts have', async () => {
    const { log, tables } = inFolders()
    const drafts = fc.sample(samples(6), { numRuns: 40, seed: 13 }).flatMap(packed)
    const sealed = emptyLog()
    const items = linked(drafts, 'kakjK50G.1')
    sealed.seal(items.slice(0, 50), NOON / 1_000 + 60)
    sealed.seal(items.slice(50), NOON / 1_000 + 120)
    await publish(sealed, log)
    await tablesOf(log, tables, () => NOON + HOUR_MS, { ...SMALL, stepRows: 1_000 }).pass(TENANT, Number.POSITIVE_INFINITY)
    const records = recordsIn(sealed)
    expect(records.length).toBeGreaterThan(100)
    expect(await rowsIn(tables)).toEqual(records)
  })

  it('P7: keep a member that a later writer adds, and a NUL, a quote and the longest time', async () => {
    const { log, tables } = inFolders()
    const text = JSON.stringify({
      c: {
        f: 1,
        po: 'q'.repeat(42) + 'A',
        pu: 'TREAT',
        q: "'; DROP TABLE x; --",
        ro: ['\u0000', ''],
        t: 8.64e15,
        u: 'a\u0000b"\\\n\u2028',
      },
      g: [[0, null, null, [0, 1]]],
      h: [{}],
      s: [{ p: 'Query.patient', toString: { $ne: '\u0000' } }, 'Patient.ssn'],
    })
    const sealed = emptyLog()
    sealed.seal(linkedTexts([text]), NOON / 1_000)
    await publish(sealed, log)
    await tablesOf(log, tables, () => NOON).pass(TENANT, Number.POSITIVE_INFINITY)
    const [first, ...others] = await rowsIn(tables)
    expect(others).toHaveLength(1)
    const time = '+275760-09-13T00:00:00.000Z'
    expect(first).toMatchObject({ time, user: 'a\u0000b"\\\n\u2028', roles: ['\u0000', ''], requestId: "'; DROP TABLE x; --" })
    expect(first).toMatchObject({ position: 0, toString: { $ne: '\u0000' } })
  })
})

describe('P7: a malformed item stops the tables of its tenant, which end before it', () => {
  const good = laneOf('kakjK50G.1', 4, 3)
  const content = { c: { f: 1, po: `${'q'.repeat(42)}A`, t: NOON }, g: [[0, null, null, [0]]], h: [{}], s: ['Patient.ssn'] }
  const withItem = (change: object): string => JSON.stringify({ ...content, ...change })
  const hostile: [string, (log: SealedLog) => void][] = [
    ['a line that is no JSON', (log) => replaceLine(log, '{"l":')],
    ['a line with another member', (log) => replaceLine(log, '{"l":"a","n":1,"x":1}')],
    ['an empty line', (log) => replaceLine(log, '')],
    ['a missing line', (log) => replaceLine(log, undefined)],
    ['one line too many', (log) => appendLine(log)],
    ['an item that differs from its hash', (log) => changeLine(log, (line) => line.replace('physician', 'physicist'))],
    ['a gap of segments', (log) => log.files.delete('segments/0000000000000004-0000000000000005.ndjson.gz')],
    ['no checkpoint at the end of a segment', (log) => log.files.delete('checkpoints/0000000000000005')],
    ['bytes that are no gzip', (log) => void log.files.set(LAST_SEGMENT, new Uint8Array([1, 2, 3]))],
  ]
  const texts: [string, string][] = [
    ['a text that is no JSON', '{'],
    ['another spelling of a text', ` ${withItem({})}`],
    ['a user that is a number', withItem({ c: { ...content.c, u: 5 } })],
    ['a user that is an object', withItem({ c: { ...content.c, u: { toString: 'x' } } })],
    ['roles that are a text', withItem({ c: { ...content.c, ro: 'PHYSICIAN' } })],
    ['roles with a number', withItem({ c: { ...content.c, ro: [1] } })],
    ['half of a surrogate pair', withItem({ c: { ...content.c, u: '\ud83e' } })],
    ['a count that is no whole number', withItem({ s: [{ n: 1.5, p: 'Patient.ssn' }] })],
    ['a count that is a text', withItem({ s: [{ n: '1', p: 'Patient.ssn' }] })],
    ['a time that is no date', withItem({ c: { ...content.c, t: 9e15 } })],
    ['paths that are a text', withItem({ s: [{ p: 'Patient.ssn', ps: 'Patient.ssn' }] })],
    ['an unknown member of the context', withItem({ c: { ...content.c, zz: 1 } })],
    ['more records than an item can have', withItem({ g: [[0, null, null, Array.from({ length: 70_000 }, () => 0)]] })],
    [
      'a text that expands to gigabytes',
      withItem({ g: [[0, null, null, Array.from({ length: 60_000 }, () => 0)]], s: ['x'.repeat(60_000)] }),
    ],
  ]
  const LAST_SEGMENT = 'segments/0000000000000004-0000000000000005.ndjson.gz'

  it.each(texts)('P7: %s', async (_name, text) => {
    const { log, tables } = inFolders()
    const sealed = emptyLog()
    sealed.seal(good.items, NOON / 1_000 + 60)
    sealed.seal(linkedTexts([text]), NOON / 1_000 + 120)
    await publish(sealed, log)
    const auditTables = tablesOf(log, tables, () => NOON, { ...SMALL, stepRows: 1 })
    await expect(auditTables.pass(TENANT, Number.POSITIVE_INFINITY)).rejects.toMatchObject({
      name: 'MalformedSegment',
      position: 4,
    })
    expect((await readManifest(tables, TENANT)).manifest).toMatchObject({ size: 4, records: 12 })
    // each further pass fails again, and changes nothing
    await expect(auditTables.pass(TENANT, Number.POSITIVE_INFINITY)).rejects.toMatchObject({ name: 'MalformedSegment' })
    expect((await readManifest(tables, TENANT)).manifest).toMatchObject({ size: 4, revision: 1 })
  })

  it.each(hostile)('P7: %s', async (_name, alter) => {
    const { log, tables } = inFolders()
    const sealed = emptyLog()
    const longer = laneOf('kakjK50G.1', 5, 3)
    sealed.seal(longer.items.slice(0, 4), NOON / 1_000 + 60)
    sealed.seal(longer.items.slice(4), NOON / 1_000 + 120)
    alter(sealed)
    await publish(sealed, log)
    const auditTables = tablesOf(log, tables, () => NOON, { ...SMALL, stepRows: 1 })
    const failure = await auditTables.pass(TENANT, Number.POSITIVE_INFINITY).catch((error: unknown) => error)
    expect(['MalformedSegment', 'SegmentMissing']).toContain((failure as Error).name)
    expect((await readManifest(tables, TENANT)).manifest).toMatchObject({ size: 4, records: 12 })
  })

  const linesOf = (log: SealedLog): string[] =>
    Buffer.from(gunzip(log.files.get(LAST_SEGMENT)))
      .toString('utf8')
      .split('\n')
      .slice(0, -1)
  const setLines = (log: SealedLog, lines: readonly string[]): void =>
    void log.files.set(LAST_SEGMENT, gzip(lines.map((line) => `${line}\n`).join('')))
  const replaceLine = (log: SealedLog, line: string | undefined): void => setLines(log, line === undefined ? [] : [line])
  const changeLine = (log: SealedLog, change: (line: string) => string): void => setLines(log, linesOf(log).map(change))
  const appendLine = (log: SealedLog): void => setLines(log, [...linesOf(log), ...linesOf(log)])
})

describe('P7: tables and log are compared, and tables are made anew', () => {
  const lanes = [laneOf('kakjK50G.1', 20, 5, NOON, 360_000), laneOf('kakjK50G.2', 10, 5, NOON, 720_000)]

  it('P7: a rebuild gives the same rows from an altered manifest, a lost one and altered files, and removes what no manifest lists', async () => {
    const { log, tables } = inFolders()
    const sealed = sealedByTime(lanes, 720_000)
    await publish(sealed, log)
    let time = NOON + 5 * HOUR_MS
    const auditTables = tablesOf(log, tables, () => time)
    await auditTables.pass(TENANT, Number.POSITIVE_INFINITY)
    const before = await soundManifest(tables, sealed)

    await tables.put(`${TENANT}/manifest.json`, Buffer.from('{"format":2}'))
    await expect(auditTables.pass(TENANT, Number.POSITIVE_INFINITY)).rejects.toMatchObject({ name: 'ManifestUnreadable' })
    await auditTables.rebuild(TENANT)
    const anew = await soundManifest(tables, sealed)
    expect(anew.records).toBe(before.records)
    expect(anew.revision).toBeGreaterThan(before.revision)
    expect(await dataNames(tables)).toEqual([...anew.files, ...anew.replaced].map(({ name }) => name).toSorted())

    await tables.remove(`${TENANT}/manifest.json`)
    await auditTables.rebuild(TENANT)
    time += HOUR_MS
    expect((await auditTables.rebuild(TENANT)).manifest.records).toBe(before.records)
    await soundManifest(tables, sealed)

    const [altered] = (await readManifest(tables, TENANT)).manifest.files
    await tables.put(altered?.name ?? '', Buffer.from('PAR1'))
    await expect(recount({ log, tables }, TENANT)).rejects.toMatchObject({ name: 'TableAltered' })
    time += HOUR_MS
    await auditTables.rebuild(TENANT)
    expect((await recount({ log, tables }, TENANT)).differences).toEqual([])
  })

  it('P7: a recount names path, outcome and positions of records that only one side has', async () => {
    const { log, tables } = inFolders()
    const sealed = emptyLog()
    const one = laneOf('kakjK50G.1', 3, 8)
    sealed.seal(one.items, NOON / 1_000 + 60)
    await publish(sealed, log)
    await tablesOf(log, tables, () => NOON).pass(TENANT, Number.POSITIVE_INFINITY)
    // another log of the same length in the place of the first one
    const other = inFolders()
    const forged = emptyLog()
    forged.seal(laneOf('kakjK50G.1', 3, 5).items, NOON / 1_000 + 60)
    await publish(forged, other.log)
    const { differences } = await recount({ log: other.log, tables }, TENANT)
    expect(differences).toContainEqual({ start: 0, end: 3, path: 'Patient.address', outcome: 'DISCLOSED', inTables: 3, inLog: 0 })
    expect(differences).toHaveLength(3)
  })

  it('P7: a log that is shorter than its tables stops them', async () => {
    const { log, tables } = inFolders()
    const sealed = emptyLog()
    sealed.seal(laneOf('kakjK50G.1', 3, 2).items, NOON / 1_000 + 60)
    await publish(sealed, log)
    const auditTables = tablesOf(log, tables, () => NOON)
    await auditTables.pass(TENANT, Number.POSITIVE_INFINITY)
    const other = inFolders()
    await expect(tablesOf(other.log, tables, () => NOON).pass(TENANT, Number.POSITIVE_INFINITY)).rejects.toMatchObject({
      name: 'LogShortened',
    })
    await expect(recount({ log: other.log, tables }, TENANT)).rejects.toMatchObject({ name: 'LogShortened' })
  })

  it('a pass that runs out of time leaves the rest to the next one', async () => {
    const { log, tables } = inFolders()
    const sealed = sealedByTime(lanes, 720_000)
    await publish(sealed, log)
    let time: number = NOON
    const auditTables = tablesOf(log, tables, () => (time += 1_000))
    const first = await auditTables.pass(TENANT, time + 4_000)
    expect(first.isComplete).toBe(false)
    const { size } = await soundManifest(tables, sealed)
    expect(size).toBeGreaterThan(0)
    expect(first.behind).toBe(30 - size)
    expect((await auditTables.pass(TENANT, Number.POSITIVE_INFINITY)).behind).toBe(0)
    expect((await soundManifest(tables, sealed)).size).toBe(30)
  })
})

const gunzip = (bytes: Uint8Array | undefined): Uint8Array => gunzipSync(bytes ?? new Uint8Array())
const gzip = (text: string): Uint8Array<ArrayBuffer> => new Uint8Array(gzipSync(text))

/** Items of any text, with correct hashes. */
function linkedTexts(texts: readonly string[]): ItemParts[] {
  let prev = '0'.repeat(64)
  return texts.map((text, at) => {
    const sequence = at + 1
    const hash = createHash('sha256').update(prev, 'hex').update(`${TENANT}#hostile.1/${sequence}\n${text}`).digest('hex')
    const item = { tenant: TENANT, lane: 'hostile.1', sequence, prev, hash, text, time: NOON as number, patient: undefined }
    prev = hash
    return item as unknown as ItemParts
  })
}
