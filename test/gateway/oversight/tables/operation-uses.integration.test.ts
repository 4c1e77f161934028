import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { readdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { AuditContext } from '../../../../gateway/audit/entry.ts'
import { ItemPacker } from '../../../../gateway/audit/item-packer.ts'
import type { Instant, RequestId } from '../../../../gateway/model/ids.ts'
import { readManifest } from '../../../../gateway/oversight/tables/manifest.ts'
import { operationUses } from '../../../../gateway/oversight/tables/operation-uses.ts'
import { TableAltered } from '../../../../gateway/oversight/tables/table-faults.ts'
import { FolderObjects } from '../../../../gateway/store/folder-objects.ts'
import { FolderTables } from '../../../../gateway/store/folder-tables.ts'
import { linked } from '../../audit/audit-arbitraries.ts'
import { access, context, itemsOf, NOON } from '../../audit/examples.ts'
import { emptyLog, publish, SMALL, tablesOf, TENANT } from './table-bench.ts'

const HASH = 'ab'.repeat(32)
let folder: string
let [log, tables]: [FolderObjects, FolderTables] = [undefined as never, undefined as never]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'phi-uses-'))
  log = new FolderObjects(join(folder, 'log'))
  tables = new FolderTables(join(folder, 'tables'))
})
afterEach(() => rmSync(folder, { recursive: true }))

interface Request extends Partial<AuditContext> {
  readonly at: number
  /** The number of audit items. */
  readonly items?: number
}

/** Seals the items of requests in segments that end at these positions, and makes a table of each. */
async function sealed(requests: readonly Request[], ...ends: readonly number[]): Promise<void> {
  const drafts = requests.flatMap(({ at, items = 1, ...change }, place) => {
    const requestId = createHash('sha256').update(`${place}`).digest('base64url').slice(0, 20) as RequestId
    const packer = new ItemPacker(context({ requestId, client: 'acme', operationHash: HASH, persisted: true, ...change }))
    const accesses = Array.from({ length: items }, (_, item) => access(item + 1, { at: at as Instant }))
    return itemsOf(packer, accesses)
  })
  const all = linked(drafts, 'kakjK50G.1')
  const files = emptyLog()
  let [start, time] = [0, NOON / 1_000]
  for (const end of [...ends, all.length]) {
    time += 60
    files.seal(all.slice(start, end), time)
    await publish(files, log)
    await tablesOf(log, tables, () => NOON + 60_000, SMALL).pass(TENANT, Number.POSITIVE_INFINITY)
    start = end
  }
}

describe('P10: uses of registered operations', () => {
  it('P10: count each request once by client and operation, with the time of the latest', async () => {
    // the items of the first request are in two tables
    await sealed(
      [
        { at: NOON, items: 3 },
        { at: NOON + 1_000 },
        { at: NOON + 2_000, client: 'other' },
        { at: NOON + 60_000 },
        { at: NOON + 61_000, operationHash: 'cd'.repeat(32) },
      ],
      2,
    )
    expect((await readManifest(tables, TENANT)).manifest.files).toHaveLength(2)
    const { uses, until } = await operationUses(tables, TENANT)
    expect(uses.map(({ client, operationHash, requests, last }) => [client, operationHash.slice(0, 2), requests, last])).toEqual(
      expect.arrayContaining([
        ['acme', 'ab', 3, NOON + 60_000],
        ['other', 'ab', 1, NOON + 2_000],
        ['acme', 'cd', 1, NOON + 61_000],
      ]),
    )
    expect(uses).toHaveLength(3)
    expect(until).toBe(NOON + 120_000)
  })

  it('P10: leave out texts, and requests of no client', async () => {
    await sealed([
      { at: NOON, persisted: false },
      { at: NOON, client: undefined as never },
    ])
    expect((await operationUses(tables, TENANT)).uses).toEqual([])
  })

  it('P10: are unknown without tables, and fail if a file was altered', async () => {
    expect(await operationUses(tables, TENANT)).toEqual({ uses: [], until: undefined })
    await sealed([{ at: NOON }])
    const data = join(folder, 'tables', TENANT, 'data')
    for (const name of await readdir(data)) await writeFile(join(data, name), 'altered')
    await expect(operationUses(tables, TENANT)).rejects.toThrow(TableAltered)
  })
})
