import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { laneOf, type LaneSample, sealedLog } from '../gateway/audit/sealed-log.ts'

// `node test/bench/audit-verify.ts [records]` measures `phi audit verify` over an export of 1,000,000 field records: records a second,
// and the memory of the process with its workers.

const RECORDS = Number(process.argv[2] ?? 1_000_000)
const RECORDS_OF_ITEM = 8
const ROUNDS = 96
const LANES = 3

const folder = mkdtempSync(join(tmpdir(), 'phi-verify-'))
try {
  const items = Math.ceil(RECORDS / RECORDS_OF_ITEM / LANES)
  const lanes = Array.from(
    { length: LANES },
    (_, lane): LaneSample => laneOf(`kakjK50G.${lane + 1}`, items, RECORDS_OF_ITEM, undefined, 20),
  )
  const log = sealedLog(lanes, ROUNDS)
  let bytes = 0
  for (const [name, content] of log.files) {
    const file = join(folder, 'export', name)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, content)
    bytes += content.length
  }
  writeFileSync(join(folder, 'policy'), log.keys.policy)
  console.log(
    `${(items * LANES).toLocaleString('en-US')} items, ${Math.round(bytes / 2 ** 20)} MiB, ${availableParallelism()} processors`,
  )
  for (let run = 1; run <= 3; run++) console.log(await measure())
} finally {
  rmSync(folder, { recursive: true })
}

async function measure(): Promise<string> {
  const phi = new URL('../../cli/phi.ts', import.meta.url).pathname
  const started = performance.now()
  const child = spawn(process.execPath, [phi, 'audit', 'verify', join(folder, 'export'), '--policy', join(folder, 'policy')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  let used = { peak: 0, seconds: 0 }
  const watch = setInterval(() => (used = usageOf(child.pid) ?? used), 20)
  const code = await new Promise((resolve) => child.once('close', resolve))
  clearInterval(watch)
  const seconds = (performance.now() - started) / 1_000
  const rate = Math.round(RECORDS / seconds).toLocaleString('en-US')
  return `${output.split('\n', 1)[0] ?? ''}; exit ${String(code)}, ${seconds.toFixed(1)} s, ${rate} records a second, ${used.peak} MB at most, ${used.seconds.toFixed(1)} s of processor time`
}

/** The peak of the resident memory so far, in MB, and the processor time of all threads. */
function usageOf(pid: number | undefined): { peak: number; seconds: number } | undefined {
  try {
    const [, kilobytes] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid ?? 0}/status`, 'utf8')) ?? []
    const times =
      readFileSync(`/proc/${pid ?? 0}/stat`, 'utf8')
        .split(') ')[1]
        ?.split(' ') ?? []
    if (kilobytes === undefined) return undefined
    // ticks of 10 ms
    return { peak: Math.round((Number(kilobytes) * 1_024) / 1_000_000), seconds: (Number(times[11]) + Number(times[12])) / 100 }
  } catch {
    return undefined
  }
}
