import { describe, expect, it, vi } from 'vitest'
import { operatorEvents } from '../../../gateway/telemetry/operator-events.ts'
import { operatorLog } from '../../../gateway/telemetry/operator-log.ts'
import type { EventSink, GatewayEvent } from '../../../gateway/telemetry/events.ts'
import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import type { PatientId, RecordId, RecordRef, TenantId } from '../../../gateway/model/ids.ts'
import { BARE_EVENTS, EVENTS, REQUEST } from './operator-examples.ts'

const SECRET = '999-62-6858'

/** The lines for some events, as JSON. */
function printed(events: readonly GatewayEvent[]): Record<string, unknown>[] {
  const lines: string[] = []
  const sink = operatorLog('test', (line) => void lines.push(line))
  for (const event of events) sink(event)
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
}

/** An event with foreign text in a valid shape, which a hostile library, a cast or a forged token could cause. */
const poisoned = (event: GatewayEvent, field: string, value: unknown): GatewayEvent => ({ ...event, [field]: value })

describe('P8: the log prints events and nothing else', () => {
  it.each(EVENTS.map((event) => [event.event, event] as const))('%s: one line with its own fields', (name, event) => {
    const [line = {}, ...more] = printed([event])
    expect(more).toEqual([])
    expect(line['message']).toBe(name)
    expect(Object.keys(line).toSorted()).toEqual(
      ['level', 'message', 'service', 'stage', 'timestamp', ...Object.keys(event).filter((key) => key !== 'event')].toSorted(),
    )
    expect(JSON.stringify(line)).not.toContain('withheld')
  })

  it('accepts no free object, message, further property or other name: such code does not compile', () => {
    const sink: EventSink = () => undefined
    const requestId = REQUEST
    // @ts-expect-error a message is no event
    sink('patient 12 was read')
    // @ts-expect-error an object of any other shape is no event
    sink({ ssn: SECRET })
    // @ts-expect-error an error is no event
    sink(new Error(SECRET))
    // @ts-expect-error a property that the event does not have
    sink({ event: 'PROCESS_WARNING', cause: 'Warning', message: SECRET })
    // @ts-expect-error an unknown name is no event
    sink({ event: 'DEBUG', requestId })
    // @ts-expect-error a plain text is no tenant
    sink({ event: 'ACCESS_ITEM_FORGED', tenant: 'riverside', patient: 'x' })
    // @ts-expect-error a plain text is no path
    sink({ event: 'INTEGRITY_FAILURE', requestId, tenant: 'riverside' as TenantId, path: SECRET })
    expect(printed([])).toEqual([])
  })

  it('omits a property that a cast added to an event', () => {
    const [line] = printed([poisoned(EVENTS[0], 'query', SECRET)])
    expect(JSON.stringify(line)).not.toContain(SECRET)
    expect(line).not.toHaveProperty('query')
  })

  it.each(
    EVENTS.flatMap((event) =>
      Object.keys(event).flatMap((field) => (field === 'event' ? [] : [[event.event, field, event] as const])),
    ),
  )('%s: a value in %s is withheld', (_name, field, event) => {
    for (const value of [SECRET, [SECRET], { [SECRET]: SECRET }, `García\n${SECRET}`, Number.NaN]) {
      const text = JSON.stringify(printed([poisoned(event, field, value)]))
      expect(text).not.toContain(SECRET)
      expect(text).not.toContain('García')
    }
  })

  it('prints patients and records as digests, equal each time, that cannot be resolved', () => {
    const patient = 'AAAAAAAAAAAAAAAAAAAAAA' as PatientId
    const record: RecordRef = { type: 'Observation' as TypeName, patient, id: 'BBBBBBBBBBBBBBBBBBBBBB' as RecordId }
    const tenant = 'riverside' as TenantId
    const events: GatewayEvent[] = [
      { event: 'INTEGRITY_FAILURE', requestId: REQUEST, tenant, record, path: 'Observation.code' as SchemaPath },
      { event: 'ACCESS_ITEM_FORGED', tenant, patient, what: 'ALTERED' },
    ]
    const lines = printed(events)
    expect(lines).toEqual(printed(events).map((line, index) => ({ ...line, timestamp: lines[index]?.['timestamp'] })))
    expect(lines[0]?.['record']).toMatch(/^Observation [\w-]{16}$/)
    // printf %s "$PATIENT" | openssl dgst -sha256 -binary | head -c 12 | basenc --base64url
    expect(lines[1]?.['patient']).toBe('ilvbTMFRZBJsbvJm')
    expect(JSON.stringify(lines)).not.toMatch(/A{22}|B{22}/)
  })

  it('prints errors to stderr and the rest to stdout, one line each', () => {
    const streams: [string, string][] = []
    const sink = operatorLog(
      'test',
      (line, stream) => void streams.push([(JSON.parse(line) as { message: string }).message, stream]),
    )
    for (const event of EVENTS) sink(event)
    const out = streams.filter(([, stream]) => stream === 'stdout').map(([message]) => message)
    expect(new Set(out)).toEqual(
      new Set([
        'REQUEST',
        'BREAK_GLASS',
        'BUDGET_EXCEEDED',
        'UNREGISTERED_OPERATION',
        'AUTH_FAILURES',
        'PROCESS_WARNING',
        'NOTARY_PASS',
        'SCRUB_PASS',
        'TABLES_PASS',
        'DELIVERY_PASS',
        'ACCESS_REVIEW_OVERDUE',
        'ERASURE_UNFINISHED',
        'KEY_ROTATION_DUE',
        'AUDIT_WATCHED',
      ]),
    )
  })
})

