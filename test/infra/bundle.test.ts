import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundleFunction } from '../../infra/bundle.ts'

const folder = mkdtempSync(join(tmpdir(), 'phi-bundle-'))
let files: ReadonlyMap<string, string>
beforeAll(async () => {
  const output = join(folder, 'graphql')
  await bundleFunction(pathToFileURL(`${output}/`))
  files = new Map(
    readdirSync(output)
      .filter((file) => file.endsWith('.mjs'))
      .map((file) => [file, readFileSync(join(output, file), 'utf8')]),
  )
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const IMPORTED = /^(?:import|export) .*?from ['"](.+?)['"]|^import ['"](.+?)['"]|\bimport\(['"](.+?)['"]\)/gm

describe('the bundle of the function', () => {
  it('has every file that one of its files imports, and needs no package', () => {
    const imported = [...files.values()].flatMap((text) =>
      [...text.matchAll(IMPORTED)].map(([, from, effect, dynamic]) => from ?? effect ?? dynamic ?? ''),
    )
    expect(imported.length).toBeGreaterThan(files.size)
    expect(imported.filter((name) => name !== 'node:module' && !files.has(name.replace('./', '')))).toEqual([])
  })

  it('P8: contains no code that reports operations or the schema to Apollo', () => {
    expect([...files.values()].some((text) => text.includes('api.apollographql.com'))).toBe(false)
  })
})
