import { describe, expect, it } from 'vitest'
import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import type { AuditContext, TimedAccess } from '../../../gateway/audit/entry.ts'
import type { DraftParts, ItemDraft, Placement } from '../../../gateway/audit/item-draft.ts'
import { ItemPacker } from '../../../gateway/audit/item-packer.ts'
import { toItem } from '../../../gateway/audit/item.ts'
import { fitting } from '../../../gateway/audit/submission.ts'
import { itemText, recordsOf } from '../../../gateway/audit/verify/item-text.ts'
import { itemBytes, unitsOf, type WireItem } from '../../../bench/store/item-size.ts'
import { access, context } from './examples.ts'
import { upTo } from './lane-bench.ts'

const KIB = 1_024
const OBSERVATION = 'Observation' as TypeName
const ID = (number: number): string => String(number).padStart(22, 'x')
/** The context of a hospital's request, with long values. */
const LONG: Partial<AuditContext> = {
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  user: 'oidc|9b2d6f0e-3c5a-4f64-8d2b-7a1e5c9f0b42',
  organization: 'riverside-general-cardiology',
  client: 'riverside-patient-portal-ios',
  session: '5f0c1f6a-1c1e-4b57-9d0e-2f4f7f3a8d11',
  authTime: Date.parse('2026-03-01T08:00:00Z') as never,
  mfa: true,
  sourceIp: '2001:0db8:85a3:0000:0000:8a2e:0370:7334',
  userAgent: 'Mozilla/5.0',
  operation: 'PatientChart',
  operationHash: 'c3'.repeat(32),
}

/** The items of one request, in the order of sending. */
function packed(
  records: readonly (TimedAccess | [TimedAccess, Placement])[],
  { about = context(), leftOut = 'NEVER' }: { about?: AuditContext; leftOut?: DraftParts['leftOut'] } = {},
): ItemDraft[] {
  const packer = new ItemPacker(about, leftOut)
  const full = records.flatMap((record) => (Array.isArray(record) ? packer.add(...record) : packer.add(record)) ?? [])
  return [...full, ...packer.rest()]
}

const records = (draft: ItemDraft): ReturnType<typeof recordsOf> => recordsOf(draft.encode({}).text)

/** The item in its stored form. */
function wire(draft: ItemDraft): WireItem {
  const item = toItem({
    tenant: draft.context.tenant,
    lane: 'kakjK50G.1',
    sequence: 12,
    time: draft.time,
    user: draft.context.user,
    patient: draft.patient,
    ...draft.encode({ userAgent: 'x'.repeat(11) }),
    prev: '00'.repeat(32),
    hash: 'ab'.repeat(32),
  })
  return JSON.parse(
    JSON.stringify(item, (_, value: unknown) =>
      typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer'
        ? Buffer.from((value as unknown as { data: number[] }).data).toString('base64')
        : value,
    ),
  ) as WireItem
}

/** The write units of the item in a transaction: two for each KiB, and one for each index. */
const unitsIn = (item: WireItem): number => 2 * unitsOf(itemBytes(item)) + ['gp', 'gu'].filter((name) => name in item).length

const units = (drafts: readonly ItemDraft[]): number => drafts.reduce((sum, draft) => sum + unitsIn(wire(draft)), 0)

