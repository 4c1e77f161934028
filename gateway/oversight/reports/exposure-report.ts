import { safeHarborClass } from '../../../directives/table.ts'
import type { Identifier } from '../../../directives/policy.ts'
import { type AccessFilter, accessFilter, type FilterArguments } from '../access-filter.ts'
import type { AuditReading, AuditRoot } from '../audit-reader.ts'
import { type BreachFactor, breachFactors } from './breach-factors.ts'
import { exposureFacets, type Facet, facetNumber } from './exposure-statements.ts'
import { meaningOf } from './outcome-meanings.ts'
import { type ReportSpan, reportSpan, timeOf } from './report-span.ts'
import { numberIn, requiredText, requiredTime, type Row, textIn, timeIn } from './row-values.ts'

interface Arguments {
  readonly filter: FilterArguments
}

/** The ports and the policy that a report reads. */
export type ExposureParts = Pick<AuditReading, 'policy' | 'deadline'> & { readonly reader: Pick<AuditReading['reader'], 'tables'> }

interface Counts {
  readonly acquired: number
  readonly attempted: number
  /** Patients of whom something was acquired. */
  readonly patients: number
}

interface Times {
  readonly earliest: string
  readonly latest: string
}

export type ExposureCount = Counts & Partial<Times> & { readonly name?: string }

/** At most 500 rows, and the number of all. */
interface Listed<Of> {
  readonly total: number
  readonly rows: readonly Of[]
}

/** The report. The schema of the API describes the members. */
export interface ExposureReport extends Partial<Times> {
  readonly from: string
  readonly to: string
  readonly examined: number
  readonly records: number
  readonly acquired: number
  readonly attempted: number
  readonly patients: {
    readonly acquired: number
    readonly attemptedOnly: number
    readonly list: readonly (Times & Omit<Counts, 'patients'> & { readonly patientId: string })[]
    readonly complete: boolean
  }
  readonly identifiers: readonly (Counts & { readonly letter?: string; readonly identifier?: string; readonly masked: number })[]
  readonly categories: readonly ExposureCount[]
  readonly paths: Listed<ExposureCount>
  readonly outcomes: readonly {
    readonly outcome: string
    readonly view?: string
    readonly reason?: string
    readonly records: number
    readonly patients: number
    readonly means: string
  }[]
  readonly days: Listed<ExposureCount>
  readonly sources: Listed<
    Counts & Times & { readonly sourceIp?: string; readonly clientId?: string; readonly app?: string; readonly userAgent?: string }
  >
  readonly sessions: Listed<Counts & Times & { readonly sessionId?: string; readonly userId: string }>
  readonly users: Listed<ExposureCount>
  readonly purposes: Listed<ExposureCount>
  readonly breakGlass: ExposureCount
  readonly factors: readonly BreachFactor[]
}

/** `exposureReport`: what a filter selects, for the assessment of a breach. Control C23. */
export const exposureReport: AuditRoot<Arguments> = async ({ filter: given }, reading) => {
  const span = reportSpan(given)
  const filter = accessFilter(reading.policy, given, span)
  const report = await reportExposure(reading, filter, span)
  return { value: report, count: report.records, ...(filter.patient !== undefined && { patient: filter.patient }) }
}

/**
 * Reports the records that a filter selects.
 *
 * @throws FilterTooBroad for a span that the tables refuse; AuditLogUnavailable, StoreUnavailable
 */
export async function reportExposure(
  { reader, policy, deadline }: ExposureParts,
  filter: AccessFilter,
  span: ReportSpan,
): Promise<ExposureReport> {
  const { rows, examined } = await reader.tables.ask({ ...exposureFacets(policy, filter), span }, deadline)
  return { from: timeOf(span.from), to: timeOf(span.to), examined, ...reportOf(rows) }
}

