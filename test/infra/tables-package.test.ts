import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as z from 'zod'
import { bundleTables } from '../../infra/bundle.ts'
import { LIBRARY_FILES, ownLibrary, processorOf } from './native-library.ts'

const root = new URL('../../', import.meta.url)
const folder = mkdtempSync(join(tmpdir(), 'phi-tables-package-'))
const output = join(folder, 'tables')
const lock = z.object({
  packages: z.record(z.string(), z.object({ version: z.string().optional(), integrity: z.string().optional() })),
})
const packagesOf = (file: string) => lock.parse(JSON.parse(readFileSync(new URL(file, root), 'utf8'))).packages

beforeAll(async () => {
  // the library of this machine: the bundle itself is the same
  await bundleTables(pathToFileURL(`${output}/`), ownLibrary())
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the package of the function that writes tables', () => {
  it('P8: runs by itself: it derives tables with the library beside it, without any installed package', () => {
    expect(readdirSync(output)).toEqual(expect.arrayContaining(['index.mjs', ...LIBRARY_FILES]))
    const [log, tables] = [join(folder, 'log'), join(folder, 'audit-tables')]
    const printed = execFileSync(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `await (await import(${JSON.stringify(pathToFileURL(join(output, 'index.mjs')).href)})).handler()`,
      ],
      { cwd: folder, env: { PHI_STAGE: 'test', PHI_AUDIT_OBJECTS: log, PHI_AUDIT_TABLES: tables }, encoding: 'utf8' },
    )
    // without a log there is nothing to do; the library was loaded before
    expect(printed).toBe('')
    const loads = readdirSync(output).filter(
      (file) => file.endsWith('.mjs') && /["']\.\/duckdb\.node["']/.test(readFileSync(join(output, file), 'utf8')),
    )
    expect(loads).toHaveLength(1)
  })

  it('refuses to build without the library for Lambda', async () => {
    await expect(bundleTables(pathToFileURL(`${output}-2/`), pathToFileURL(`${folder}/none/`))).rejects.toThrow(
      'npm run install:arm64',
    )
  })

  it('has the library of Linux on arm64 of the version that the tests run, by the same checksum', () => {
    const name = 'node_modules/@duckdb/node-bindings-linux-arm64'
    const [own, deployed] = [packagesOf('package-lock.json'), packagesOf('infra/arm64/package-lock.json')]
    expect(deployed[name]).toMatchObject({
      version: own['node_modules/@duckdb/node-api']?.version,
      integrity: own[name]?.integrity,
    })
    expect(readFileSync(new URL('serverless.yml', root), 'utf8')).toMatch(/\n {2}architecture: arm64\n/)
  })

  it('tells processors apart by the content of a library', () => {
    for (const file of LIBRARY_FILES) expect(processorOf(readFileSync(join(output, file)))).toBe(process.arch)
    expect(() => processorOf(Buffer.from('no library'))).toThrow(TypeError)
  })
})
