import { beforeEach, describe, expect, it, vi } from 'vitest'
import { lookupToken } from '../../../gateway/crypto/tokens.ts'
import { RecordLoader } from '../../../gateway/disclosure/record-loader.ts'
import { IntegrityFailure, OperationTooCostly, StoreUnavailable } from '../../../gateway/model/failures.ts'
import { recordKey, type RecordRef } from '../../../gateway/model/ids.ts'
import { encodeNodeId } from '../../../gateway/model/node-id.ts'
import type { SchemaPath } from '../../../directives/coordinates.ts'
import type { Sensitivity } from '../../../directives/policy.ts'
import type { AnswerPlace } from '../../../gateway/disclosure/response-size.ts'
import type { AccessRecord } from '../../../gateway/model/access-record.ts'
import { RIVERSIDE } from '../crypto/key-fixtures.ts'
import { callerWith } from '../decide/clinic-policy.ts'
import { admitted, type Admitted, AUTHOR, PATIENT, path, refOf, relatedTo, requestOf } from './request-fixtures.ts'

const NAME = path('Person.name')
const PHONE = path('Person.phone')
const TEXT = path('Note.text')
const NOTE_ID = 'note-1note-1note-1note'

let ward: Admitted
beforeEach(async () => {
  ward = await admitted()
})

/** A loader of a physician on the care team of the first patient. The third patient does not exist. */
function loaderOf(asking: Parameters<typeof requestOf>[1] = {}) {
  const [mine, , missing] = ward.patients
  const consents = { [missing]: 'NO_MANIFEST', ...asking.consents } as const
  const request = requestOf(ward, { relationships: { CARE_TEAM: relatedTo({ [mine]: [{}] }) }, ...asking, consents })
  return { ...request, loader: new RecordLoader(request.parts) }
}

describe('a visible record', () => {
  it('P1: opens each granted value once, records it once, and counts it at every path', async () => {
    const [mine] = ward.patients
    const ref = refOf('Person', mine)
    await ward.source.put(ref, { name: 'Ada', phone: '555' }, {}, 3)
    const { loader, parts, audit } = loaderOf()
    const [first, second] = await Promise.all([
      loader.load(ref, new Set([NAME]), { byId: true }),
      loader.load(ref, new Set([NAME, PHONE]), { byId: true }),
    ])
    for (const loaded of [first, second]) {
      expect(loaded.kind === 'FOUND' && loaded.record.outcome('name')).toEqual({ outcome: 'DISCLOSED', value: 'Ada' })
    }
    const at = { patient: mine, recordType: 'Person', recordId: mine, recordVersion: 3, action: 'READ', outcome: 'DISCLOSED' }
    expect(await audit()).toMatchObject([
      { ...at, path: NAME },
      { ...at, path: PHONE },
    ])
    expect(parts.counter).toMatchObject({ fields: 2, resolved: 2, denied: 0, unavailable: 0 })
  })

  it('P1: opens nothing of a visible record that role and purpose do not grant', async () => {
    const [mine] = ward.patients
    await ward.source.put(refOf('Person', mine), { name: 'Ada' })
    const caller = callerWith(['BILLING'], 'HPAYMT', { seesExistence: true })
    const { loader, parts, audit } = loaderOf({ caller })
    const loaded = await loader.load(refOf('Person', mine), new Set([NAME]), { byId: true })
    expect(loaded.kind === 'FOUND' && loaded.record.outcome('name')).toMatchObject({ outcome: 'DENIED' })
    expect(await audit()).toMatchObject([{ path: NAME, outcome: 'DENIED', reason: 'ROLE', recordId: mine }])
    expect(parts.counter).toMatchObject({ fields: 0, resolved: 0, denied: 1 })
  })

  it('P9: gives no second version of a record in one answer', async () => {
    const [mine] = ward.patients
    const ref = refOf('Person', mine)
    await ward.source.put(ref, { name: 'Ada', phone: '555' })
    const { loader, audit } = loaderOf()
    await loader.load(ref, new Set([NAME]), { byId: true })
    await ward.source.put(ref, { name: 'Ada', phone: '556' }, {}, 2)
    const loaded = await loader.load(ref, new Set([PHONE]), { byId: true })
    expect(loaded.kind === 'FOUND' && loaded.record.outcome('phone')).toEqual({ outcome: 'UNAVAILABLE', reason: 'VERSION' })
    expect((await audit()).slice(1)).toMatchObject([{ path: PHONE, outcome: 'UNAVAILABLE', reason: 'VERSION' }])
  })
})

