import { describe, expect, it, vi } from 'vitest'
import type { EventSink, GatewayEvent } from '../../../gateway/telemetry/events.ts'
import { operatorEvents } from '../../../gateway/telemetry/operator-events.ts'
import { readableLog } from '../../../gateway/telemetry/readable-log.ts'
import { EVENTS, REQUEST } from './operator-examples.ts'

const SECRET = '999-62-6858'
const AT = new Date(2026, 4, 1, 14, 5, 9).getTime()

function printed(events: readonly GatewayEvent[], open = readable): [line: string, stream: string][] {
  const lines: [string, string][] = []
  const sink = open((line, stream) => void lines.push([line, stream]))
  for (const event of events) sink(event)
  return lines
}
const readable = (print: (line: string, stream: 'stdout' | 'stderr') => void): EventSink => readableLog({ now: () => AT, print })

/** Events that report only that work went on. */
const QUIET = new Set(['AUTH_FAILURES', 'NOTARY_PASS', 'SCRUB_PASS', 'TABLES_PASS', 'DELIVERY_PASS', 'AUDIT_WATCHED'])

describe('the log for a terminal', () => {
  it('prints a request as one line: time, status, duration, counts of values, request id', () => {
    const [request] = EVENTS
    const whole = { ...request, unavailable: 0 } as GatewayEvent
    expect(printed([request, whole])).toEqual([
      [`14:05:09  200   41 ms  30 resolved, 10 denied, 2 unavailable  ${REQUEST}`, 'stdout'],
      [`14:05:09  200   41 ms  30 resolved, 10 denied  ${REQUEST}`, 'stdout'],
    ])
  })

  it.each(EVENTS.map((event) => [event.event, event] as const))('%s: one line, or none while all is well', (name, event) => {
    const lines = printed([event])
    expect(lines).toHaveLength(QUIET.has(name) ? 0 : 1)
    for (const [line] of lines) {
      expect(line).toMatch(/^14:05:09 {2}\S[^\n]*$/)
      expect(line).not.toContain('withheld')
      if (name !== 'REQUEST') expect(line).toContain(`(${name}`)
    }
  })

  it('names warnings and faults as such, and prints faults to stderr', () => {
    const of = (name: string): GatewayEvent[] => EVENTS.filter(({ event }) => event === name)
    const [[warning] = [], [fault, stream] = []] = printed([...of('BREAK_GLASS'), ...of('NOTARY_STOPPED')])
    expect(warning).toContain('  warning: A break-glass grant changed. (BREAK_GLASS requestId=')
    expect(fault).toContain('  CRITICAL: The notary signs nothing more')
    expect(stream).toBe('stderr')
  })

  it.each(
    EVENTS.flatMap((event) =>
      Object.keys(event).flatMap((field) => (field === 'event' ? [] : [[event.event, field, event] as const])),
    ),
  )('P8: %s: a value in %s is withheld', (_name, field, event) => {
    for (const value of [SECRET, [SECRET], { [SECRET]: SECRET }, `García\n${SECRET}`, Number.NaN]) {
      const lines = printed([{ ...event, [field]: value }])
      expect(JSON.stringify(lines)).not.toMatch(/999-62-6858|García|\\n/)
    }
  })
})

describe('the choice of the form by PHI_LOG', () => {
  const formOf = (stage: string, format: string | undefined): string => {
    vi.stubEnv('PHI_LOG', format)
    try {
      const lines = printed([EVENTS[0]], (print) => operatorEvents({ stage, now: () => AT, print }))
      return lines.map(([line]) => (line.startsWith('{') ? 'json' : 'text')).join(' ')
    } finally {
      vi.unstubAllEnvs()
    }
  }

  it('text is for stages without data of patients', () => {
    expect(formOf('local', 'text')).toBe('text')
    expect(formOf('staging', 'text')).toBe('text')
  })

  it('production keeps the events and the metrics of its alarms, with any setting', () => {
    for (const format of ['text', 'json', '', 'none', undefined]) {
      for (const stage of ['prod', 'production', '']) expect(formOf(stage, format)).toBe('json json')
    }
    for (const format of ['json', '', 'TEXT', 'none', undefined]) expect(formOf('local', format)).toBe('json json')
  })
})
