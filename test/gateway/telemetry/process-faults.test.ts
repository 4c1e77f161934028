import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { orLastResort } from '../../../functions/last-resort.ts'
import type { GatewayEvent } from '../../../gateway/telemetry/events.ts'

const SECRET = 'Garcia 999-62-6858'

/** Runs a line of code in its own process, with the setup of the function. Returns the output and the exit status. */
function run(code: string): { printed: string; status: number | null } {
  const url = (file: string): string => JSON.stringify(new URL(`../../../gateway/telemetry/${file}`, import.meta.url).href)
  const program = `
    import { operatorEvents } from ${url('operator-events.ts')}
    import { reportProcessFaults } from ${url('process-faults.ts')}
    // Lambda's runtime has listeners of its own before the function is loaded, which print all of it
    for (const name of ['uncaughtException', 'unhandledRejection']) process.on(name, (error) => console.error(name, error))
    reportProcessFaults(process, operatorEvents({ stage: 'test', now: Date.now }))
    const secret = ${JSON.stringify(SECRET)}
    ${code}
  `
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] },
  })
  return { printed: stdout + stderr, status }
}

describe('P8: an uncaught fault is reported by name and place', () => {
  it.each([
    ['an exception', 'setTimeout(() => { throw new RangeError(secret) })', 'EXCEPTION', 'RangeError'],
    ['a rejection', 'Promise.reject(new RangeError(secret)); setTimeout(() => undefined, 2000)', 'REJECTION', 'RangeError'],
    ['a rejection with a text', 'Promise.reject(secret); setTimeout(() => undefined, 2000)', 'REJECTION', 'string'],
    [
      'an error with a name of its own',
      'setTimeout(() => { throw Object.assign(new Error(), { name: secret }) })',
      'EXCEPTION',
      'Error',
    ],
  ])('%s ends the process, without its message', (_what, code, why, cause) => {
    const { printed, status } = run(code)
    expect(status).toBe(1)
    const lines = printed
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(lines).toMatchObject([{ message: 'PROCESS_FAULT', why, cause }, { InternalFaults: 1 }])
    expect(printed).not.toContain('999-62')
  })

  it('a warning is logged without its text, and the process continues', () => {
    const { printed, status } = run(`process.emitWarning(secret, 'Caution' + 'Warning'); process.emitWarning(new Error(secret))`)
    expect(status).toBe(0)
    const lines = printed
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(lines).toMatchObject([
      { message: 'PROCESS_WARNING', cause: 'CautionWarning' },
      { message: 'PROCESS_WARNING', cause: 'Error' },
    ])
    expect(printed).not.toContain('999-62')
  })

  it('an error of the handler becomes an answer with a fixed text, and an event', async () => {
    const events: GatewayEvent[] = []
    const answer = await orLastResort(() => Promise.reject(new RangeError(SECRET)), undefined, {
      events: (event) => void events.push(event),
      cors: undefined,
    })
    expect(answer).toMatchObject({ statusCode: 500, headers: { 'cache-control': 'no-store' } })
    expect(events).toMatchObject([{ event: 'PROCESS_FAULT', why: 'HANDLER', cause: 'RangeError' }])
    expect(JSON.stringify([answer, events])).not.toContain('999-62')
    const good = { statusCode: 204 }
    expect(await orLastResort(() => Promise.resolve(good), undefined, { events: () => undefined, cors: undefined })).toBe(good)
  })
})
