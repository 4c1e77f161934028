import { afterAll } from 'vitest'
import { format } from 'node:util'
import { findMarkers } from './canary-markers.ts'

// Runs before each test file. The output of the file's process must not contain values of the canary patient (P8).

type Print = (...given: unknown[]) => unknown

/** The output of the process since the start of the file, and the functions that record it. */
interface Output {
  readonly printed: string[]
  readonly recording: WeakSet<Print>
}

/** Files that share a process share its output. A further function around each file's would format every line once more. */
const OUTPUT = Symbol.for('phi-gateway: output of the test process')
const shared = globalThis as unknown as { [OUTPUT]: Output | undefined }
const { printed, recording } = (shared[OUTPUT] ??= { printed: [], recording: new WeakSet() })
printed.length = 0

function recorded(print: Print, of: object, text: (given: readonly unknown[]) => string): Print {
  if (recording.has(print)) return print
  const record: Print = (...given) => {
    printed.push(text(given))
    return print.apply(of, given)
  }
  recording.add(record)
  return record
}

for (const stream of [process.stdout, process.stderr]) {
  stream.write = recorded(Reflect.get(stream, 'write') as Print, stream, ([chunk]) =>
    typeof chunk === 'string' ? chunk : Buffer.from(chunk as Uint8Array).toString('latin1'),
  ) as typeof stream.write
}
for (const method of ['debug', 'dir', 'error', 'info', 'log', 'table', 'trace', 'warn'] as const) {
  console[method] = recorded(Reflect.get(console, method) as Print, console, (given) => format(...given))
}

afterAll(async () => {
  const place = { name: 'what the process printed', bytes: Buffer.from(printed.join('\n'), 'utf8') }
  if (findMarkers([place], new Map()).length === 0) return
  // the schema is compiled only after a hit
  const { clinicMarkers } = await import('./canary-patient.ts')
  const found = findMarkers([place], clinicMarkers().byPath)
  // not the text itself, because the report of a failure is printed as well
  throw new Error(`P8: values of the canary patient were printed\n${found.join('\n')}`)
})