function reportOf(all: readonly Row[]): Omit<ExposureReport, 'from' | 'to' | 'examined'> {
  const byFacet = Map.groupBy(all, (row) => numberIn(row, 'facet'))
  const rowsOf = (facet: Facet): readonly Row[] => byFacet.get(facetNumber(facet)) ?? []
  const list = (facet: Facet, column: string): Listed<ExposureCount> =>
    listed(rowsOf(facet), (row) => ({ ...named(row, column), ...counts(row), ...times(row) }))
  const [total] = rowsOf('ALL')
  const whole = total === undefined ? { acquired: 0, attempted: 0, patients: 0 } : counts(total)
  const everybody = total === undefined ? 0 : numberIn(total, 'patients')
  const patients = rowsOf('PATIENT').filter((row) => textIn(row, 'patient') !== undefined)
  const identifiers = rowsOf('CLASS')
    .map(classOf)
    .toSorted((one, other) => ((one.letter ?? '~') < (other.letter ?? '~') ? -1 : 1))
  const glass = rowsOf('BASIS').find((row) => textIn(row, 'basis') === 'BREAK_GLASS')
  const breakGlass = {
    name: 'BREAK_GLASS',
    ...(glass === undefined ? { acquired: 0, attempted: 0, patients: 0 } : { ...counts(glass), ...times(glass) }),
  }
  const days = list('DAY', 'day')
  const sources = listed(rowsOf('SOURCE'), (row) => ({
    ...optional(row, { sourceIp: 'sourceIp', clientId: 'client', app: 'app', userAgent: 'userAgent' }),
    ...counts(row),
    ...times(row),
  }))
  const users = list('USER', 'user')
  return {
    records: whole.acquired + whole.attempted,
    acquired: whole.acquired,
    attempted: whole.attempted,
    ...(total !== undefined && timeIn(total, 'earliest') !== undefined && times(total)),
    patients: {
      acquired: whole.patients,
      attemptedOnly: everybody - whole.patients,
      list: patients.map((row) => {
        const { acquired, attempted } = counts(row)
        return { patientId: requiredText(row, 'patient'), acquired, attempted, ...times(row) }
      }),
      complete: patients.length === everybody,
    },
    identifiers,
    categories: list('CATEGORY', 'kind').rows,
    paths: list('PATH', 'path'),
    outcomes: rowsOf('OUTCOME').map((row) => ({
      outcome: requiredText(row, 'outcome'),
      ...optional(row, { view: 'view', reason: 'reason' }),
      records: numberIn(row, 'records'),
      patients: numberIn(row, 'patients'),
      means: meaningOf(requiredText(row, 'outcome')),
    })),
    days: { ...days, rows: days.rows.toSorted((one, other) => ((one.name ?? '') < (other.name ?? '') ? -1 : 1)) },
    sources,
    sessions: listed(rowsOf('SESSION'), (row) => ({
      ...optional(row, { sessionId: 'session' }),
      userId: requiredText(row, 'user'),
      ...counts(row),
      ...times(row),
    })),
    users,
    purposes: list('PURPOSE', 'purpose'),
    breakGlass,
    factors: breachFactors({
      ...whole,
      masked: total === undefined ? 0 : numberIn(total, 'masked'),
      classes: identifiers.flatMap(({ letter, identifier, acquired }) =>
        letter === undefined || acquired === 0 ? [] : [`${letter} ${identifier ?? ''}`],
      ),
      users: users.total,
      clients: new Set(sources.rows.map(({ clientId }) => clientId)).size,
      addresses: sources.total,
      breakGlass: breakGlass.acquired + breakGlass.attempted,
    }),
  }
}

/** @throws AuditLogUnavailable */
function counts(row: Row): Counts {
  const acquired = numberIn(row, 'acquired')
  return { acquired, attempted: numberIn(row, 'records') - acquired, patients: numberIn(row, 'reached') }
}

const times = (row: Row): Times => ({
  earliest: timeOf(requiredTime(row, 'earliest')),
  latest: timeOf(requiredTime(row, 'latest')),
})

function named(row: Row, column: string): { readonly name?: string } {
  const name = textIn(row, column)
  return name === undefined ? {} : { name }
}

/** The members that the row has, by the names of the report. */
function optional<Names extends Readonly<Record<string, string>>>(
  row: Row,
  names: Names,
): { readonly [Name in keyof Names]?: string } {
  const found = Object.entries(names).flatMap(([name, column]) => {
    const text = textIn(row, column)
    return text === undefined ? [] : [[name, text] as const]
  })
  // safe: the names are those of the argument
  return Object.fromEntries(found) as { readonly [Name in keyof Names]?: string }
}

const listed = <Of>(rows: readonly Row[], of: (row: Row) => Of): Listed<Of> => ({
  total: rows[0] === undefined ? 0 : numberIn(rows[0], 'total'),
  rows: rows.map(of),
})

/** A class of Safe Harbor. A value that identifies no person by itself has none. */
function classOf(row: Row): ExposureReport['identifiers'][number] {
  // safe: the statement names the classes of the policy
  const identifier = textIn(row, 'class') as Identifier | undefined
  const [letter] = safeHarborClass(identifier).split(' ', 1)
  return {
    ...(identifier !== undefined && letter !== undefined && { letter, identifier }),
    ...counts(row),
    masked: numberIn(row, 'masked'),
  }
}
