import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import type { ItemDraft } from '../../../gateway/audit/item-draft.ts'
import type { AuditLog } from '../../../gateway/audit/log.ts'
import type { ItemReceipt } from '../../../gateway/audit/submission.ts'
import { Trail } from '../../../gateway/audit/trail.ts'
import { recordsOf } from '../../../gateway/audit/verify/item-text.ts'
import type { AccessRecord } from '../../../gateway/model/access-record.ts'
import { Deadline } from '../../../gateway/model/deadline.ts'
import { AuditUnavailable, VersionConflict } from '../../../gateway/model/failures.ts'
import { access, context, NOON } from './examples.ts'
import { upTo } from './lane-bench.ts'

const DEADLINE = NOON + 8_000
const ROOTS = ['Query.patient'] as SchemaPath[]

const hashOf = (lane: number, sequence: number): string => createHash('sha256').update(`${lane}/${sequence}`).digest('hex')
const receipt = (lane: number, sequence: number): ItemReceipt => ({
  lane: `cHJvY2Vz.${lane}`,
  sequence,
  hash: hashOf(lane, sequence),
})

/** The receipt as docs/audit-log.md defines it, over items in the given order. */
function receiptOf(requestId: string, hashes: readonly string[]): string {
  const parts = [Buffer.from(`phi-gateway/receipt/v1\n${requestId}\n`), ...hashes.map((hash) => Buffer.from(hash, 'hex'))]
  return createHash('sha256').update(Buffer.concat(parts)).digest('base64url')
}

type Sent = ReturnType<typeof recordsOf>

/** Keeps the items that a trail sends. A test decides when it answers. */
class SlowLog implements AuditLog {
  /** The records of each item, by call. */
  readonly sent: Sent[][] = []
  readonly texts: string[] = []
  readonly deadlines: number[] = []
  readonly committed: Sent[] = []
  /** The failures of the next commits; undefined for success. */
  readonly commits: (Error | undefined)[] = []
  readonly #waiting: PromiseWithResolvers<readonly ItemReceipt[]>[] = []

  append(items: readonly ItemDraft[], deadline: number): Promise<readonly ItemReceipt[]> {
    const waiting = Promise.withResolvers<readonly ItemReceipt[]>()
    this.#waiting.push(waiting)
    const texts = items.map((item) => item.encode({}).text)
    this.texts.push(...texts)
    this.sent.push(texts.map(recordsOf))
    this.deadlines.push(deadline)
    return waiting.promise
  }

  async commit(_writes: unknown, items: readonly ItemDraft[]): Promise<readonly ItemReceipt[]> {
    const records = items.map((item) => recordsOf(item.encode({}).text))
    const failure = this.commits.shift()
    if (failure !== undefined) return await Promise.reject(failure)
    this.committed.push(...records)
    return records.map((_, index) => receipt(9, this.committed.length + index))
  }

  store(index: number, receipts = (this.sent[index] ?? []).map((_, item) => receipt(1, 100 * index + item + 1))): void {
    this.#waiting[index]?.resolve(receipts)
  }

  fail(index: number): void {
    this.#waiting[index]?.reject(new AuditUnavailable())
  }
}

function trailed(roots = ROOTS, origins = new Map<TypeName, string>()): { log: SlowLog; trail: Trail } {
  const log = new SlowLog()
  const deadline = new Deadline(DEADLINE, { now: () => NOON, monotonic: () => 0 })
  return { log, trail: new Trail({ log, context: context(), now: () => NOON, deadline, roots, leftOut: 'NEVER', origins }) }
}

/** A record of 3 KB: seven of them fill an item. */
const bulky = (number: number): AccessRecord => {
  const paths = upTo(100).map((path) => `Patient.${String(path).padStart(28, 'x')}${number}` as SchemaPath)
  return access(number, { paths })
}
const note = (trail: Trail, count: number): void => {
  for (let number = 1; number <= count; number++) trail.record(bulky(number))
}
const versions = (records: Sent): unknown[] => records.map(({ recordVersion }) => recordVersion)