describe('the budget of values', () => {
  it('is asked while the record is read, and not again before its values are opened', async () => {
    const [mine] = ward.patients
    const ref = refOf('Person', mine)
    await ward.source.put(ref, { name: 'Ada', phone: '555' })
    const { loader, parts, table } = loaderOf()
    const load = ward.source.load.bind(ward.source)
    let reads = 0
    vi.spyOn(ward.source, 'load').mockImplementation(async (...asked) => {
      reads++
      // a reservation that waited for the record would never arrive, because this load waits for it
      await vi.waitFor(() => expect(table.requests).toBe(1))
      return await load(...asked)
    })
    const loaded = await loader.load(ref, new Set([NAME, PHONE]), { byId: true })
    expect(loaded.kind === 'FOUND' && loaded.record.outcome('name')).toEqual({ outcome: 'DISCLOSED', value: 'Ada' })
    expect([reads, table.requests, parts.counter.fields]).toEqual([1, 1, 2])
    // the lease of the process suffices for later requests
    const { loader: later } = loaderOf({ leases: parts.leases })
    await later.load(ref, new Set([NAME, PHONE]), { byId: true })
    expect([reads, table.requests]).toEqual([2, 1])
  })

  it('P5: is asked in the same way for a hidden record and an id without a record', async () => {
    const [, other, missing] = ward.patients
    await ward.source.put(refOf('Person', other), { name: 'Bea' })
    const asked = []
    for (const patient of [other, missing]) {
      const { loader, table } = loaderOf({ caller: PATIENT })
      await loader.load(refOf('Person', patient), new Set([NAME, PHONE]), { byId: true })
      asked.push(table.asked)
    }
    expect(asked).toEqual([[10], [10]])
  })

  it('is not asked for values that role and purpose cannot grant', async () => {
    const [mine] = ward.patients
    await ward.source.put(refOf('Person', mine), { name: 'Ada' })
    const caller = callerWith(['BILLING'], 'HPAYMT', { seesExistence: true })
    const { loader, table } = loaderOf({ caller, grantable: new Set() })
    await loader.load(refOf('Person', mine), new Set([NAME]), { byId: true })
    expect(table.requests).toBe(0)
  })
})

