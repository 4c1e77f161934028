import * as z from 'zod'
import type { Deadline } from '../../model/deadline.ts'
import type { OpenTables } from '../tables/audit-tables.ts'
import { DAY_MS } from './local-day.ts'
import type { Relation, Relations, WorkforceRelations } from './relations.ts'
import { at, number, Questions } from './rows.ts'
import { CARE_DAYS, HANDLINGS, RELATED_READS } from './statements.ts'

const text = z.string()

const PatientRead = z.object({
  user_id: text,
  patient: text,
  day: text,
  /** Empty for an access without a basis. */
  basis: text,
  /** For break-glass: the grant. */
  grant_id: text.nullable(),
  /** Whether the record names a membership, consent, grant or study. */
  is_named: number,
  records: number,
  first_at: at,
  last_at: at,
})
const CareDay = z.object({ patient: text, day: text })
const Handling = z.object({ user_id: text, records: number, days: number })

export type PatientRead = z.infer<typeof PatientRead>

/** The reads of patients that users of the workforce know, and of persons of public interest. */
export interface RelatedReads {
  readonly relations: readonly Relation[]
  /** Patients who are users of the workforce. */
  readonly workers: ReadonlySet<string>
  readonly vips: ReadonlySet<string>
  /** Of the judged days: of each patient by the users with a relation, and of workers and persons of public interest by all users. */
  readonly reads: readonly PatientRead[]
  /** The days on which a care team read one of these patients. They begin before the judged days. */
  readonly careDays: readonly z.infer<typeof CareDay>[]
  /** Of the baseline: days on which a user read a patient without a membership, by the number of values. */
  readonly handlings: readonly z.infer<typeof Handling>[]
}

interface Span {
  readonly from: number
  readonly to: number
  readonly baselineFrom: number
  /** Minutes that local time is ahead of UTC. */
  readonly offset: number
}

/** Patients, and users, of one statement: each is a bound value. */
const AT_ONCE = 1_000

/**
 * Reads the relations of users, and the accesses that these are about.
 *
 * @param users of the judged days
 * @param care days around an access in which the days of a care team count
 * @returns the reads, and the records that the question with most of them read
 * @throws StoreUnavailable if the relations cannot be read; FilterTooBroad, AuditLogUnavailable
 */
export async function readRelated(
  tables: OpenTables,
  workforce: WorkforceRelations,
  users: ReadonlySet<string>,
  { from, to, baselineFrom, offset }: Span,
  care: number,
  deadline: Deadline,
): Promise<{ readonly related: RelatedReads; readonly examined: number }> {
  const known: Relations = await workforce.of(users, deadline)
  const { relations, workers, vips } = known
  const byAll = new Set([...workers, ...vips])
  const questions = new Questions(tables, deadline)
  const now = { from, to }
  const reads: PatientRead[] = []
  for (const patients of chunksOf([...byAll]))
    reads.push(...(await questions.ask(PatientRead, RELATED_READS(offset, patients.length), now, patients)))
  for (const { pairs, patients, users: some } of pairChunks(relations.filter(({ patient }) => !byAll.has(patient)))) {
    const values = [...patients, ...some]
    const rows = await questions.ask(PatientRead, RELATED_READS(offset, patients.size, some.size), now, values)
    reads.push(...rows.filter((read) => pairs.has(pairOf(read.user_id, read.patient))))
  }
  if (reads.length === 0) return { related: { ...known, reads, careDays: [], handlings: [] }, examined: questions.examined }
  const careDays: z.infer<typeof CareDay>[] = []
  for (const patients of chunksOf([...new Set(reads.map(({ patient }) => patient))]))
    careDays.push(
      ...(await questions.ask(CareDay, CARE_DAYS(offset, patients.length), { from: from - care * DAY_MS, to }, patients)),
    )
  const handlings = await questions.ask(Handling, HANDLINGS(offset), { from: baselineFrom, to: from - 1 })
  return { related: { ...known, reads, careDays, handlings }, examined: questions.examined }
}

export const pairOf = (user: string, patient: string): string => `${user}\n${patient}`

const chunksOf = (all: readonly string[]): string[][] =>
  Array.from({ length: Math.ceil(all.length / AT_ONCE) }, (_, at) => all.slice(at * AT_ONCE, (at + 1) * AT_ONCE))

/** Pairs of users and patients, at most `AT_ONCE` of each. An answer can have other pairs of these users and patients. */
interface PairChunk {
  readonly pairs: Set<string>
  readonly patients: Set<string>
  readonly users: Set<string>
}

function pairChunks(relations: readonly Relation[]): PairChunk[] {
  const chunks: PairChunk[] = []
  const inOrder = relations.toSorted((one, other) => (one.patient < other.patient ? -1 : one.patient > other.patient ? 1 : 0))
  for (const { user, patient } of inOrder) {
    let chunk = chunks.at(-1)
    const isFull = (of: ReadonlySet<string>, one: string): boolean => of.size >= AT_ONCE && !of.has(one)
    if (chunk === undefined || isFull(chunk.patients, patient) || isFull(chunk.users, user)) {
      chunk = { pairs: new Set(), patients: new Set(), users: new Set() }
      chunks.push(chunk)
    }
    chunk.pairs.add(pairOf(user, patient))
    chunk.patients.add(patient)
    chunk.users.add(user)
  }
  return chunks
}
