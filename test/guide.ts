import { randomInt } from 'node:crypto'
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, relative, resolve } from 'node:path'
import { freePort, requirePorts } from '../infra/local/ports.ts'
import { type DocumentBlock, documentBlocks, outputFaults } from './documented-commands.ts'
import { GuideServer, GuideShell } from './guide-shell.ts'

// `node test/guide.ts TARBALL` goes through docs/your-own-schema.md as a new user does, with the package of `npm pack`. It runs alone. In
// one empty folder it writes each file of the guide and runs each ```bash block, in order.
//
// - A line `file`: before a block is the name of a file. The block replaces it, or with "Append to `file`:" is its new end.
// - A block that begins with `npx phi dev` or with a server in `local/` runs beside the others, until a later block starts the same
//   server. Its first expected output shows that it is ready.
// - Other blocks without a file, such as ```text, are for the reader.

const NAME = 'docs/your-own-schema.md'
const FILE = /^(Append to )?`([\w./-]+)`:$/
const SERVER = /^(?:npx phi dev|node local\/[\w-]+-server\.ts)/
const API = 'http://127.0.0.1:4000'

const [tarball] = process.argv.slice(2)
if (tarball === undefined) throw new Error('Name the package: node test/guide.ts TARBALL')

const work = mkdtempSync(join(tmpdir(), 'phi-guide-'))
const folder = join(work, 'practice')
mkdirSync(folder)
const port = await stackPort()
const options = {
  folder,
  scripts: work,
  env: {
    // the settings of npm and of certificates on this machine, and no setting of a deployment
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(?:PHI_|AWS_|NODE_OPTIONS$)/.test(name))),
    PATH: [dirname(process.execPath), process.env['PATH']].join(delimiter),
    PORT: String(port),
    BILLING_URL: `http://127.0.0.1:${await freePort()}`,
    SLS_TELEMETRY_DISABLED: '1',
    npm_config_audit: 'false',
    npm_config_fund: 'false',
    npm_config_update_notifier: 'false',
    npm_config_prefer_offline: 'true',
    NODE_COMPILE_CACHE: join(work, 'compiled'),
  },
}
const shell = new GuideShell(options)
/** By command, without its options. */
const servers = new Map<string, GuideServer>()

/** A free port whose next port is free too, below the ports that systems give to connections. */
async function stackPort(): Promise<number> {
  const port = 20_000 + randomInt(10_000)
  try {
    await requirePorts(port, port + 1)
    return port
  } catch {
    return await stackPort()
  }
}

const onPorts = (text: string): string =>
  text.replaceAll(API, `http://127.0.0.1:${port}`).replace('npm install phi-gateway', `npm install '${resolve(tarball)}'`)

function writeFile({ before, text, line }: DocumentBlock): string[] {
  const [, append, name = ''] = FILE.exec(before) ?? []
  const file = resolve(folder, name)
  if (relative(folder, file).startsWith('..')) return [`${NAME}:${line}: ${name} is outside of the project`]
  mkdirSync(dirname(file), { recursive: true })
  if (append === undefined) writeFileSync(file, text)
  else appendFileSync(file, text)
  return []
}

async function serve(block: DocumentBlock, [command]: RegExpExecArray): Promise<string[]> {
  await servers.get(command)?.stop()
  const server = new GuideServer(block.text.trim(), options)
  servers.set(command, server)
  const { output, ok } = await server.ready(onPorts(block.expected[0]?.what ?? ''))
  const expected = block.expected.map(({ what, not }) => ({ what: onPorts(what), not }))
  return ok ? outputFaults(NAME, { ...block, expected }, output) : [`${NAME}:${block.line}: the server did not start\n${output}`]
}

async function runBlock(block: DocumentBlock): Promise<string[]> {
  if (FILE.test(block.before)) return writeFile(block)
  if (block.language !== 'bash') return []
  const server = SERVER.exec(block.text)
  if (server !== null) return await serve(block, server)
  const { output, ok } = await shell.run(onPorts(block.text), block.exit)
  return ok ? outputFaults(NAME, block, output) : [...outputFaults(NAME, block, undefined), output]
}

const isVerbose = process.argv.includes('--verbose')
const blocks = documentBlocks(new URL(`../${NAME}`, import.meta.url))
let faults: string[] = []
try {
  for (const block of blocks) {
    const from = performance.now()
    faults = await runBlock(block)
    const seconds = (performance.now() - from) / 1000
    if (isVerbose || seconds > 5) console.log(`${NAME}:${block.line}: ${seconds.toFixed(1)} s`)
    // a later step needs the earlier ones
    if (faults.length > 0) break
  }
} finally {
  for (const server of servers.values()) await server.stop()
  await shell.stop()
  rmSync(work, { recursive: true, force: true })
}
for (const fault of faults) console.error(fault)
if (blocks.length === 0) faults.push(`${NAME} has no blocks`)
if (faults.length === 0) console.log(`${NAME}: ${blocks.length} blocks ran as written.`)
process.exitCode = faults.length === 0 ? 0 : 1
