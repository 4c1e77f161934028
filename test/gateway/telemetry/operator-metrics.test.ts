import { Metrics } from '@aws-lambda-powertools/metrics'
import { describe, expect, it } from 'vitest'
import { METRICS, NAMESPACE, operatorMetrics } from '../../../gateway/telemetry/operator-metrics.ts'
import type { GatewayEvent } from '../../../gateway/telemetry/events.ts'
import type { RequestId, TenantId } from '../../../gateway/model/ids.ts'
import { EVENTS, REQUEST } from './operator-examples.ts'

const AT = 1_700_000_000_000
const tenant = 'riverside' as TenantId
const OTHER = 'AQIDBAUGAYvP5WgABgUEAwIB' as RequestId

type Line = Record<string, unknown> & { readonly _aws: { readonly Timestamp: number; readonly CloudWatchMetrics: unknown[] } }

function published(events: readonly GatewayEvent[]): Line[] {
  const lines: string[] = []
  const sink = operatorMetrics('test', { now: () => AT, print: (line) => void lines.push(line) })
  for (const event of events) sink(event)
  for (const line of lines) expect(line).not.toContain('\n')
  return lines.map((line) => JSON.parse(line) as Line)
}

const values = ({ _aws, stage: _stage, ...rest }: Line): Record<string, unknown> => rest
const ended = (requestId: RequestId, resolved = 0, denied = 0, unavailable = 0): GatewayEvent => ({
  event: 'REQUEST',
  requestId,
  status: 200,
  milliseconds: 5,
  resolved,
  denied,
  unavailable,
  metadata: 7,
  searched: 3,
})
const integrity = (requestId: RequestId): GatewayEvent => ({ event: 'INTEGRITY_FAILURE', requestId, tenant })

describe('metrics of a request', () => {
  it('are one line in the embedded metric format, with the stage as the only dimension', () => {
    const [line, ...more] = published([ended(REQUEST, 30, 10, 2)])
    expect(more).toEqual([])
    const values = ['ResolvedValues', 'DeniedValues', 'UnavailableValues', 'MetadataOpenings', 'SearchOpenings']
    const names = ['Requests', 'Duration', ...values]
    expect(line).toEqual({
      _aws: {
        Timestamp: AT,
        CloudWatchMetrics: [
          {
            Namespace: NAMESPACE,
            Dimensions: [['stage']],
            Metrics: names.map((Name) => ({ Name, Unit: Name === 'Duration' ? 'Milliseconds' : 'Count' })),
          },
        ],
      },
      stage: 'test',
      Requests: 1,
      Duration: 5,
      ResolvedValues: 30,
      DeniedValues: 10,
      UnavailableValues: 2,
      MetadataOpenings: 7,
      SearchOpenings: 3,
    })
  })

  it('count all events of the request in one line, and nothing of a concurrent or earlier request', () => {
    const key: GatewayEvent = { event: 'KEY_UNAVAILABLE', requestId: OTHER, tenant, cause: 'TimeoutError' }
    const lines = published([integrity(REQUEST), key, integrity(REQUEST), ended(REQUEST), ended(OTHER), ended(REQUEST)])
    const none = { ResolvedValues: 0, DeniedValues: 0, UnavailableValues: 0 }
    const plain = { Requests: 1, Duration: 5, ...none, MetadataOpenings: 7, SearchOpenings: 3 }
    expect(lines.map(values)).toEqual([{ ...plain, IntegrityFailures: 2 }, { ...plain, KeyFailures: 1 }, plain])
  })

  it('P8: name no tenant, user, record or path', () => {
    const text = JSON.stringify(published(EVENTS))
    for (const told of ['riverside', REQUEST, 'Observation', 'AAAA', 'DisabledException', 'lane.ts'])
      expect(text).not.toContain(told)
  })

  it('of requests that never end are published before they become many', () => {
    const ids = Array.from({ length: 300 }, (_, index) => String(index).padStart(24, '0') as RequestId)
    expect(published(ids.map(integrity)).map(values)).toEqual(Array.from({ length: 44 }, () => ({ IntegrityFailures: 1 })))
  })
})

describe('metrics without a request', () => {
  it.each([
    ['FENCED', 'LanesFenced'],
    ['UNRESOLVED', 'LanesUnresolved'],
    ['REFUSED', 'LanesRefused'],
  ] as const)('a lane that was %s is published at once', (why, name) => {
    const retired: GatewayEvent = { event: 'AUDIT_LANE_RETIRED', tenant, lane: 'AQIDBAUG.1', sequence: 3, why }
    expect(published([retired]).map(values)).toEqual([{ [name]: 1 }])
  })

  it('a forged item, a refused audit record and a process fault are published at once; a warning has no metric', () => {
    const named = (name: GatewayEvent['event']) => EVENTS.filter(({ event }) => event === name)
    const lines = published(
      (['ACCESS_ITEM_FORGED', 'AUDIT_REFUSED', 'PROCESS_FAULT', 'PROCESS_WARNING'] as const).flatMap((name) => named(name)),
    )
    expect(lines.map(values)).toEqual([{ ForgedAccessItems: 1 }, { AuditRefusals: 1 }, { InternalFaults: 1 }])
  })
})

// the fixed time of these tests is too old for a metric that is published
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

it('the lines have the same bytes as those of Powertools', () => {
  const lines: string[] = []
  const sink = operatorMetrics('test', { now: () => AT, print: (line) => void lines.push(line) })
  for (const event of [...EVENTS, integrity(OTHER), { ...ended(OTHER), milliseconds: 5.25 }]) sink(event)
  expect(lines.length).toBeGreaterThan(5)
  for (const line of lines) {
    const metrics = new Metrics({ namespace: NAMESPACE, serviceName: NAMESPACE, logger: silent })
    metrics.clearDefaultDimensions()
    metrics.setDefaultDimensions({ stage: 'test' })
    metrics.setTimestamp(AT)
    for (const [name, value] of Object.entries(values(JSON.parse(line) as Line)))
      metrics.addMetric(name, METRICS[name as keyof typeof METRICS], value as number)
    expect(line).toBe(JSON.stringify(metrics.serializeMetrics()))
  }
})

it('some event publishes each metric of the list', () => {
  const why = ['FENCED', 'UNRESOLVED', 'REFUSED'] as const
  const retired = why.map((why): GatewayEvent => ({ event: 'AUDIT_LANE_RETIRED', tenant, lane: 'AQIDBAUG.1', sequence: 3, why }))
  const lines = published([...EVENTS.filter(({ event }) => event !== 'REQUEST'), ...retired, ended(REQUEST)])
  expect(new Set(lines.flatMap((line) => Object.keys(values(line))))).toEqual(new Set(Object.keys(METRICS)))
})
