import { createHash, randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build, type BuildOptions } from 'esbuild'

const ROOT = new URL('../../../', import.meta.url)
const PAGE = new URL('./page/', import.meta.url)
const CACHE = new URL('node_modules/.cache/phi-explorer/', ROOT)

/** The scripts that the editor runs beside the page, by the label that it gives each. They are parts of GraphiQL's dependencies. */
const WORKERS = {
  json: 'monaco-editor/esm/vs/language/json/json.worker.js',
  graphql: 'monaco-graphql/esm/graphql.worker.js',
  editor: 'monaco-editor/esm/vs/editor/editor.worker.js',
}

const COMMON = {
  bundle: true,
  minify: true,
  metafile: true,
  legalComments: 'none',
  logLevel: 'silent',
  target: 'es2022',
  entryNames: '[name]-[hash]',
  assetNames: '[name]-[hash]',
  define: { 'process.env.NODE_ENV': '"production"' },
} as const satisfies BuildOptions

/** The bundle of these sources and versions, made if it is missing. */
export async function cachedBundle(): Promise<URL> {
  const folder = new URL(`${await digestOfSources()}/`, CACHE)
  if (existsSync(folder)) return folder
  await mkdir(CACHE, { recursive: true })
  // two stacks can start at once: only a complete folder gets the name
  const unfinished = new URL(`${randomUUID()}/`, CACHE)
  await bundleExplorer(unfinished)
  try {
    await rename(unfinished, folder)
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true })
    if (!existsSync(folder)) throw error
  }
  await removeOthers(folder)
  return folder
}

/** Removes the bundles of former sources. An unfinished bundle of another process has a UUID as its name, and stays. */
async function removeOthers(folder: URL): Promise<void> {
  const former = (await readdir(CACHE)).filter((name) => /^[0-9a-f]{32}$/.test(name) && name !== basename(fileURLToPath(folder)))
  await Promise.all(former.map((name) => rm(new URL(name, CACHE), { recursive: true, force: true })))
}

/** Writes the page and all its files into a folder. The page loads nothing from elsewhere. */
export async function bundleExplorer(output: URL): Promise<void> {
  const outdir = fileURLToPath(output)
  const { resolve } = createRequire(import.meta.resolve('@graphiql/react'))
  const workers = await build({
    ...COMMON,
    entryPoints: Object.fromEntries(Object.entries(WORKERS).map(([label, path]) => [label, resolve(path)])),
    outdir,
    format: 'iife',
  })
  const workerNames = outputsOf(workers).map((name) => [name.split('-', 1)[0], `/explorer/${name}`])
  const page = await build({
    ...COMMON,
    entryPoints: [fileURLToPath(new URL('page.tsx', PAGE))],
    outdir,
    // one script with one style sheet: parts that load later would not load their styles
    format: 'esm',
    jsx: 'automatic',
    tsconfig: fileURLToPath(new URL('tsconfig.json', PAGE)),
    loader: { '.ttf': 'file', '.woff2': 'file' },
    define: { ...COMMON.define, WORKER_FILES: JSON.stringify(Object.fromEntries(workerNames)) },
  })
  await writeFile(new URL('index.html', output), html(outputsOf(page)))
}

const outputsOf = ({ metafile }: { metafile: { outputs: object } }): string[] =>
  Object.keys(metafile.outputs).map((path) => basename(path))

function html(files: readonly string[]): string {
  const named = (extension: string): string => `/explorer/${files.find((name) => name.endsWith(extension)) ?? ''}`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>phi-gateway explorer</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${named('.css')}">
<script type="module" src="${named('.js')}"></script>
</head>
<body><div id="explorer"></div><noscript>The explorer needs JavaScript.</noscript></body>
</html>
`
}

async function digestOfSources(): Promise<string> {
  const hash = createHash('sha256')
  const sources = (await readdir(PAGE)).toSorted().map((name) => new URL(name, PAGE))
  for (const source of [pathToFileURL(import.meta.filename), ...sources, new URL('package-lock.json', ROOT)])
    hash.update(`${source.pathname.slice(ROOT.pathname.length)}\0`).update(await readFile(source))
  return hash.digest('hex').slice(0, 32)
}