describe('the size of the answer', () => {
  const LIMIT = 100_000
  const LONG = 'x'.repeat(40_000)
  const value = { count: 1, pathBytes: 20, copies: 1, perByte: 0, once: 0 }
  /** A place with these paths, each with so many aliases. */
  const placeOf = (paths: readonly SchemaPath[], aliases = 1): AnswerPlace => ({
    pathBytes: 20,
    shape: {
      bytes: 50,
      self: { count: 1, pathBytes: 0 },
      values: new Map(paths.map((one) => [one, { ...value, count: aliases, copies: aliases }])),
      open: new Map(),
    },
  })
  const asked = (...paths: SchemaPath[]) => ({ paths: new Set(paths), place: placeOf(paths) })
  const outcomesOf = (records: readonly AccessRecord[]): string[] =>
    records.map(({ path: at, outcome, reason }) => [at, outcome, reason].filter(Boolean).join(' ')).toSorted()

  it('P1: is checked before the budget and before any opening; each granted value is DENIED with SIZE', async () => {
    const [mine] = ward.patients
    const ref = refOf('Person', mine)
    await ward.source.put(ref, { name: LONG, phone: LONG })
    const { loader, parts, audit } = loaderOf({ maxBytes: LIMIT })
    const reserve = vi.spyOn(parts.budget, 'reserve')
    const { paths, place } = asked(NAME, PHONE, path('Person.unknown'))
    await expect(loader.load(ref, paths, { byId: true, place })).rejects.toThrow(OperationTooCostly)
    expect([parts.counter.fields, parts.size.isExceeded, reserve.mock.calls]).toEqual([0, true, []])
    expect(outcomesOf(await audit())).toEqual([
      'Person.name DENIED SIZE',
      'Person.phone DENIED SIZE',
      'Person.unknown DENIED UNKNOWN_FIELD',
    ])
  })

  it('counts a value at each of its places, also if it was opened before', async () => {
    const [mine] = ward.patients
    const ref = refOf('Person', mine)
    await ward.source.put(ref, { name: LONG })
    const { loader, parts } = loaderOf({ maxBytes: LIMIT })
    const { paths, place } = asked(NAME)
    expect((await loader.load(ref, paths, { place })).kind).toBe('FOUND')
    await expect(loader.load(ref, paths, { place })).rejects.toThrow(OperationTooCostly)
    expect(parts.counter.fields).toBe(1)
  })

  it('P1: opens nothing more after a refusal', async () => {
    const [mine] = ward.patients
    await ward.source.put(refOf('Person', mine), { name: 'Ada', phone: LONG })
    await ward.source.put(refOf('Note', mine, NOTE_ID), { text: 'short' })
    const { loader, parts, audit } = loaderOf({ maxBytes: LIMIT })
    const place = placeOf([PHONE], 2)
    await expect(loader.load(refOf('Person', mine), new Set([PHONE]), { place })).rejects.toThrow(OperationTooCostly)
    const short = asked(TEXT)
    await expect(loader.load(refOf('Note', mine, NOTE_ID), short.paths, short)).rejects.toThrow(OperationTooCostly)
    expect(parts.counter.fields).toBe(0)
    expect(outcomesOf(await audit())).toEqual(['Note.text DENIED SIZE', 'Person.phone DENIED SIZE'])
  })

  it('reads no further part of a wave after a refusal, and records the rest as DENIED with SIZE', async () => {
    const [mine] = ward.patients
    const refs = Array.from({ length: 250 }, (_, number) => refOf('Note', mine, `note-${String(number).padStart(17, '0')}`))
    for (const ref of refs) await ward.source.put(ref, { text: 'x'.repeat(1_000) })
    const { loader, parts, audit } = loaderOf({ maxBytes: LIMIT })
    const { paths, place } = asked(TEXT)
    const loads = refs.map(async (ref) => await loader.load(ref, paths, { listed: 1, place }))
    for (const end of await Promise.allSettled(loads)) expect(end).toMatchObject({ reason: new OperationTooCostly() })
    expect([ward.source.loaded.length, parts.counter.fields]).toEqual([100, 0])
    const records = await audit()
    expect(outcomesOf(records)).toEqual(Array(250).fill('Note.text DENIED SIZE'))
    expect(new Set(records.map(({ recordId }) => recordId)).size).toBe(250)
  })

  it('reads four waves at the same time at most, and one after a wave of long values', async () => {
    const [mine] = ward.patients
    const refs = Array.from({ length: 12 }, (_, number) => refOf('Note', mine, `note-${String(number).padStart(17, '0')}`))
    for (const ref of refs) await ward.source.put(ref, { text: 'x' })
    const load = ward.source.load.bind(ward.source)
    let running = 0
    const most: number[] = []
    vi.spyOn(ward.source, 'load').mockImplementation(async (...args) => {
      most.push(++running)
      await new Promise((resolve) => setTimeout(resolve, 50))
      running--
      const found = await load(...args)
      return found.map((record) => ({ ...record, open: (counter) => ({ ...record.open(counter), maxBytes: () => 5_000_000 }) }))
    })
    const { loader } = loaderOf()
    const loads: Promise<unknown>[] = []
    for (const ref of refs) {
      loads.push(loader.load(ref, new Set([TEXT]), { listed: 1 }))
      await new Promise(setImmediate)
    }
    await Promise.all(loads)
    expect([Math.max(...most.slice(0, 4)), Math.max(...most.slice(8))]).toEqual([4, 1])
  })

  it.each<[string, Parameters<typeof loaderOf>[0], 'Person' | 'Note']>([
    ['denied by its role', { caller: callerWith(['NURSE'], 'TREAT', { seesExistence: true }) }, 'Note'],
    ['of a patient that the caller may not know of', { relationships: { CARE_TEAM: relatedTo({}) } }, 'Person'],
  ])('P5: does not depend on the stored length of a value %s', async (_, asking, type) => {
    const [mine] = ward.patients
    const ref = type === 'Person' ? refOf('Person', mine) : refOf('Note', mine, NOTE_ID)
    const { paths, place } = asked(type === 'Person' ? NAME : TEXT)
    const sizes = []
    for (const text of ['short', LONG]) {
      await ward.source.put(ref, { name: text, text })
      const { loader, parts } = loaderOf({ ...asking, maxBytes: LIMIT })
      await loader.load(ref, paths, { byId: true, place: { ...place, shape: { ...place.shape, bytes: 10 } } })
      sizes.push(parts.size.bytes)
    }
    expect(sizes[1]).toBe(sizes[0])
  })

  it.each([false, true])('P5: does not depend on a record that consents close, requested by its id: %s', async (byId) => {
    const [mine, , missing] = ward.patients
    const ref = refOf('Note', mine, NOTE_ID)
    await ward.source.put(ref, { text: LONG }, { labels: ['ETH'] as Sensitivity[] })
    const { paths, place } = asked(TEXT)
    const sizeWith = async (asked: RecordRef) => {
      const { loader, parts } = loaderOf({ maxBytes: LIMIT })
      const before = parts.size.bytes
      const { kind } = await loader.load(asked, paths, { byId, place })
      return { kind, bytes: parts.size.bytes - before }
    }
    const closed = await sizeWith(ref)
    expect(closed.kind).toBe('CLOSED')
    // an edge to it gives null, and its id is answered as an unknown one
    expect(closed.bytes).toBe(byId ? (await sizeWith(refOf('Note', missing, NOTE_ID))).bytes : 0)
  })
})

