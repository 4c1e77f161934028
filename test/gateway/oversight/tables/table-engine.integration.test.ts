import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CONTEXT, HEAD, SHAPE } from '../../../../gateway/audit/verify/item-members.ts'
import { ITEM_COLUMNS, RECORD_COLUMNS } from '../../../../gateway/oversight/tables/columns.ts'
import { inScratch } from '../../../../gateway/oversight/tables/scratch.ts'
import { quoted, TableEngine } from '../../../../gateway/oversight/tables/table-engine.ts'

async function inEngine(work: (engine: TableEngine, folder: string) => Promise<void>): Promise<void> {
  await inScratch(async (folder) => {
    const engine = await TableEngine.open(folder)
    try {
      await work(engine, folder)
    } finally {
      engine.close()
    }
  })
}

describe('P8: DuckDB is closed to everything outside of its folder', () => {
  it.each([
    ['reads a file elsewhere', "SELECT * FROM read_text('/etc/hostname')"],
    ['lists a folder elsewhere', "SELECT * FROM glob('/etc/*')"],
    ['leaves the folder by its name', "SELECT * FROM read_text('FOLDER/../../etc/hostname')"],
    ['writes a file elsewhere', "COPY (SELECT 1) TO '/tmp/phi-escaped.parquet' (FORMAT parquet)"],
    ['opens a database elsewhere', "ATTACH '/tmp/phi-escaped.duckdb' AS other"],
    ['reads from the network', "SELECT * FROM read_parquet('https://127.0.0.1:9/x.parquet')"],
    ['reads from a bucket', "SELECT * FROM read_parquet('s3://bucket/x.parquet')"],
    ['installs an extension', 'INSTALL httpfs'],
    ['loads an extension', 'LOAD httpfs'],
    ['loads an extension by its file', "LOAD 'FOLDER/x.duckdb_extension'"],
    ['opens itself again', 'SET enable_external_access = true'],
    ['adds a folder', "SET allowed_directories = ['/']"],
    ['turns the loading of extensions on', 'SET autoload_known_extensions = true'],
    ['takes more memory', "SET memory_limit = '64GB'"],
  ])('P8: refuses a statement that %s', async (_name, sql) => {
    await inEngine(async (engine, folder) => {
      await expect(engine.rows(sql.replace('FOLDER', folder))).rejects.toThrow(/Permission Error|Invalid Input Error|Cannot/)
    })
    expect(existsSync('/tmp/phi-escaped.parquet')).toBe(false)
  })

  it('P8: loads no extension from the network or the disk, and has a bound of memory and disk', async () => {
    await inEngine(async (engine, folder) => {
      const names = ['autoinstall_known_extensions', 'autoload_known_extensions', 'allow_community_extensions']
      const limits = ['threads', 'memory_limit', 'max_temp_directory_size', 'temp_directory', 'enable_external_access']
      const list = [...names, ...limits].map(quoted).join()
      const rows = await engine.rows(`SELECT name, value FROM duckdb_settings() WHERE name IN (${list})`)
      expect(Object.fromEntries(rows.map(({ name, value }) => [name, value]))).toEqual({
        ...Object.fromEntries(names.map((name) => [name, 'false'])),
        enable_external_access: 'false',
        threads: '1',
        memory_limit: '366.2 MiB',
        max_temp_directory_size: '366.2 MiB',
        temp_directory: folder,
      })
    })
  })

  it('takes a folder and a file with a quote in their names', async () => {
    await inEngine(async (engine, folder) => {
      writeFileSync(join(folder, 'x.ndjson'), '')
      expect(await engine.tableOf(join(folder, 'x.ndjson'), join(folder, "it's.parquet"))).toBe(0)
      expect(await engine.rows(`FROM ${quoted(join(folder, "it's.parquet"))}`)).toEqual([])
    })
  })
})

describe('the columns of the tables', () => {
  it('are all members of a record in an export, except the hashes of the chain', () => {
    const members = [CONTEXT, HEAD, SHAPE].flatMap((table) => Object.keys(table))
    const shared = ['tenant', 'lane', 'sequence', 'index', 'recordId', 'recordVersion', 'outcome', 'view']
    const own = ['position', 'others']
    const columns = [...Object.keys(ITEM_COLUMNS), ...Object.keys(RECORD_COLUMNS)]
    expect(columns.toSorted()).toEqual([...members, ...shared, ...own].toSorted())
  })

  it('are the same for all records of an item exactly if the text has them in the context', () => {
    const [context, item] = [Object.keys(CONTEXT), Object.keys(ITEM_COLUMNS)]
    expect(item.toSorted()).toEqual([...context, 'tenant', 'lane', 'sequence', 'position'].toSorted())
  })
})
