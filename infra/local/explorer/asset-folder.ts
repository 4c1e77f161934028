import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'

const compress = promisify(gzip)

const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.ttf': 'font/ttf',
  '.woff2': 'font/woff2',
}
const PAGE = 'index.html'

interface Asset {
  readonly type: string
  readonly compressed: Buffer
}

/** The files of the page in memory. A name from a request selects one of them, and never a path of the disk. */
export interface Assets {
  readonly page: string
  readonly files: ReadonlyMap<string, Asset>
}

/**
 * The files of the page: those of the published package, or a new bundle in a clone of the project.
 *
 * @param prebuilt a folder that `bundleExplorer` filled. It may be missing
 */
export async function loadAssets(prebuilt: URL): Promise<Assets> {
  return await readAssets(existsSync(new URL(PAGE, prebuilt)) ? prebuilt : await bundled())
}

/** The published package has the folder, and neither this module's sources nor esbuild. */
async function bundled(): Promise<URL> {
  const { cachedBundle } = await import('./bundle.ts')
  return await cachedBundle()
}

async function readAssets(folder: URL): Promise<Assets> {
  const files = new Map<string, Asset>()
  await Promise.all(
    (await readdir(folder)).map(async (name) => {
      const type = TYPES[extname(name)]
      if (type === undefined) return
      files.set(name, { type, compressed: await compress(await readFile(new URL(name, folder))) })
    }),
  )
  return { page: await readFile(new URL(PAGE, folder), 'utf8'), files }
}