describe('P8: the environment cannot make the log print more or less', () => {
  const switches: readonly Readonly<Record<string, string>>[] = [
    { POWERTOOLS_DEV: 'true' },
    { POWERTOOLS_LOG_LEVEL: 'TRACE', LOG_LEVEL: 'TRACE' },
    { POWERTOOLS_LOG_LEVEL: 'SILENT', LOG_LEVEL: 'SILENT' },
    { POWERTOOLS_LOGGER_LOG_EVENT: 'true' },
    { POWERTOOLS_LOGGER_SAMPLE_RATE: '1' },
    { POWERTOOLS_SERVICE_NAME: SECRET, ENVIRONMENT: SECRET, AWS_REGION: SECRET },
    { _X_AMZN_TRACE_ID: `Root=${SECRET};Parent=x;Sampled=1` },
    { POWERTOOLS_METRICS_DISABLED: 'true', POWERTOOLS_METRICS_NAMESPACE: SECRET, POWERTOOLS_METRICS_FUNCTION_NAME: SECRET },
    { AWS_LAMBDA_LOG_LEVEL: 'DEBUG' },
    { PHI_LOG: 'SILENT' },
    { POWERTOOLS_TRACE_ENABLED: 'true', POWERTOOLS_DEBUG: 'true', NODE_DEBUG: '*' },
  ]

  const allLines = (): { lines: string[]; besides: number } => {
    const lines: string[] = []
    const writes = [vi.spyOn(process.stdout, 'write'), vi.spyOn(process.stderr, 'write')]
    const prints = (['log', 'info', 'warn', 'error', 'debug'] as const).map((method) => vi.spyOn(console, method))
    try {
      const sink = operatorEvents({ stage: 'test', now: () => 1_700_000_000_000, print: (line) => void lines.push(line) })
      for (const event of BARE_EVENTS) sink(event)
      const besides = [...writes, ...prints].reduce((sum, spy) => sum + spy.mock.calls.length, 0)
      return { lines: lines.map((line) => line.replace(/"timestamp":"[^"]+"/, '"timestamp":""')), besides }
    } finally {
      for (const spy of [...writes, ...prints]) spy.mockRestore()
    }
  }

  it.each(switches.map((env) => [Object.keys(env).join(' '), env] as const))('%s', (_names, env) => {
    const plain = allLines()
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
    try {
      expect(allLines()).toEqual(plain)
    } finally {
      vi.unstubAllEnvs()
    }
    expect(plain.besides).toBe(0)
    expect(plain.lines.length).toBeGreaterThan(BARE_EVENTS.length)
    for (const line of plain.lines) expect(line).not.toContain('\n')
  })
})
