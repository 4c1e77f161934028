import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import { Deadline } from '../../../gateway/model/deadline.ts'
import { IntegrityFailure } from '../../../gateway/model/failures.ts'
import type { PatientId, RecordId, RecordRef, TenantId } from '../../../gateway/model/ids.ts'
import type { ListClosure, ListRequest } from '../../../gateway/model/list.ts'
import type { LoadOptions } from '../../../gateway/store/record-source.ts'
import {
  type UpstreamEntry,
  type UpstreamQuestion,
  type UpstreamRecord,
  upstreamSource,
  type UpstreamSystem,
} from '../../../gateway/store/upstream-source.ts'

const TENANT = 'riverside' as TenantId
const [ONE, OTHER] = ['patient-1', 'patient-2'] as PatientId[] as [PatientId, PatientId]
const TYPE = 'Treatment' as TypeName
const deadline = new Deadline(10_000, { now: () => 0, monotonic: () => 0 })
const counter = () => ({ fields: 0, metadata: 0 })
const ref = (id: string, patient = ONE, type = TYPE): RecordRef => ({ type, patient, id: id as RecordId })
const paths = (...names: string[]) => new Set(names as SchemaPath[])
const record = (id: string, more: Partial<UpstreamRecord> = {}): UpstreamRecord => ({
  id: id as RecordId,
  patient: ONE,
  version: 1,
  values: {},
  labels: [],
  ...more,
})
const entry = (id: string, more: Partial<UpstreamEntry> = {}): UpstreamEntry => ({
  id: id as RecordId,
  version: 1,
  labels: [],
  ...more,
})
/** Answers that no type has checked. */
const NO_LABELS: readonly (readonly [string, unknown])[] = [
  ['no labels', undefined],
  ['null', null],
  ['a text', 'HIV'],
  ['a number in the list', ['HIV', 7]],
]

const OPTIONS: LoadOptions = {
  timing: 'fast',
  deadline,
  listed: new Map(),
  paged: new Set(),
  decision: Promise.resolve({ visible: new Map(), erased: new Set(), manifests: new Map() }),
  counter: counter(),
}

/** A system with these records, which answers every question with all of them, and the questions that it got. */
function systemWith(records: readonly UpstreamRecord[], entries: readonly UpstreamEntry[] = []) {
  const questions: UpstreamQuestion[] = []
  const system: UpstreamSystem = {
    load: (question) => {
      questions.push(question)
      return Promise.resolve(records)
    },
    list: () => Promise.resolve(entries),
  }
  return { questions, source: upstreamSource(system) }
}

const load = async (records: readonly UpstreamRecord[], refs: readonly RecordRef[], asked = paths('Treatment.tooth')) =>
  await systemWith(records).source.load(TENANT, refs, asked, OPTIONS)