describe('P2: the receipt of a request', () => {
  it('P2: comes only when every item is stored', async () => {
    const { log, trail } = trailed()
    note(trail, 20)
    let settled = false
    const settling = trail.settle().then((given) => {
      settled = true
      return given
    })
    expect(log.sent).toHaveLength(3)
    log.store(0)
    log.store(2)
    await new Promise(setImmediate)
    expect(settled).toBe(false)
    log.store(1)
    const text = receiptOf(context().requestId, [hashOf(1, 1), hashOf(1, 101), hashOf(1, 201)])
    expect(await settling).toMatchObject({ count: 20, text })
    expect(versions(log.sent.flat(2))).toEqual(upTo(20))
    expect(new Set(log.deadlines)).toEqual(new Set([DEADLINE]))
  })

  it.each([0, 1, 2])('P2: does not come if write %i of three fails', async (failing) => {
    const { log, trail } = trailed()
    note(trail, 20)
    const settling = trail.settle()
    for (const index of [0, 1, 2]) if (index !== failing) log.store(index)
    log.fail(failing)
    await expect(settling).rejects.toThrow(AuditUnavailable)
  })

  it('P2: does not come if a write failed long before the receipt was requested', async () => {
    const { log, trail } = trailed()
    note(trail, 12)
    log.fail(0)
    await new Promise(setImmediate)
    const settling = trail.settle()
    log.store(1)
    await expect(settling).rejects.toThrow(AuditUnavailable)
  })

  it('P7: covers the hash of every item of the request, in the order of lane and sequence', async () => {
    const { log, trail } = trailed()
    note(trail, 28)
    log.commits.push(undefined)
    await trail.commit([], bulky(29))
    const settling = trail.settle()
    expect(log.sent).toHaveLength(4)
    // stored first and answered last; lanes are compared as texts
    log.store(2, [receipt(10, 1)])
    log.store(0, [receipt(2, 7)])
    log.store(3, [receipt(1, 198)])
    log.store(1, [receipt(1, 99)])
    const hashes = [hashOf(1, 99), hashOf(1, 198), hashOf(10, 1), hashOf(2, 7), hashOf(9, 1)]
    expect((await settling).text).toBe(receiptOf(context().requestId, hashes))
  })

  it.each(['DISCLOSED', 'DENIED', 'ABSENT', 'UNAVAILABLE', 'ERASED'] as const)(
    'P5: has the same length for every outcome and number of items: %s',
    async (outcome) => {
      for (const patients of [1, 3]) {
        const { log, trail } = trailed()
        for (const number of upTo(patients)) trail.record(access(number, { outcome, patient: `p${number}` }))
        const settling = trail.settle()
        log.store(0)
        expect((await settling).text).toMatch(/^[\w-]{43}$/)
      }
    },
  )

  it('P2: does not come after a write with an unknown outcome, because its item may be stored and not covered', async () => {
    const { log, trail } = trailed()
    log.commits.push(new AuditUnavailable())
    await expect(trail.commit([], access(1))).rejects.toThrow(AuditUnavailable)
    trail.record(access(2))
    const settled = trail.settle()
    log.store(0)
    await expect(settled).rejects.toThrow(AuditUnavailable)
  })

  it('P5: exists for a request without records, because the operation selects more than introspection', async () => {
    const { log, trail } = trailed()
    expect(await trail.settle()).toMatchObject({ count: 0, text: receiptOf(context().requestId, []) })
    expect(log.sent).toEqual([])
  })

  it('P5: is absent if the operation selects only introspection', async () => {
    expect(await trailed([]).trail.settle()).toMatchObject({ count: 0, text: undefined })
  })
})

describe('when items leave', () => {
  it('a full item leaves while the request still works; the others leave together at its end', async () => {
    const { log, trail } = trailed()
    trail.record(access(0, { patient: 'another' }))
    note(trail, 20)
    expect(log.sent.map((items) => items.map(({ length }) => length))).toEqual([[7], [7]])
    const settling = trail.settle()
    expect(log.sent[2]?.map(({ length }) => length)).toEqual([1, 6])
    for (const index of [0, 1, 2]) log.store(index)
    await settling
  })

  it('P2: items get the remaining time of the request, also if the clock was set back during it', async () => {
    const log = new SlowLog()
    const clock = { wall: NOON as number, monotonic: 5_000 }
    const deadline = new Deadline(DEADLINE, { now: () => clock.wall, monotonic: () => clock.monotonic })
    const trail = new Trail({
      log,
      context: context(),
      now: () => clock.wall,
      deadline,
      roots: ROOTS,
      leftOut: 'NEVER',
      origins: new Map(),
    })
    note(trail, 9)
    clock.wall += 1_000 - 3_600_000
    clock.monotonic += 1_000
    note(trail, 9)
    expect(log.deadlines).toEqual([DEADLINE, DEADLINE - 3_600_000])
    const settling = trail.settle()
    for (const index of [0, 1, 2]) log.store(index)
    await settling
  })

  it('P12: the count of an edge is read at the end, and once', async () => {
    const { log, trail } = trailed()
    let count = 0
    trail.recordAtEnd(() => access(1, { count }))
    note(trail, 3)
    count = 12
    const settling = trail.settle()
    log.store(0)
    expect((await settling).count).toBe(4)
    expect(log.sent.flat(2).flatMap((record) => record['count'] ?? [])).toEqual([12])
    expect((await trail.settle()).count).toBe(4)
    expect(log.sent).toHaveLength(1)
  })
})

