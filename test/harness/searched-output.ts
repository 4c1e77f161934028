import { afterAll } from 'vitest'
import { format } from 'node:util'
import { findMarkers } from './canary-markers.ts'

// Runs before each test file. The output of the file's process must not contain values of the canary patient (P8).

const printed: string[] = []

for (const stream of [process.stdout, process.stderr]) {
  const write = stream.write.bind(stream) as (...given: unknown[]) => boolean
  stream.write = (...given: unknown[]): boolean => {
    const [chunk] = given
    printed.push(typeof chunk === 'string' ? chunk : Buffer.from(chunk as Uint8Array).toString('latin1'))
    return write(...given)
  }
}
for (const method of ['debug', 'dir', 'error', 'info', 'log', 'table', 'trace', 'warn'] as const) {
  const print = console[method].bind(console) as (...given: unknown[]) => void
  console[method] = (...given: unknown[]): void => {
    printed.push(format(...given))
    print(...given)
  }
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
