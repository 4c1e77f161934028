import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AccessFilter, isSelected } from '../../../../gateway/oversight/access-filter.ts'
import { OUTCOMES } from '../../../../gateway/model/access-record.ts'
import { comparePositions, positionOf } from '../../../../gateway/oversight/recorded-access.ts'
import { recordOf } from '../../../../gateway/oversight/tables/columns.ts'
import {
  countStatement,
  DIMENSIONS,
  INTERVALS,
  type Dimension,
  keyOf,
} from '../../../../gateway/oversight/tables/statements/count-accesses.ts'
import { selectAccesses } from '../../../../gateway/oversight/tables/statements/select-accesses.ts'
import type { RecordedAccess } from '../../../../gateway/oversight/recorded-access.ts'
import { overRecords } from './question-bench.ts'
import { id, items, optional, path, present, time } from './recorded-arbitraries.ts'

const RUNS = Number(process.env['PHI_FILTER_RUNS'] ?? 2)
const FILTERS = 25

const filter: fc.Arbitrary<AccessFilter> = fc
  .record({
    patient: optional(id),
    user: optional(id),
    client: optional(id),
    path: optional(path),
    categoryPaths: optional(fc.subarray(['Patient.ssn', 'Patient.birthDate', 'Condition.code']).map((list) => new Set(list))),
    outcomes: optional(fc.subarray([...OUTCOMES]).map((list) => new Set(list))),
    reason: optional(fc.constantFrom('ROLE', "x' OR '1'='1")),
    action: optional(fc.constantFrom('READ', 'REVIEW')),
    purpose: optional(fc.constantFrom('TREAT', 'BTG')),
    basis: optional(fc.constantFrom('CARE_TEAM', 'SELF')),
    requestId: optional(fc.constantFrom('r1', 'r4')),
    listed: optional(fc.boolean()),
    persisted: optional(fc.boolean()),
    from: optional(time),
    to: optional(time.map((at) => at + 1)),
  })
  // most filters have few members: one with all of them selects nothing
  .chain((all) =>
    fc.subarray(Object.entries(all), { maxLength: 4 }).map((some) => present(Object.fromEntries(some) as AccessFilter)),
  )

const byPosition = (one: RecordedAccess, other: RecordedAccess): number => comparePositions(positionOf(one), positionOf(other))

describe('C10: the tables select what the indexes select', () => {
  it('C10: by any filter, page after page, with the members of the log', async () => {
    let selectedRecords = 0
    await fc.assert(
      fc.asyncProperty(
        items,
        fc.array(filter, { minLength: FILTERS, maxLength: FILTERS }),
        fc.integer({ min: 3, max: 20 }),
        async (given, filters, first) => {
          await overRecords(given, async (ask) => {
            for (const one of filters) {
              const expected = given
                .flat()
                .filter((access) => isSelected(one, access))
                .toSorted(byPosition)
              const pages: RecordedAccess[] = []
              for (let last: RecordedAccess | undefined; ; last = pages.at(-1)) {
                const rows = await ask(selectAccesses(one, first, last && positionOf(last)))
                pages.push(...rows.map((row) => recordOf(row) as unknown as RecordedAccess))
                if (rows.length < first) break
              }
              expect(pages).toEqual(expected)
              selectedRecords += expected.length
            }
          })
        },
      ),
      { numRuns: RUNS },
    )
    expect(selectedRecords).toBeGreaterThan(RUNS * 10)
  }, 120_000)
})

const CATEGORIES = new Map([
  ['Patient.ssn', 'IDENTIFIER'],
  ['Patient.birthDate', 'DEMOGRAPHIC'],
])

/** The values of a record in a dimension: more than one for roles. */
function valuesOf(access: RecordedAccess, dimension: Dimension): readonly unknown[] {
  if (dimension === 'ROLE') return access.roles.length === 0 ? [null] : access.roles
  if (dimension === 'CATEGORY') return [CATEGORIES.get(access.path) ?? null]
  return [access[dimension.toLowerCase() as 'client'] ?? null]
}

function startOf(at: string, interval: (typeof INTERVALS)[number]): string {
  const day = new Date(`${at.slice(0, 10)}T00:00:00Z`)
  if (interval === 'WEEK') day.setUTCDate(day.getUTCDate() - ((day.getUTCDay() + 6) % 7))
  if (interval === 'HOUR') return `${at.slice(0, 13)}:00:00.000Z`
  if (interval === 'MONTH') return `${at.slice(0, 7)}-01T00:00:00.000Z`
  if (interval === 'YEAR') return `${at.slice(0, 4)}-01-01T00:00:00.000Z`
  return day.toISOString()
}

describe('C10: a summary counts the records that its filter selects', () => {
  it('C10: by any dimensions and interval, each group with its patients, users, requests and times', async () => {
    const question = fc.record({
      filter,
      groupBy: fc.shuffledSubarray([...DIMENSIONS], { maxLength: 3 }),
      interval: optional(fc.constantFrom(...INTERVALS)),
    })
    await fc.assert(
      fc.asyncProperty(items, fc.array(question, { minLength: FILTERS, maxLength: FILTERS }), async (given, questions) => {
        await overRecords(given, async (ask) => {
          for (const { filter: one, groupBy, interval } of questions) {
            const groups = new Map<string, RecordedAccess[]>()
            for (const access of given.flat().filter((record) => isSelected(one, record))) {
              let keys: unknown[][] = [interval === undefined ? [] : [startOf(access.time, interval)]]
              for (const dimension of groupBy)
                keys = keys.flatMap((key) => valuesOf(access, dimension).map((value) => [...key, value]))
              for (const key of keys) groups.set(JSON.stringify(key), [...(groups.get(JSON.stringify(key)) ?? []), access])
            }
            const distinct = (records: readonly RecordedAccess[], of: (access: RecordedAccess) => unknown): number =>
              new Set(records.map(of).filter((value) => value !== undefined)).size
            const expected = [...groups].map(([key, records]) => ({
              key,
              accesses: records.length,
              patients: distinct(records, ({ patient }) => patient),
              users: distinct(records, ({ user }) => user),
              requests: distinct(records, ({ requestId }) => requestId),
              first: records.map((access) => access.time).sort()[0],
              last: records
                .map((access) => access.time)
                .sort()
                .at(-1),
            }))
            const statement = countStatement({ filter: one, groupBy, interval, categories: CATEGORIES, limit: 1_000 })
            const rows = (await ask(statement)).filter(({ accesses }) => accesses !== 0)
            const counted = rows.map((row) => ({
              key: JSON.stringify([
                ...(interval === undefined ? [] : [row['interval_start']]),
                ...groupBy.map((dimension) => row[keyOf(dimension)]),
              ]),
              accesses: row['accesses'],
              patients: row['patients'],
              users: row['users'],
              requests: row['requests'],
              first: (row['first_at'] as Date).toISOString(),
              last: (row['last_at'] as Date).toISOString(),
            }))
            const byKey = (one: { key: string }, other: { key: string }): number => (one.key < other.key ? -1 : 1)
            expect(counted.toSorted(byKey)).toEqual(expected.toSorted(byKey))
          }
        })
      }),
      { numRuns: RUNS },
    )
  }, 120_000)
})
