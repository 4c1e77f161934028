import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { BANNED_PHRASE, countBlocks, type Hit } from './count.ts'
import { blocksOf } from './extract.ts'
import { folderOf, hasFallen, nextRates, type Rates, rateOf, type Tally, verdictOf } from './ratchet.ts'
import { PATTERNS, RATCHETED } from './words.ts'

// `node test/prose/check.ts` measures the comments, documents and messages of the repository against the limits of words.ts.
// `--report` also prints the table on failure. `--store` writes the rates of ratcheted folders to rates.json; it only lowers them.

interface Folder {
  words: number
  readonly hits: (Hit & { readonly path: string })[]
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const ratesFile = new URL('rates.json', import.meta.url)

function measure(): Map<string, Folder> {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  })
  const folders = new Map<string, Folder>()
  for (const path of new Set(listed.split('\0'))) {
    const name = folderOf(path)
    // git lists a deleted file until the deletion is staged
    if (path === '' || name === undefined || !existsSync(root + path)) continue
    const blocks = blocksOf(path, readFileSync(root + path, 'utf8'))
    if (blocks === undefined) continue
    const folder = folders.get(name) ?? { words: 0, hits: [] }
    folders.set(name, folder)
    const { words, hits } = countBlocks(blocks)
    folder.words += words
    folder.hits.push(...hits.map((hit) => ({ ...hit, path })))
  }
  return new Map([...folders].sort(([one], [other]) => (one < other ? -1 : 1)))
}

const folders = measure()
const tallies = [...folders].flatMap(([folder, { words, hits }]) =>
  PATTERNS.map((pattern): Tally => ({ folder, pattern, words, hits: hits.filter((hit) => hit.pattern === pattern.name).length })),
)
const ratcheted = tallies.filter(({ folder }) => RATCHETED.has(folder))
const storedFile = existsSync(ratesFile) ? (JSON.parse(readFileSync(ratesFile, 'utf8')) as Rates) : undefined
const stored: Rates = Object.fromEntries(Object.entries(storedFile ?? {}).filter(([folder]) => RATCHETED.has(folder)))

function printTable(): void {
  const row = (cells: readonly string[]) =>
    console.log(cells.map((cell, index) => (index === 0 ? cell.padEnd(20) : cell.padStart(index === 1 ? 8 : 25))).join(''))
  row(['per 1,000 words', 'words', ...PATTERNS.map(({ name, limit }) => `${name} ≤${limit}`)])
  for (const [folder, { words }] of folders) {
    const cells = tallies.filter((tally) => tally.folder === folder)
    row([folder, String(words), ...cells.map((tally) => `${tally.hits}  ${rateOf(tally).toFixed(2)} ${markOf(tally)}`)])
  }
  console.log('~ above the limit, held by the stored rate   ! fails')
}

function markOf(tally: Tally): string {
  switch (verdictOf(tally, stored)) {
    case 'within limit':
      return ' '
    case 'within stored rate':
      return '~'
    case 'above':
      return '!'
  }
}

function check(): boolean {
  const failing = tallies.filter((tally) => verdictOf(tally, stored) === 'above')
  const banned = [...folders.values()].flatMap(({ hits }) => hits.filter(({ pattern }) => pattern === BANNED_PHRASE))
  const found = failing.flatMap(
    ({ folder, pattern }) => folders.get(folder)?.hits.filter((hit) => hit.pattern === pattern.name) ?? [],
  )
  for (const { path, line, pattern, sentence } of [...found, ...banned]) console.log(`${path}:${line}  ${pattern}  ${sentence}`)
  const passed = failing.length === 0 && banned.length === 0
  if (passed || process.argv.includes('--report')) printTable()
  for (const tally of failing) {
    const before = stored[tally.folder]?.[tally.pattern.name]
    const limits = `limit ${tally.pattern.limit}${before === undefined ? '' : `, stored ${before}`}`
    console.log(
      `${tally.folder}: ${tally.hits} hits of ${tally.pattern.name}, ${rateOf(tally).toFixed(2)} per 1,000 words (${limits})`,
    )
  }
  if (banned.length > 0) console.log(`${banned.length} banned phrases`)
  if (ratcheted.some((tally) => hasFallen(tally, stored))) console.log('Rates fell. Run `node test/prose/check.ts --store`.')
  return passed
}

function store(): boolean {
  const { rates, raised } = nextRates(ratcheted, storedFile)
  for (const tally of raised) {
    const before = stored[tally.folder]?.[tally.pattern.name] ?? tally.pattern.limit
    console.log(
      `${tally.folder}: ${tally.pattern.name} rose from ${before} to ${rateOf(tally)}. Rewrite the sentences; nothing was stored.`,
    )
  }
  if (raised.length === 0) writeFileSync(ratesFile, `${JSON.stringify(rates, null, 2)}\n`)
  return raised.length === 0
}

process.exitCode = (process.argv.includes('--store') ? store() : check()) ? 0 : 1