describe('P7: the items of a request', () => {
  it('P7: each patient has one item with each of its records once, for any order of resolution', () => {
    const fields = ['familyName', 'birthDate', 'ssn'].map((name) => `Patient.${name}` as SchemaPath)
    const given = fields.flatMap((path) => upTo(4).map((number) => access(number, { patient: ID(number), path })))
    const items = packed(given)
    expect(items.map(({ patient }) => patient)).toEqual(upTo(4).map(ID))
    for (const [at, draft] of items.entries()) {
      expect(records(draft).map(({ path, recordVersion, patient }) => [path, recordVersion, patient])).toEqual(
        fields.map((path) => [path, at + 1, ID(at + 1)]),
      )
    }
  })

  it('P7: records without a patient share one item', () => {
    const none = { patient: undefined as never, recordType: undefined as never, recordId: undefined as never }
    const items = packed([access(1, none), access(2), access(3, { ...none, path: 'Query.patients' as SchemaPath })])
    expect(items.map((draft) => records(draft).map(({ recordVersion }) => recordVersion))).toEqual([[1, 3], [2]])
    expect(wire(items[0] as ItemDraft)).not.toHaveProperty('gp')
  })

  it('P7: records of one FHIR record and basis form one group, with basis, basis id and source once', () => {
    const about = { recordType: OBSERVATION, basis: 'CONSENT', basisId: ID(99), origin: 'epic' }
    const paths = ['code', 'value', 'status'].map((name) => `Observation.${name}` as SchemaPath)
    const given = paths.flatMap((path) => upTo(10).map((number) => access(number, { ...about, recordId: ID(number), path })))
    const [draft] = packed(given)
    const { text } = (draft as ItemDraft).encode({})
    const { g, h, s } = JSON.parse(text) as { g: unknown[]; h: unknown[]; s: unknown[] }
    expect([g, h, s].map(({ length }) => length)).toEqual([10, 1, 3])
    expect(text.split(ID(99)).length - 1).toBe(1)
    expect(g[4]).toEqual([0, ID(5), 5, [0, 1, 2]])
  })

  it("P7: the text equals the verifier's text of the same records, for any order of recording", () => {
    const paths = ['a', 'b', 'c', 'd'].map((name) => `Patient.${name}` as SchemaPath)
    const order = [0, 5, 10, 15, 4, 1, 14, 11, 8, 13, 2, 7, 12, 9, 6, 3]
    const given = order.map((at) => access(at % 4, { path: paths[Math.floor(at / 4)] as SchemaPath, rule: undefined as never }))
    const [draft] = packed(given)
    const { text } = (draft as ItemDraft).encode({})
    expect(recordsOf(text)).toHaveLength(16)
    expect(itemText(recordsOf(text))).toBe(text)
  })

  it('P7: an item is full below 24 KB, and the next record of the patient begins another part', () => {
    const given = upTo(2_000).map((number) => access(number, { recordType: OBSERVATION, recordId: ID(number) }))
    const items = packed([access(0, { patient: 'another' }), ...given])
    const texts = items.map((draft) => Buffer.byteLength(draft.encode({}).text))
    expect(Math.max(...texts)).toBeLessThanOrEqual(24_000)
    expect(texts.filter((bytes) => bytes > 20_000).length).toBe(items.length - 2)
    expect(items.map(({ part, parts }) => [part, parts])).toEqual(
      upTo(items.length).map((part) => [part, part === items.length ? items.length : undefined]),
    )
    expect(items.flatMap(records).filter(({ patient }) => patient !== 'another')).toHaveLength(2_000)
  })

  it('P7: only the last item has the total, so a request that a crash cut off has none', () => {
    const packer = new ItemPacker(context())
    const sent: ItemDraft[] = []
    for (const number of upTo(2_000))
      sent.push(...[packer.add(access(number, { recordId: ID(number) }))].flatMap((full) => full ?? []))
    expect(sent.length).toBeGreaterThan(1)
    // the process ends here
    for (const draft of sent) expect(records(draft)[0]).not.toHaveProperty('parts')
  })

  it('P7: an item with a write has the number of items up to itself, and the last item has the total', () => {
    const packer = new ItemPacker(context())
    packer.add(access(1))
    const write = packer.ofWrite([access(2, { action: 'UPDATE', outcome: 'WRITTEN' })])
    const rest = packer.rest()
    expect([...write, ...rest].map(({ part, parts }) => [part, parts])).toEqual([
      [1, 1],
      [2, 2],
    ])
    expect(write.flatMap(records).map(({ recordVersion }) => recordVersion)).toEqual([2])
  })

  it('an item that is encoded again for another place has the same content', () => {
    const [draft] = packed([access(1), [closed(1), { kind: 'LEFT_OUT' }]], { leftOut: 'POSSIBLE' })
    const first = draft?.encode({})
    expect(draft?.encode({})).toEqual(first)
    expect(recordsOf(first?.text ?? '')).toHaveLength(2)
  })
})

/** A condition that a consent closes. */
function closed(number: number, change: Partial<TimedAccess> = {}): TimedAccess {
  const { at, patient } = access(1)
  const record = { recordType: 'Condition' as TypeName, recordId: ID(number), path: 'Condition.id' as SchemaPath }
  return { at, patient, ...record, action: 'READ', outcome: 'DENIED', reason: 'CONSENT', ...change } as TimedAccess
}

/** Operation names of every length within a KiB, so that for each context some item ends next to a KiB boundary. */
const NAMES = upTo(KIB / 4).map((length) => 'O'.repeat(4 * length))

