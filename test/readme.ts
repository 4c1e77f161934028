import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { NoStack, readStackFile } from '../infra/local/stack-file.ts'
import { documentBlocks, outputFaults } from './documented-commands.ts'

// `node test/readme.ts`: runs the README's own commands against the running stack, or starts one (PORT) and stops it. Each ```bash
// block runs unchanged, all in one shell, in order. Hidden comments after a block state its expected output.

/** Separates the outputs of blocks; no command prints it. */
const MARK = '=== end of block'
const DEADLINE_MS = 120_000

const root = fileURLToPath(new URL('..', import.meta.url))
const blocks = documentBlocks(new URL('../README.md', import.meta.url)).filter(({ language }) => language === 'bash')

function run(graphql: string): string[] {
  if (blocks.length === 0) return ['README.md has no ```bash block']
  // a failing command ends the shell, also within $( ) and in a pipe
  const script = ['set -eo pipefail', 'shopt -s inherit_errexit']
  for (const { text } of blocks)
    script.push(text.replaceAll('http://127.0.0.1:4000/', new URL('/', graphql).href), `echo '${MARK}'`)
  const { stdout, stderr, status, error } = spawnSync('bash', ['-c', script.join('\n')], {
    cwd: root,
    encoding: 'utf8',
    timeout: DEADLINE_MS,
    env: process.env,
  })
  if (error !== undefined) return [`bash: ${error.message}`]
  const outputs = stdout.split(`${MARK}\n`).slice(0, -1)
  const faults = blocks.flatMap((block, index) => outputFaults('README.md', block, outputs[index]))
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
