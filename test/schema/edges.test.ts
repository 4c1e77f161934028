import { getNamedType, isObjectType, type GraphQLResolveInfo } from 'graphql'
import { describe, expect, it, vi } from 'vitest'
import { compilePolicy } from '../../directives/compile.ts'
import type { GatewayContext } from '../../gateway/mutations/gateway-context.ts'
import { ChangedRecord } from '../../gateway/mutations/changed-record.ts'
import { joinedResolvers, recordResolvers } from '../../gateway/mutations/record-resolvers.ts'
import { HistoryEntry } from '../../gateway/disclosure/history-entry.ts'
import { historyResolvers } from '../../gateway/disclosure/history-resolvers.ts'
import { RecordView } from '../../gateway/disclosure/record-view.ts'
import { clinicResolvers } from '../../resolvers/clinic.ts'
import { clinicTypeDefs } from '../../schema/clinic.ts'
import type { TypeName } from '../../directives/coordinates.ts'
import type { PatientId, RecordId, RecordRef } from '../../gateway/model/ids.ts'

const { schema, policy } = compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' })
const resolvers = joinedResolvers(joinedResolvers(clinicResolvers, recordResolvers(policy)), historyResolvers(policy))
const edges = [...policy.classes]
  .filter(([, kind]) => kind === 'EDGE')
  .map(([coordinate]) => coordinate.split('.') as [string, string])
const histories = edges.filter(([type, field]) => field === 'history' || type === 'HistoryEntry')
const toMany = edges.filter((edge) => !histories.includes(edge) && target(...edge).endsWith('Connection'))
const payloads = edges.filter(([type]) => type.endsWith('Payload'))
const toOne = edges.filter((edge) => ![...toMany, ...payloads, ...histories].includes(edge))

function target(type: string, field: string): string {
  const found = schema.getType(type)
  const output = isObjectType(found) ? found.getFields()[field]?.type : undefined
  if (output === undefined) throw new Error('the schema lacks a field that the table names')
  return getNamedType(output).name
}

const patient = 'p'.repeat(22) as PatientId
const visit = 'v'.repeat(22) as RecordId
const record = (type: string, references: Record<string, RecordId> = {}) =>
  new RecordView({
    ref: { type: type as TypeName, patient, id: 'r'.repeat(22) as RecordId },
    version: 1,
    erased: false,
    listed: false,
    metadata: { open: {}, references },
    facts: { relationships: new Set(), consent: { rules: new Map(), given: [] } },
    outcomes: new Map(),
  })

/** Resolves one edge. Returns the arguments that the scope received, and the scope's answer unchanged. */
async function resolve(type: string, field: string, source: unknown) {
  const follow = vi.fn((_ref: RecordRef) => Promise.resolve('followed'))
  const ofPatient = vi.fn((_patient: RecordView, _type: TypeName, _args: object) => Promise.resolve('listed'))
  const of = vi.fn((_record: RecordView, _args: object) => Promise.resolve('versions'))
  // the edges of the clinic use only these methods of it
  const context = { scope: { follow, connections: { ofPatient }, history: { of } } } as unknown as GatewayContext
  const answer: unknown = await resolvers[type]?.[field]?.(source, { first: 3 }, context, {} as GraphQLResolveInfo)
  return { answer, follow, ofPatient }
}

describe('the edges of the clinic', () => {
  it('every root and edge of the schema has a resolver, and no other field has one', () => {
    const given = Object.entries(resolvers).flatMap(([type, fields]) => Object.keys(fields).map((field) => `${type}.${field}`))
    const wanted = [...policy.classes].filter(([, kind]) => kind === 'EDGE' || kind === 'ROOT').map(([coordinate]) => coordinate)
    expect(given.toSorted()).toEqual(wanted.toSorted())
    expect([toMany.length, toOne.length, payloads.length, histories.length]).toEqual([11, 16, 11, 13])
  })

  it.each(toMany)('%s.%s lists records of the type of its connection', async (type, field) => {
    const owner = record(type)
    const { answer, ofPatient } = await resolve(type, field, owner)
    expect(answer).toBe('listed')
    expect(ofPatient.mock.calls[0]?.slice(0, 3)).toEqual([owner, target(type, field).replace(/Connection$/, ''), { first: 3 }])
  })

  it.each(toOne)('%s.%s resolves to a record of the same patient', async (type, field) => {
    const { answer, follow } = await resolve(type, field, record(type, { encounter: visit }))
    const to = target(type, field)
    expect(answer).toBe('followed')
    expect(follow.mock.calls[0]?.[0]).toEqual({ type: to, patient, id: to === 'Patient' ? patient : visit })
  })

  it.each(payloads)('%s.%s leads to the record that the mutation changed', async (type, field) => {
    const { ref } = record(target(type, field))
    const { answer, follow } = await resolve(type, field, new ChangedRecord(ref, 2))
    expect(answer).toBe('followed')
    expect(follow.mock.calls[0]?.[0]).toEqual(ref)
  })

  it.each(histories.filter(([type]) => type !== 'HistoryEntry'))('%s.%s gives the versions of the record', async (type, field) => {
    expect((await resolve(type, field, record(type))).answer).toBe('versions')
  })

  it('HistoryEntry.record gives the record of the entry', async () => {
    const own = record('Observation')
    const entry = { version: 1, at: '2026-01-01T00:00:00.000Z', userId: null, action: 'CREATE', changedPaths: [] } as const
    expect((await resolve('HistoryEntry', 'record', new HistoryEntry(entry, 'key', own))).answer).toBe(own)
  })

  it.each(toOne.filter(([, field]) => field === 'encounter'))(
    'P5: %s.%s is null without a reference, and costs as much as with one',
    async (type, field) => {
      const { answer, follow } = await resolve(type, field, record(type, { elsewhere: visit }))
      expect(answer).toBeNull()
      const decoys = [record(type), record(type, { elsewhere: visit })].map(async (one) => (await resolve(type, field, one)).follow)
      for (const followed of [follow, ...(await Promise.all(decoys))]) {
        expect(followed.mock.calls).toHaveLength(1)
        const { id, ...to } = followed.mock.calls[0]?.[0] ?? { id: '' }
        expect(to).toEqual({ type: target(type, field), patient })
        // a page with the record again reads nothing more, and the id is that of no record
        expect(id).toBe(follow.mock.calls[0]?.[0].id)
        expect(id).not.toBe(visit)
        expect(id).toHaveLength(visit.length)
      }
    },
  )

  it.each(edges)('%s.%s discloses nothing of an object that no record loader made', async (type, field) => {
    const { answer, follow, ofPatient } = await resolve(type, field, {
      ref: { patient, type: 'Observation', id: visit },
      version: 1,
    })
    expect(answer).toBeNull()
    expect(follow).not.toHaveBeenCalled()
    expect(ofPatient).not.toHaveBeenCalled()
  })
})