describe('P5: the length of an item reveals nothing', () => {
  const values = upTo(8).map((number) =>
    access(1, { path: `Patient.field${number}` as SchemaPath, rule: `Patient.field${number}#1` }),
  )
  const withClosed = (operation: string, left: readonly TimedAccess[]): WireItem => {
    const given = [...values, ...left.map((record): [TimedAccess, Placement] => [record, { kind: 'LEFT_OUT' }])]
    const [draft, ...others] = packed(given, { about: context({ operation }), leftOut: 'POSSIBLE' })
    expect(others).toEqual([])
    return wire(draft as ItemDraft)
  }

  it.each<[string, readonly TimedAccess[]]>([
    ['one condition', [closed(1)]],
    ['three conditions', upTo(3).map((number) => closed(number))],
    ['three records with long names', upTo(3).map((number) => closed(number, LONG_NAME))],
    [
      'three records of three types that the relationship limits close',
      [
        closed(1, { reason: 'RELATIONSHIP', recordVersion: 1_234 }),
        closed(2, { ...LONG_NAME, reason: 'RELATIONSHIP' }),
        closed(3, { recordType: 'Observation' as TypeName, path: 'Observation.id' as SchemaPath, reason: 'RELATIONSHIP' }),
      ],
    ],
  ])('P5: %s left out of the answer: the length of the item is the same as without', (_, left) => {
    for (const name of NAMES) expect(itemBytes(withClosed(name, left)), name).toBe(itemBytes(withClosed(name, [])))
  })

  it('P5: more left-out records add about 40 bytes each', () => {
    const lengths = [0, 3, 28, 53].map((count) =>
      itemBytes(
        withClosed(
          'O',
          upTo(count).map((number) => closed(number)),
        ),
      ),
    )
    expect(lengths).toEqual([lengths[0], lengths[0], (lengths[0] ?? 0) + KIB, (lengths[0] ?? 0) + 2 * KIB])
  })

  it('P5: if the operation can leave no record out, no space is reserved', () => {
    const [draft] = packed(values)
    expect(itemBytes(wire(draft as ItemDraft))).toBeLessThanOrEqual(KIB)
  })

  const paths = upTo(8).map((number) => `Condition.field${number}` as SchemaPath)
  const token = 'v1.' + 'h'.repeat(43)
  const { at, patient } = access(1)
  const where = { recordType: 'Condition' as TypeName, recordId: ID(1) }
  const refused = (operation: string, about: Partial<TimedAccess>): WireItem[] => {
    const placement: Placement = { kind: 'REFUSED', id: 'Condition 1' }
    const given = paths.map((path): [TimedAccess, Placement] => {
      const denied: Omit<TimedAccess, 'patient'> = { at, path, action: 'READ', outcome: 'DENIED' }
      return [{ ...denied, ...about }, placement]
    })
    return packed([...values, ...given], { about: context({ operation }) }).map(wire)
  }

  it('P5: a refused id has its own item of a fixed length, whether hidden, unknown or closed by a consent', () => {
    for (const name of NAMES) {
      const hidden = refused(name, { patient: patient as never, ...where, reason: 'RELATIONSHIP' })
      const unknown = refused(name, { patient: token, reason: 'NOT_FOUND' })
      const byConsent = refused(name, { patient: patient as never, ...where, recordVersion: 12_345, reason: 'CONSENT' })
      expect(hidden, name).toHaveLength(2)
      const lengths = [hidden, unknown, byConsent].map((items) => items.map(itemBytes))
      expect(lengths, name).toEqual([lengths[0], lengths[0], lengths[0]])
    }
  })

  it('P5: the same holds for a search and a plan, with the requested paths', () => {
    const asked = upTo(2).map((number) => `Patient.field${number}` as SchemaPath)
    for (const name of NAMES) {
      const about = { action: 'SEARCH', path: 'Query.patients' as SchemaPath, paths: asked, outcome: 'DENIED' } as const
      const one = (more: Partial<TimedAccess>): number[] =>
        packed(
          [
            [
              { at, ...about, ...more },
              { kind: 'REFUSED', id: 'search' },
            ],
          ],
          {
            about: context({ operation: name }),
          },
        ).map((draft) => itemBytes(wire(draft)))
      const hidden = one({ patient: patient as never, recordType: 'Patient' as TypeName, recordId: ID(1), reason: 'RELATIONSHIP' })
      expect(one({ patient: token, reason: 'NOT_FOUND' }), name).toEqual(hidden)
      expect(one({ patient: patient as never, reason: 'RELATIONSHIP', count: 12 }), name).toEqual(hidden)
      const longest = {
        ...LONG_NAME,
        path: about.path,
        recordId: ID(1),
        recordVersion: 12_345,
        listed: true,
        count: 12_345,
      } as const
      expect(one({ patient: token, ...longest, reason: 'RELATIONSHIP' }), name).toEqual(hidden)
    }
  })

  it('P5: several refused ids have an item each, also under one patient', () => {
    const given = upTo(3).map((number): [TimedAccess, Placement] => [
      closed(number),
      { kind: 'REFUSED', id: `Condition ${number}` },
    ])
    expect(packed([access(1), ...given])).toHaveLength(4)
  })
})