describe('records of another system', () => {
  it('are asked for by type, with the names of the granted fields of that type only', async () => {
    const { source, questions } = systemWith([])
    const refs = [ref('t-1'), ref('t-2', OTHER), ref('v-1', ONE, 'Visit' as TypeName)]
    await source.load(TENANT, refs, paths('Treatment.tooth', 'Treatment.place.city', 'Visit.note', 'TreatmentPlan.text'), OPTIONS)
    expect(questions).toEqual([
      { tenant: TENANT, records: refs.slice(0, 2), fields: ['tooth', 'place.city'], signal: deadline.signal },
      { tenant: TENANT, records: refs.slice(2), fields: ['note'], signal: deadline.signal },
    ])
  })

  it('are dropped if they are of another patient, or were not asked for', async () => {
    const answered = [record('t-1', { patient: OTHER }), record('t-9'), record('t-2')]
    const found = await load(answered, [ref('t-1'), ref('t-2')])
    expect(found.map((one) => one.ref)).toEqual([ref('t-2')])
  })

  it('are dropped if they are the answer for another type', async () => {
    const visit = 'Visit' as TypeName
    const { source } = systemWith([record('v-1')])
    const found = await source.load(TENANT, [ref('t-1'), ref('v-1', ONE, visit)], paths(), OPTIONS)
    expect(found.map((one) => one.ref)).toEqual([ref('v-1', ONE, visit)])
  })

  it('have no value that was not asked for', async () => {
    const [found] = await load([record('t-1', { values: { tooth: '16', note: 'anxious' } })], [ref('t-1')])
    const opened = found?.open(counter())
    expect(opened?.value('Treatment.tooth' as SchemaPath)).toBe('16')
    expect(opened?.value('Treatment.note' as SchemaPath)).toBeUndefined()
    expect(opened?.maxBytes('Treatment.note' as SchemaPath)).toBe(0)
  })

  it('have no value for null, for a missing field, and for a name that every object inherits', async () => {
    const asked = paths('Treatment.tooth', 'Treatment.note', 'Treatment.constructor', 'Treatment.toString')
    const [found] = await load([record('t-1', { values: { tooth: null } })], [ref('t-1')], asked)
    const opened = found?.open(counter())
    for (const path of asked) {
      expect(opened?.value(path)).toBeUndefined()
      expect(opened?.maxBytes(path)).toBe(0)
    }
  })

  it('count an opening of metadata for each record, and one of a field for each value', async () => {
    const openings = counter()
    const [found] = await load([record('t-1', { values: { tooth: 'é' } })], [ref('t-1')])
    const opened = found?.open(openings)
    expect(openings).toEqual({ fields: 0, metadata: 1 })
    expect(opened?.maxBytes('Treatment.tooth' as SchemaPath)).toBe(4)
    expect(openings.fields).toBe(0)
    opened?.value('Treatment.tooth' as SchemaPath)
    opened?.value('Treatment.note' as SchemaPath)
    expect(openings).toEqual({ fields: 1, metadata: 1 })
  })

  it('have their labels, by which consents close a record that is read by its id', async () => {
    const [labeled] = await load([record('t-1', { labels: ['HIV'], open: { version: 2 } })], [ref('t-1')])
    expect(labeled?.open(counter()).metadata).toEqual({ open: { version: 2 }, references: {}, labels: ['HIV'] })
  })

  it.each(NO_LABELS)('do not open with %s in place of the list of labels', async (_, labels) => {
    const openings = counter()
    const [found] = await load([record('t-1', { labels: labels as readonly string[], values: { tooth: '16' } })], [ref('t-1')])
    expect(() => found?.open(openings)).toThrow(IntegrityFailure)
    expect(openings).toEqual({ fields: 0, metadata: 0 })
  })

  it('do not open if the system returns two of one id', async () => {
    const found = await load([record('t-1', { labels: ['HIV'] }), record('t-1')], [ref('t-1')])
    expect(found.map((one) => one.ref)).toEqual([ref('t-1')])
    expect(() => found[0]?.open(counter())).toThrow(IntegrityFailure)
  })

  it.each([0, -1, 1.5, Number.NaN])('do not open with the version %d, which is none', async (version) => {
    const [found] = await load([record('t-1', { version })], [ref('t-1')])
    expect(() => found?.open(counter())).toThrow(IntegrityFailure)
  })
})

const OPEN: ListClosure = { closesUnlabeled: false, closedBy: () => undefined }
const CLOSES_LABELED: ListClosure = {
  closesUnlabeled: false,
  closedBy: ({ labels }) => (labels.length > 0 ? 'CONSENT' : undefined),
}
const list = async (entries: readonly UpstreamEntry[], request: Partial<ListRequest> = {}) =>
  await systemWith([], entries).source.list(
    TENANT,
    { patient: ONE, type: TYPE, size: 100, filter: {}, closure: OPEN, ...request },
    counter(),
    deadline,
  )
const ids = ({ items }: Awaited<ReturnType<typeof list>>) => items.map(({ position }) => position.id)