describe('a record that the caller may not know of', () => {
  it('P5: is not opened, and its answer and counts equal those of an id without a record', async () => {
    const [mine, other, missing] = ward.patients
    await ward.source.put(refOf('Person', other), { name: 'Bea' })
    const results = []
    for (const patient of [other, missing]) {
      const { loader, parts, audit } = loaderOf({ caller: PATIENT, relationships: { SELF: relatedTo({ [mine]: [{}] }) } })
      const loaded = await loader.load(refOf('Person', patient), new Set([NAME, PHONE]), { byId: true })
      results.push({ loaded, counter: parts.counter, records: (await audit()).length })
    }
    expect(results[0]).toMatchObject({ loaded: { kind: 'NOT_FOUND' }, counter: { denied: 2, metadata: 0 }, records: 2 })
    expect(results[1]).toEqual(results[0])
    expect(ward.source.opened).toEqual([])
  })

  it('P5: the audit names a hidden record, and an id without a record only by its keyed hash', async () => {
    const [, other, missing] = ward.patients
    await ward.source.put(refOf('Note', other, NOTE_ID), { text: 'note' })
    const { loader, parts, audit } = loaderOf()
    await loader.load(refOf('Note', other, NOTE_ID), new Set([TEXT]))
    await loader.load(refOf('Person', missing), new Set([NAME]))
    const hash = lookupToken(await parts.keyring.purposeKey(RIVERSIDE, 'lookup'), encodeNodeId(refOf('Person', missing)))
    const denied = { action: 'READ', outcome: 'DENIED' }
    expect(await audit()).toEqual([
      { patient: other, recordType: 'Note', recordId: NOTE_ID, path: TEXT, ...denied, reason: 'RELATIONSHIP' },
      { patient: hash, path: NAME, ...denied, reason: 'NOT_FOUND' },
    ])
  })

  it('P5: a record opens to its author, and the notes of others stay hidden', async () => {
    const [, other] = ward.patients
    const foreign = 'note-2note-2note-2note'
    await ward.source.put(refOf('Note', other, NOTE_ID), { text: 'own' }, { author: 'Practitioner/1' })
    await ward.source.put(refOf('Note', other, foreign), { text: 'foreign' }, { author: 'Practitioner/2' })
    const { loader, parts } = loaderOf({ caller: AUTHOR })
    const own = await loader.load(refOf('Note', other, NOTE_ID), new Set([TEXT]), { byId: true })
    expect(own.kind === 'FOUND' && own.record.outcome('text')).toEqual({ outcome: 'DISCLOSED', value: 'own' })
    expect(await loader.load(refOf('Note', other, foreign), new Set([TEXT]), { byId: true })).toEqual({ kind: 'NOT_FOUND' })
    expect(parts.counter.fields).toBe(1)
  })

  it('P9: is UNAVAILABLE if the service that decides it failed', async () => {
    const [, other] = ward.patients
    await ward.source.put(refOf('Note', other, NOTE_ID), { text: 'note' })
    const relationships = { CARE_TEAM: relatedTo({ [other]: new StoreUnavailable() }) }
    const { loader, audit, parts } = loaderOf({ relationships })
    expect(await loader.load(refOf('Note', other, NOTE_ID), new Set([TEXT]))).toEqual({ kind: 'UNAVAILABLE' })
    expect(await audit()).toMatchObject([{ path: TEXT, outcome: 'UNAVAILABLE', reason: 'STORE', recordId: NOTE_ID }])
    expect(parts.counter).toMatchObject({ unavailable: 1, denied: 0 })
    expect(ward.source.opened).toEqual([])
  })
})