const LONG_NAME = { recordType: 'AllergyIntolerance' as TypeName, path: 'AllergyIntolerance.id' as SchemaPath }

describe('the write units of items', () => {
  const fields = (type: string, count: number) => upTo(count).map((number) => ({ path: `${type}.field${number}` as SchemaPath }))
  const usual = (number: number, { path }: { path: SchemaPath }, change: Partial<TimedAccess>): TimedAccess =>
    access(number, { path, rule: `${path}#1`, basisId: ID(7), since: access(1).at, ...change })

  it("are whole KiB as DynamoDB counts, and never exceed the draft's estimate", () => {
    const samples = [
      packed([access(1)]),
      packed([access(1, { patient: undefined as never })], { about: context(LONG) }),
      packed(
        upTo(2_000).map((number) => access(number, { recordId: ID(number) })),
        { about: context(LONG), leftOut: 'POSSIBLE' },
      ),
      packed(
        upTo(500).map((number): [TimedAccess, Placement] => [closed(number), { kind: 'LEFT_OUT' }]),
        { leftOut: 'POSSIBLE' },
      ),
      packed([[closed(1), { kind: 'REFUSED', id: '1' }]]),
      ...NAMES.map((name) =>
        packed([access(1, { patient: 'p'.repeat(60) })], {
          about: context({ ...LONG, tenant: 'riverside-general-hospital' as never, operation: name }),
        }),
      ),
    ]
    for (const draft of samples.flat()) {
      expect(itemBytes(wire(draft)) % KIB).toBe(0)
      const { units: said } = draft
      expect(unitsIn(wire(draft))).toBeLessThanOrEqual(said)
    }
  })

  it('are 4 for one patient and 5 values', () => {
    const given = fields('Patient', 5).map((field) => usual(1, field, {}))
    expect(units(packed(given, { about: context(LONG) }))).toBe(4)
  })

  it('are 4 for each of 100 patients with 8 values', () => {
    const given = fields('Patient', 8).flatMap((field) =>
      upTo(100).map((number) => usual(1, field, { patient: ID(number), listed: true })),
    )
    const items = packed(given, { about: context(LONG) })
    expect(items).toHaveLength(100)
    expect(units(items)).toBe(400)
  })

  it('are below 74, in at most 4 items, for a chart of 100 observations with 8 values', () => {
    const given = fields('Observation', 8).flatMap((field) =>
      upTo(100).map((number) => usual(1, field, { recordType: OBSERVATION, recordId: ID(number), listed: true })),
    )
    const items = packed(given, { about: context(LONG), leftOut: 'POSSIBLE' })
    expect(items.length).toBeLessThanOrEqual(4)
    expect(units(items)).toBeLessThan(74)
    expect(items.flatMap(records)).toHaveLength(800)
  })

  it('are at most 480 in each transaction of 500 patients, with at most 99 items', () => {
    const small = packed(
      upTo(500).map((number) => access(1, { patient: ID(number) })),
      { about: context(LONG) },
    )
    const large = upTo(500).flatMap((number) =>
      packed(upTo(number % 50).map((record) => access(record, { recordId: ID(record), patient: ID(number) }))),
    )
    for (const drafts of [small, large]) {
      const parts = fitting(drafts)
      expect(parts.flat()).toEqual(drafts)
      for (const part of parts) {
        expect(part.length).toBeLessThanOrEqual(99)
        expect(units(part)).toBeLessThanOrEqual(480)
      }
      for (const [at, part] of parts.slice(1).entries())
        expect(parts[at]?.length === 99 || units([...(parts[at] ?? []), part[0] as ItemDraft]) > 400).toBe(true)
    }
  })
})
