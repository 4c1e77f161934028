import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { NoStack, readStackFile } from '../infra/local/stack-file.ts'

// `node test/readme.ts`: runs the README's own commands against the running stack, or starts one (PORT) and stops it. Each ```bash
// block runs unchanged, all in one shell, in order. Hidden comments after a block state its expected output: `<!-- expect: text
// -->`, `<!-- expect: /pattern/ -->`, `<!-- expect not: ... -->`.

interface Block {
  readonly line: number
  readonly commands: string
  readonly expected: readonly { readonly what: string; readonly not: boolean }[]
}

const FENCE = /^```bash\n(.*?)^```\n((?:<!--.*?-->\n)*)/gms
const EXPECTATION = /<!-- expect( not)?: (.+?) -->/g
/** Separates the outputs of blocks; no command prints it. */
const MARK = '=== end of block'
const DEADLINE_MS = 120_000

const root = fileURLToPath(new URL('..', import.meta.url))
const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
const blocks = [...readme.matchAll(FENCE)].map(
  ({ index, 1: commands = '', 2: comments = '' }): Block => ({
    line: readme.slice(0, index).split('\n').length + 1,
    commands,
    expected: [...comments.matchAll(EXPECTATION)].map(([, not, what = '']) => ({ what, not: not !== undefined })),
  }),
)

/** The faults in the output of a block; empty if the output matches the README. */
function faultsOf({ line, expected }: Block, output: string | undefined): string[] {
  if (output === undefined) return [`README.md:${line}: a command failed, or one before it did`]
  return expected.flatMap(({ what, not }) => {
    const pattern = /^\/(.*)\/$/s.exec(what)?.[1]
    const found = pattern === undefined ? output.includes(what) : new RegExp(pattern).test(output)
    return found === not ? [`README.md:${line}: ${not ? 'printed what it must not' : 'did not print'}: ${what}\n${output}`] : []
  })
}

function run(graphql: string): string[] {
  if (blocks.length === 0) return ['README.md has no ```bash block']
  // a failing command ends the shell, also within $( ) and in a pipe
  const script = ['set -eo pipefail', 'shopt -s inherit_errexit']
  for (const { commands } of blocks)
    script.push(commands.replaceAll('http://127.0.0.1:4000/', new URL('/', graphql).href), `echo '${MARK}'`)
  const { stdout, stderr, status, error } = spawnSync('bash', ['-c', script.join('\n')], {
    cwd: root,
    encoding: 'utf8',
    timeout: DEADLINE_MS,
    env: process.env,
  })
  if (error !== undefined) return [`bash: ${error.message}`]
  const outputs = stdout.split(`${MARK}\n`).slice(0, -1)
  const faults = blocks.flatMap((block, index) => faultsOf(block, outputs[index]))
  return status === 0 ? faults : [...faults, `bash ended with ${String(status)}\n${stderr}`]
}

const addressOf = (): string | undefined => {
  try {
    return readStackFile().graphql
  } catch (failure) {
    if (failure instanceof NoStack) return undefined
    throw failure
  }
}

/** Runs the work against the stack of `npm start`. */
async function withStack(work: (graphql: string) => string[]): Promise<string[]> {
  const running = addressOf()
  if (running !== undefined) return work(running)
  const stack = spawn(process.execPath, ['infra/local/start.ts'], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(stack, 'exit')
  stack.stdout.setEncoding('utf8')
  // read to the end, because a full pipe would block the stack
  const ready = new Promise<true>((resolve) => {
    let output = ''
    stack.stdout.on('data', (text: string) => {
      output += text
      if (/^Ready in /m.test(output)) resolve(true)
    })
  })
  const started = await Promise.race([ready, exited.then(() => false)])
  try {
    const graphql = addressOf()
    return started && graphql !== undefined ? work(graphql) : ['the stack did not start']
  } finally {
    stack.kill('SIGTERM')
    await exited
  }
}

const faults = await withStack(run)
for (const fault of faults) console.error(fault)
if (faults.length === 0) console.log(`README.md: ${blocks.length} blocks ran as written.`)
process.exitCode = faults.length === 0 ? 0 : 1