describe('the list of another system', () => {
  it('is sorted newest first, by id for equal dates, and records without a date are last', async () => {
    const entries = [
      entry('none'),
      entry('b', { date: '2026-01-02' }),
      entry('zone', { date: '2026-01-02T01:00:00+02:00' }),
      entry('a', { date: '2026-01-02T00:00:00Z' }),
      entry('year', { date: '2026' }),
      entry('new', { date: '2026-01-03T00:00:00.001Z', version: 7 }),
    ]
    const page = await list(entries)
    expect(ids(page)).toEqual(['new', 'a', 'b', 'zone', 'year', 'none'])
    expect(page.items[0]).toEqual({ position: { date: '2026-01-03T00:00:00.001Z', id: 'new' }, version: 7 })
    expect(page.items[1]?.position.date).toBe('2026-01-02T00:00:00.000Z')
    expect(page.items.at(-1)?.position.date).toBe('')
  })

  it('has pages that give each open record once, for any order of the answer', async () => {
    const dates = fc.option(fc.constantFrom('2025', '2025-03', '2025-03-01', '2025-03-01T10:00:00Z'), { nil: undefined })
    const anyEntries = fc.uniqueArray(fc.record({ id: fc.integer({ min: 0, max: 40 }), date: dates, isLabeled: fc.boolean() }), {
      selector: ({ id }) => id,
      maxLength: 20,
    })
    await fc.assert(
      fc.asyncProperty(anyEntries, fc.integer({ min: 1, max: 5 }), async (made, size) => {
        const entries = made.map(({ id, date, isLabeled }) =>
          entry(`r-${id}`, { ...(date !== undefined && { date }), labels: isLabeled ? ['HIV'] : [] }),
        )
        const whole = await list(entries, { closure: CLOSES_LABELED })
        const seen: string[] = []
        let after: ListRequest['after']
        for (;;) {
          const page = await list(entries.toReversed(), { closure: CLOSES_LABELED, size, ...(after && { after }) })
          seen.push(...ids(page))
          after = page.items.at(-1)?.position
          if (!page.more) break
          expect(page.items.length).toBe(size)
        }
        expect(seen).toEqual(ids(whole))
        expect(seen.length).toBe(entries.filter(({ labels }) => labels.length === 0).length)
      }),
      { numRuns: 100 },
    )
  })

  it('omits closed records, gives full pages, and states more only for open records', async () => {
    const labels = ['HIV']
    const entries = [
      entry('a', { date: '2026-05' }),
      entry('b', { date: '2026-04', labels, version: 3 }),
      entry('c', { date: '2026-03' }),
      entry('d', { date: '2026-02', labels }),
    ]
    const closed = await list(entries, { closure: CLOSES_LABELED, size: 2 })
    expect(ids(closed)).toEqual(['a', 'c'])
    expect(closed.more).toBe(false)
    expect(closed.leftOut).toEqual([
      { id: 'b', version: 3, reason: 'CONSENT' },
      { id: 'd', version: 1, reason: 'CONSENT' },
    ])
    const absent = await list(
      entries.filter((one) => one.labels.length === 0),
      { closure: CLOSES_LABELED, size: 2 },
    )
    expect({ items: closed.items, more: closed.more }).toEqual({ items: absent.items, more: absent.more })
  })

  it('can close records without labels', async () => {
    const closure: ListClosure = { closesUnlabeled: true, closedBy: ({ id }) => (id === 'a' ? 'RELATIONSHIP' : undefined) }
    const page = await list([entry('a'), entry('b')], { closure })
    expect(ids(page)).toEqual(['b'])
    expect(page.leftOut).toEqual([{ id: 'a', version: 1, reason: 'RELATIONSHIP' }])
  })

  it.each([
    ['without a limit', ['year', 'month', 'day', 'time', 'none'], {}],
    ['from a day on', ['year', 'month', 'day', 'time'], { since: '2026-03-15' }],
    ['from the day after', ['year', 'month'], { since: '2026-03-16' }],
    ['from the next month on', ['year'], { since: '2026-04-01' }],
    ['from the next year on', [], { since: '2027-01-01' }],
    ['until the day, exclusive', ['year', 'month'], { until: '2026-03-15' }],
    ['until the year, exclusive', [], { until: '2026-01-01' }],
  ])(
    'is filtered by the whole span of a partial date: %s',
    async (_, expected, { since, until }: { since?: string; until?: string }) => {
      const entries = [
        entry('time', { date: '2026-03-15T12:00:00Z' }),
        entry('day', { date: '2026-03-15' }),
        entry('month', { date: '2026-03' }),
        entry('year', { date: '2026' }),
        entry('none'),
      ]
      const filter = {
        ...(since !== undefined && { since: Date.parse(since) }),
        ...(until !== undefined && { until: Date.parse(until) }),
      }
      expect(ids(await list(entries, { filter })).toSorted()).toEqual(expected.toSorted())
    },
  )

  it('is filtered by code and category, and a record without them does not pass', async () => {
    const entries = [entry('a', { codes: ['x', 'y'], categories: ['lab'] }), entry('b', { codes: ['y'] }), entry('c')]
    expect(ids(await list(entries, { filter: { code: 'y' } }))).toEqual(['a', 'b'])
    expect(ids(await list(entries, { filter: { code: 'y', category: 'lab' } }))).toEqual(['a'])
    expect(ids(await list(entries, { filter: { category: 'constructor' } }))).toEqual([])
  })

  it.each(['', 'March 5', '2026-02-30', '2026-13', '03/05/2026', '2026-03-15T12:00:00', '2026-03-15 12:00Z'])(
    'is an error if a date is none: %j',
    async (date) => {
      await expect(list([entry('a', { date })])).rejects.toThrow(IntegrityFailure)
    },
  )

  it.each(NO_LABELS)('is an error with %s in place of the labels of a record', async (_, labels) => {
    await expect(list([entry('a'), entry('b', { labels: labels as readonly string[] })])).rejects.toThrow(IntegrityFailure)
  })

  it('is an error if it has a record twice, which could be closed and open', async () => {
    const entries = [entry('a', { labels: ['HIV'] }), entry('b'), entry('a')]
    await expect(list(entries, { closure: CLOSES_LABELED })).rejects.toThrow(IntegrityFailure)
  })

  it('is an error if a version is none', async () => {
    await expect(list([entry('a', { version: 0 })])).rejects.toThrow(IntegrityFailure)
  })
})