describe('a record that a list names', () => {
  it('P6: is UNAVAILABLE with INTEGRITY if it is absent, and operators get an event', async () => {
    const [mine] = ward.patients
    const ref = refOf('Note', mine, NOTE_ID)
    const { loader, events, audit } = loaderOf()
    expect(await loader.load(ref, new Set([TEXT]), { listed: 1 })).toEqual({ kind: 'UNAVAILABLE' })
    expect(await audit()).toMatchObject([{ path: TEXT, outcome: 'UNAVAILABLE', reason: 'INTEGRITY', recordId: NOTE_ID }])
    expect(events).toMatchObject([{ event: 'INTEGRITY_FAILURE', record: ref }])
  })

  it('P6: is UNAVAILABLE with INTEGRITY if it is older than the list entry', async () => {
    const [mine] = ward.patients
    const ref = refOf('Note', mine, NOTE_ID)
    await ward.source.put(ref, { text: 'old' }, {}, 1)
    const { loader, parts, audit } = loaderOf()
    expect(await loader.load(ref, new Set([TEXT]), { listed: 2 })).toEqual({ kind: 'UNAVAILABLE' })
    expect(await audit()).toMatchObject([{ outcome: 'UNAVAILABLE', reason: 'INTEGRITY' }])
    expect(parts.counter.fields).toBe(0)
  })

  it('P6: is UNAVAILABLE with INTEGRITY if its seal does not open', async () => {
    const [mine] = ward.patients
    const ref = refOf('Note', mine, NOTE_ID)
    ward.source.damage(ref, new IntegrityFailure())
    const { loader, events } = loaderOf()
    expect(await loader.load(ref, new Set([TEXT]), { listed: 1 })).toEqual({ kind: 'UNAVAILABLE' })
    expect(events).toHaveLength(1)
  })
})

describe('a record that consents close', () => {
  const labels = ['ETH'] as Sensitivity[]

  it('P9: is audited as DENIED with CONSENT and its version, gives no value, and is not counted', async () => {
    const [mine] = ward.patients
    const ref = refOf('Note', mine, NOTE_ID)
    await ward.source.put(ref, { text: 'closed' }, { labels }, 4)
    const { loader, parts, audit } = loaderOf()
    expect(await loader.load(ref, new Set([TEXT]), { listed: 4 })).toEqual({ kind: 'CLOSED' })
    const at = { patient: mine, recordType: 'Note', recordId: NOTE_ID, recordVersion: 4, path: 'Note.id', action: 'READ' }
    expect(await audit()).toEqual([{ ...at, outcome: 'DENIED', reason: 'CONSENT' }])
    expect(parts.counter).toMatchObject({ fields: 0, resolved: 0, denied: 0, unavailable: 0 })
  })

  it('P9: is FOUND with the consent of the patient', async () => {
    const [mine] = ward.patients
    const ref = refOf('Note', mine, NOTE_ID)
    await ward.source.put(ref, { text: 'open' }, { labels })
    const { loader, parts, audit } = loaderOf({ consents: { [mine]: [{ id: 'c1', effect: 'PERMIT', labels }] } })
    const loaded = await loader.load(ref, new Set([TEXT]), { listed: 1 })
    expect(loaded.kind === 'FOUND' && loaded.record.outcome('text')).toEqual({ outcome: 'DISCLOSED', value: 'open' })
    expect(await audit()).toMatchObject([{ outcome: 'DISCLOSED', basis: 'CONSENT', basisId: 'c1' }])
    expect(parts.notices.all()).toHaveLength(1)
  })
})

describe('a fault of the gateway', () => {
  it('ends the reservation of the budget', async () => {
    const [mine] = ward.patients
    const { loader, parts } = loaderOf()
    const end = vi.fn()
    vi.spyOn(parts.budget, 'begin').mockReturnValue({ settle: () => Promise.resolve('RESERVED'), end })
    vi.spyOn(parts.visibility, 'verdictFor').mockImplementation(() => {
      throw new TypeError('a fault')
    })
    await expect(loader.load(refOf('Person', mine), new Set([NAME]))).rejects.toThrow('a fault')
    expect(end).toHaveBeenCalledOnce()
  })
})

