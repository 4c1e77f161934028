import { randomBytes } from 'node:crypto'
import { AuditHistory } from '../../gateway/audit/history.ts'
import { Deadline } from '../../gateway/model/deadline.ts'
import type { UserId } from '../../gateway/model/ids.ts'
import type { AccessFilter } from '../../gateway/oversight/access-filter.ts'
import { IndexedAccesses } from '../../gateway/oversight/history/indexed-accesses.ts'
import { startEngine } from '../../infra/local/engine.ts'
import { createTables, dropTables } from '../../infra/local/tables.ts'
import { NOON } from '../gateway/audit/examples.ts'
import { clientFor } from '../gateway/audit/lane-bench.ts'
import {
  laneOfRequests,
  patientNumber,
  TENANT,
  writeLanes,
  type WrittenRequest,
} from '../gateway/oversight/history/written-lanes.ts'
import { CountedRounds } from '../harness/counted-rounds.ts'

// `npm run bench:audit-history [records]`: the rounds of requests and the time of a first page by patient, user and request, in a log of
// 1,000,000 field records of 2,000 patients and 200 users over 30 days. With fewer records, patients, users and hours are fewer in
// proportion: each of them has as many records as in the whole.

/** A question, with the rounds of requests and the median time of its first page in milliseconds. */
export interface HistoryTime {
  readonly question: string
  readonly rounds: number
  readonly records: number
  readonly ms: number
}

/** A chart with sixteen fields. */
const RECORDS_OF_ITEM = 16
const WHOLE = { records: 1_000_000, patients: 2_000, users: 200, hours: 30 * 24 }
/** Hours that are written at a time, while the next ones are prepared. */
const WRITERS = 4
const HOUR_MS = 3_600_000
/** The lanes of an hour. */
const LANES = 2
const RUNS = 9

/** The size of a log. */
type Size = typeof WHOLE

function sizeOf(records: number): Size {
  const part = (whole: number): number => Math.max(1, Math.round((whole * records) / WHOLE.records))
  return { records, patients: part(WHOLE.patients), users: part(WHOLE.users), hours: part(WHOLE.hours) }
}

/** Writes a log into the embedded engine, and measures first pages of it. @param records field-level records */
export async function historyTimes(records: number): Promise<readonly HistoryTime[]> {
  const engine = await startEngine()
  const client = clientFor(engine.endpoint, 3)
  const stage = `bench-${randomBytes(4).toString('hex')}`
  try {
    const { PHI_TABLE_AUDIT: table } = await createTables(client, stage)
    const began = performance.now()
    const size = sizeOf(records)
    const requestIds = await fill(size, async (lanes) => await writeLanes(client, table, lanes))
    console.log(`${records.toLocaleString('en-US')} field records written in ${((performance.now() - began) / 1_000).toFixed(0)} s`)
    const counted = new CountedRounds(client)
    const accesses = new IndexedAccesses(new AuditHistory(counted, table), TENANT)
    const times: HistoryTime[] = []
    for (const [question, filterOf] of questions(size, requestIds)) times.push(await timeOf(question, filterOf, accesses, counted))
    return times
  } finally {
    await dropTables(client, stage)
    client.destroy()
    await engine.stop()
  }
}

/** The requests of each hour are spread evenly over its lanes, patients and users. Returns the id of one request of each hour. */
async function fill(
  { records, patients, users, hours }: Size,
  write: (lanes: ReturnType<typeof laneOfRequests>[]) => Promise<void>,
): Promise<string[]> {
  const ofLane = Math.ceil(records / RECORDS_OF_ITEM / hours / LANES)
  const chosen: string[] = []
  const writing = new Set<Promise<void>>()
  for (let hour = 0; hour < hours; hour++) {
    const lanes = Array.from({ length: LANES }, (_, lane) => {
      const first = (hour * LANES + lane) * ofLane
      const requests = Array.from({ length: ofLane }, (_unused, at): WrittenRequest => {
        // primes, so that every user sees patients of all kinds
        const number = first + at
        return {
          time: NOON + (hour - hours) * HOUR_MS + Math.floor((at * HOUR_MS) / ofLane),
          patient: patientNumber((number * 7_919) % patients),
          user: `user-${(number * 104_729) % users}` as UserId,
          records: RECORDS_OF_ITEM,
        }
      })
      return laneOfRequests(requests)
    })
    if (writing.size >= WRITERS) await Promise.race(writing)
    const written = write(lanes).finally(() => writing.delete(written))
    writing.add(written)
    chosen.push(...lanes.slice(0, 1).flatMap(({ requestIds }) => requestIds[hour % ofLane] ?? []))
  }
  await Promise.all(writing)
  return chosen
}

const questions = ({ patients, users, hours }: Size, requestIds: readonly string[]): [string, (run: number) => AccessFilter][] => [
  ['by patient', (run) => ({ patient: patientNumber((run * 211) % patients) })],
  ['by patient, denied only', (run) => ({ patient: patientNumber((run * 211 + 1) % patients), outcomes: new Set(['DENIED']) })],
  ['by user', (run) => ({ user: `user-${(run * 21) % users}` })],
  ['by user and path', (run) => ({ user: `user-${(run * 21 + 1) % users}`, path: 'Patient.mrn' })],
  ['by request', (run) => ({ requestId: requestIds[(run * 79) % hours] ?? '' })],
]

async function timeOf(
  question: string,
  filterOf: (run: number) => AccessFilter,
  accesses: IndexedAccesses,
  counted: CountedRounds,
): Promise<HistoryTime> {
  const times: number[] = []
  let [rounds, records] = [0, 0]
  for (let run = 0; run < RUNS; run++) {
    const deadline = new Deadline(Date.now() + 20_000, { now: Date.now, monotonic: () => performance.now() })
    const began = performance.now()
    const taken = await counted.of(async () => await accesses.page(filterOf(run), { first: 50 }, deadline))
    times.push(performance.now() - began)
    rounds = Math.max(rounds, taken.rounds)
    records = taken.result.accesses.length
  }
  return { question, rounds, records, ms: Math.round(times.sort((one, other) => one - other)[Math.floor(RUNS / 2)] ?? 0) }
}

if (import.meta.main) console.table(await historyTimes(Number(process.argv[2] ?? WHOLE.records)))
