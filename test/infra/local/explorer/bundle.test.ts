import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { bundleExplorer, cachedBundle } from '../../../../infra/local/explorer/bundle.ts'

/** GraphiQL with its editor. A published package carries it. */
const MAX_BYTES = 15 * 1024 * 1024
const CDNS = ['jsdelivr.net', 'unpkg.com', 'esm.sh', 'cdnjs.cloudflare.com', 'googleapis.com', 'gstatic.com', 'skypack.dev']
/** Forms in which a script or a style sheet loads a file of another host. */
const LOADS = /(?:\burl\(\s*|@import\s*|importScripts\(\s*|\bimport\(\s*|\bfetch\(\s*|new Worker\(\s*)["'`]?\s*(?:https?:)?\/\//g

let folder: URL
let files: readonly string[]
const read = (name: string): string => readFileSync(new URL(name, folder), 'utf8')

beforeAll(async () => {
  folder = await cachedBundle()
  files = readdirSync(folder)
})

describe('the bundle of the explorer', () => {
  it('has the page, its script, its style sheet and the workers of the editor, each with a hash in its name', () => {
    expect(files.map((name) => name.replace(/-[0-9A-Z]{8}\./, '-HASH.')).toSorted()).toEqual([
      'codicon-HASH.ttf',
      'editor-HASH.js',
      'graphql-HASH.js',
      'index.html',
      'json-HASH.js',
      'page-HASH.css',
      'page-HASH.js',
    ])
    expect(files.reduce((sum, name) => sum + statSync(new URL(name, folder)).size, 0)).toBeLessThan(MAX_BYTES)
  })

  it('loads nothing from another host', () => {
    const scripts = files.filter((name) => /\.(?:js|css|html)$/.test(name))
    for (const name of scripts) {
      const source = read(name)
      expect(source.match(LOADS) ?? [], name).toEqual([])
      expect(
        CDNS.filter((host) => source.includes(host)),
        name,
      ).toEqual([])
    }
    // the search finds what it looks for
    expect('@import "https://fonts.example/a.css"; .a { background: url(//cdn.example/a.png) }'.match(LOADS)).toHaveLength(2)
  })

  it('has a page without inline script, which names files of the bundle only', () => {
    const page = read('index.html')
    expect(page).not.toMatch(/<script(?![^>]*\bsrc=)|\son\w+=/)
    const named = [...page.matchAll(/(?:src|href)="(?!data:)([^"]+)"/g)].map(([, path = '']) => path)
    expect(named).toHaveLength(2)
    for (const path of named) expect(files).toContain(path.replace('/explorer/', ''))
  })

  it('names no path of the machine that made it', () => {
    const home = fileURLToPath(new URL('../../../../', import.meta.url))
    for (const name of files) expect(read(name), name).not.toContain(home)
  })

  it('is made once for the same sources', async () => {
    const made = statSync(folder).mtimeMs
    expect([(await cachedBundle()).href, statSync(folder).mtimeMs]).toEqual([folder.href, made])
  })

  it('has the same bytes in the folder of a package', async () => {
    const packaged = mkdtempSync(join(tmpdir(), 'phi-explorer-'))
    try {
      await bundleExplorer(pathToFileURL(`${packaged}/`))
      expect(readdirSync(packaged).toSorted()).toEqual([...files].toSorted())
      expect(readFileSync(join(packaged, 'index.html'), 'utf8')).toBe(read('index.html'))
    } finally {
      rmSync(packaged, { recursive: true, force: true })
    }
  }, 60_000)
})