describe('a record that the answer reaches again', () => {
  it('P9: further paths are audited like the first ones, a closed record once, and nothing is read again', async () => {
    const [mine, , missing] = ward.patients
    const closed = refOf('Note', mine, NOTE_ID)
    await ward.source.put(closed, { text: 'closed' }, { labels: ['ETH'] as Sensitivity[] })
    const { loader, audit } = loaderOf()
    await loader.load(closed, new Set([TEXT]))
    await loader.load(refOf('Person', missing), new Set([NAME]))
    const reads = ward.source.loaded.length
    await loader.load(closed, new Set([TEXT, path('Note.other')]))
    await loader.load(refOf('Person', missing), new Set([NAME, PHONE]))
    expect(ward.source.loaded).toHaveLength(reads)
    expect((await audit()).map(({ path: at, outcome, reason }) => `${at} ${outcome} ${reason ?? ''}`)).toEqual([
      'Note.id DENIED CONSENT',
      'Person.name DENIED NOT_FOUND',
      'Person.phone DENIED NOT_FOUND',
    ])
    expect(ward.source.opened).toEqual([recordKey(closed)])
  })
})

describe('P6: a record that names a newer access manifest than the decision', () => {
  const FORGED = { event: 'ACCESS_ITEM_FORGED', tenant: RIVERSIDE, what: 'ALTERED' }

  it('is read again together with the attributes, because a write in between looks the same', async () => {
    const [mine] = ward.patients
    const ref = refOf('Person', mine)
    await ward.source.put(ref, { name: 'Ada' })
    ward.source.outdate(ref, 1)
    const related = relatedTo({ [mine]: [{}] })
    const periods = vi.spyOn(related, 'periods')
    const { loader, events } = loaderOf({ relationships: { CARE_TEAM: related } })
    const loaded = await loader.load(ref, new Set([NAME]), { byId: true })
    expect(loaded.kind === 'FOUND' && loaded.record.outcome('name')).toEqual({ outcome: 'DISCLOSED', value: 'Ada' })
    expect(periods).toHaveBeenCalledTimes(2)
    expect(events).toEqual([])
  })

  it('and is unavailable, reported and not opened if it stays so', async () => {
    const [mine] = ward.patients
    const ref = refOf('Person', mine)
    await ward.source.put(ref, { name: 'Ada' })
    ward.source.outdate(ref, 100)
    const { loader, events, audit } = loaderOf()
    expect(await loader.load(ref, new Set([NAME]), { byId: true })).toEqual({ kind: 'UNAVAILABLE' })
    expect(await audit()).toMatchObject([{ path: NAME, outcome: 'UNAVAILABLE', reason: 'INTEGRITY' }])
    expect(events).toContainEqual({ ...FORGED, patient: mine })
    expect(ward.source.opened).toEqual([])
  })
})

describe('a page of patients that was begun before their relationships were known', () => {
  it('P1: reads each record once, and opens and records only the patients that are on the page', async () => {
    const [mine, other] = ward.patients
    const refs = [refOf('Person', mine), refOf('Person', other)] as const
    for (const ref of refs) await ward.source.put(ref, { name: 'Ada' })
    const { loader, audit } = loaderOf()
    loader.begin(refs, new Set([NAME]))
    const loaded = await loader.load(refs[0], new Set([NAME]), { listed: 0 })
    expect(loaded.kind === 'FOUND' && loaded.record.outcome('name')).toEqual({ outcome: 'DISCLOSED', value: 'Ada' })
    expect(ward.source.loaded).toEqual(refs.map(recordKey))
    expect(ward.source.opened).toEqual([recordKey(refs[0])])
    expect(await audit()).toMatchObject([{ patient: mine, path: NAME, outcome: 'DISCLOSED' }])
  })

  it('P5: is not begun for a caller without the right to see existence', () => {
    const [mine] = ward.patients
    const caller = callerWith(['PATIENT'], 'PATRQT', { seesExistence: false })
    const load = vi.spyOn(ward.source, 'load')
    loaderOf({ caller }).loader.begin([refOf('Person', mine)], new Set([NAME]))
    expect(load).not.toHaveBeenCalled()
  })

  it('a record with further paths, or requested by id, is read as before', async () => {
    const [mine] = ward.patients
    const ref = refOf('Person', mine)
    await ward.source.put(ref, { name: 'Ada', phone: '555' })
    const { loader } = loaderOf()
    loader.begin([ref], new Set([NAME]))
    const loaded = await loader.load(ref, new Set([NAME, PHONE]), { listed: 0 })
    expect(loaded.kind === 'FOUND' && loaded.record.outcome('phone')).toEqual({ outcome: 'DISCLOSED', value: '555' })
    expect(ward.source.loaded).toHaveLength(2)
  })
})
