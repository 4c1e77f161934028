import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CAMPAIGNS } from './campaigns.ts'

// `npm run campaign [-- NAME...]`: runs each campaign at its full size, one after the other, and prints one line for each. All of them
// take hours. A size variable that is set takes precedence. The output of a campaign is printed if it fails.

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const VITEST = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs')
/** The lines of a failed campaign that are printed. */
const MAX_LINES = 200

const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => CAMPAIGNS.every((campaign) => campaign.name !== name))
if (unknown.length > 0) {
  console.error(`No such campaign: ${unknown.join(', ')}. Choose from: ${CAMPAIGNS.map(({ name }) => name).join(', ')}`)
  process.exit(1)
}

for (const { name, path, size } of CAMPAIGNS) {
  if (wanted.length > 0 && !wanted.includes(name)) continue
  const started = Date.now()
  const given = size && (process.env[size.variable] ?? size.full)
  const env = { ...process.env, ...(size && { [size.variable]: given }) }
  const { code, output } = await run(path.endsWith('.test.ts') ? [VITEST, 'run', path] : [path], env)
  const seconds = Math.round((Date.now() - started) / 1_000)
  if (code !== 0) {
    process.exitCode = 1
    console.log(output.split('\n').slice(-MAX_LINES).join('\n'))
  }
  console.log(
    `${name.padEnd(16)}${(size === undefined ? '' : `${size.variable}=${given}`).padEnd(26)}${code === 0 ? 'passed' : 'failed'}  ${seconds} s`,
  )
}

async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<{ code: number; output: string }> {
  const child = spawn(process.execPath, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const chunks: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code: code ?? 1, output: Buffer.concat(chunks).toString() }
}