describe('C08: the origin of a record', () => {
  const origins = new Map([['Observation' as TypeName, 'archive']])
  const observed = (number: number, change: Partial<AccessRecord> = {}): AccessRecord =>
    access(number, { recordType: 'Observation' as TypeName, ...change })
  const originsOf = async ({ log, trail }: ReturnType<typeof trailed>): Promise<unknown[]> => {
    const settling = trail.settle()
    log.store(0)
    await settling
    return log.sent.flat(2).map((record) => record['origin'])
  }

  it('is the source of its type, once for the values and edges of a record', async () => {
    const request = trailed(ROOTS, origins)
    request.trail.recordAtEnd(() => observed(1, { path: 'Observation.members' as SchemaPath, count: 2 }))
    for (const outcome of ['DISCLOSED', 'ABSENT'] as const) request.trail.record(observed(1, { outcome }))
    request.trail.record(observed(1, { outcome: 'UNAVAILABLE', reason: 'STORE' }))
    expect(await originsOf(request)).toEqual(['archive', 'archive', 'archive', 'archive'])
    expect(request.log.texts.join('').split('archive')).toHaveLength(2)
  })

  it('is absent for a record of the own store, and for an access to no record', async () => {
    const request = trailed(ROOTS, origins)
    request.trail.record(access(1))
    request.trail.record({ path: 'Query.patients' as SchemaPath, action: 'READ', outcome: 'DENIED' })
    expect(await originsOf(request)).toEqual([undefined, undefined])
  })

  it('P5: is absent for a refused id and for a record that is left out, whose items must not differ in length', async () => {
    const request = trailed(ROOTS, origins)
    request.trail.record(observed(1, { outcome: 'DENIED' }), { kind: 'REFUSED', id: 'Observation/1' })
    request.trail.record(observed(2, { outcome: 'DENIED' }), { kind: 'LEFT_OUT' })
    expect(await originsOf(request)).toEqual([undefined, undefined])
  })
})

describe('P2: an answer that does not leave', () => {
  const outcomes = (records: Sent): string[] =>
    records.map(({ path, outcome, reason, view, count }) => [path, outcome, reason, view, count].filter(Boolean).join(' '))

  it('P2: has its disclosures recorded as UNAVAILABLE, those before and those after', async () => {
    const { log, trail } = trailed()
    trail.record(access(1, { path: 'Patient.a' as SchemaPath, view: 'FULL', outcome: 'DISCLOSED' }))
    trail.record(access(2, { path: 'Patient.b' as SchemaPath, view: 'LAST4', outcome: 'MASKED', patient: 'another' }))
    trail.record(access(3, { path: 'Patient.c' as SchemaPath, outcome: 'DENIED', reason: 'ROLE' }))
    trail.recordAtEnd(() => access(4, { path: 'Patient.d' as SchemaPath, outcome: 'DISCLOSED', count: 3 }))
    trail.withhold('SIZE')
    trail.record(access(5, { path: 'Patient.e' as SchemaPath, outcome: 'DISCLOSED' }))
    const settling = trail.settle()
    log.store(0)
    await settling
    expect(outcomes(log.sent.flat(2)).toSorted()).toEqual([
      'Patient.a UNAVAILABLE SIZE',
      'Patient.b UNAVAILABLE SIZE',
      'Patient.c DENIED ROLE FULL',
      'Patient.d UNAVAILABLE SIZE',
      'Patient.e UNAVAILABLE SIZE',
    ])
  })

  it('P2: has further records for disclosures in items that left before: the log reports more, never less', async () => {
    const { log, trail } = trailed()
    note(trail, 16)
    expect(log.sent.map((items) => items.map(({ length }) => length))).toEqual([[7], [7]])
    trail.withhold('SIZE')
    const settling = trail.settle()
    for (const index of log.sent.keys()) log.store(index)
    await settling
    const all = log.sent.flat(2)
    const of = (outcome: string): unknown[] => versions(all.filter((record) => record['outcome'] === outcome))
    expect(of('DISCLOSED')).toEqual(upTo(14))
    expect(of('UNAVAILABLE')).toEqual(upTo(16))
    const parts = log.sent.flat().map(([record]) => record?.['part'])
    expect(parts).toEqual(upTo(parts.length))
  })
})

describe('P7: the numbers of the items of a request', () => {
  const numbers = (items: readonly Sent[]): unknown[] => items.map(([record]) => [record?.['part'], record?.['parts']])

  it('P7: only the last item has the total; a write is sent alone, and a request may end with it', async () => {
    const { log, trail } = trailed()
    note(trail, 9)
    await trail.commit([], access(10, { action: 'UPDATE', outcome: 'WRITTEN' }))
    trail.record(access(11, { patient: 'another' }))
    const settling = trail.settle()
    log.store(0)
    log.store(1)
    expect((await settling).count).toBe(11)
    expect(numbers(log.sent.flat())).toEqual([
      [1, undefined],
      [3, undefined],
      [4, 4],
    ])
    expect(numbers(log.committed)).toEqual([[2, 2]])
  })

  it('P7: a write that was not stored leaves no gap in the numbers', async () => {
    const { log, trail } = trailed()
    log.commits.push(new VersionConflict(), undefined)
    await expect(trail.commit([], access(1, { action: 'UPDATE', outcome: 'WRITTEN' }))).rejects.toThrow(VersionConflict)
    await trail.commit([], access(2, { action: 'UPDATE', outcome: 'WRITTEN' }))
    trail.record(access(3))
    const settling = trail.settle()
    log.store(0)
    expect((await settling).count).toBe(2)
    expect([...numbers(log.committed), ...numbers(log.sent.flat())]).toEqual([
      [1, 1],
      [2, 2],
    ])
  })
})
