import type { LogFinding } from '../../audit/verify/findings.ts'
import type { LogPolicy } from '../../audit/verify/log-policy.ts'
import type { LogReport } from '../../audit/verify/log-report.ts'
import { UnknownLog, verifyLog } from '../../audit/verify/verify-log.ts'
import type { Deadline } from '../../model/deadline.ts'
import { logPart } from '../log/log-export.ts'
import { LogPartSource } from '../log/log-part-source.ts'
import type { StoredLog } from '../log/stored-log.ts'
import type { ReportSpan } from './report-span.ts'

/** The verification of a part of the log. The type `VerificationReport` of the schema. */
export interface VerificationReport {
  readonly outcome: 'VERIFIED' | 'FINDINGS' | 'NOT_VERIFIED'
  readonly reason?: 'NOTHING_SEALED' | 'NO_POLICY' | 'UNKNOWN_LOG' | 'TOO_MANY_ITEMS' | 'TIME'
  readonly instead?: string
  readonly fromSize?: number
  readonly toSize?: number
  readonly items?: number
  readonly records?: number
  readonly lanes?: number
  readonly checkpointsVerified?: number
  readonly checkpointsExpected?: number
  readonly lateItems?: number
  readonly findingCount: number
  readonly findings: readonly { readonly kind: string; readonly count: number; readonly places: readonly string[] }[]
}

/** A part with more items is verified offline: one request must not read the whole log. */
const MAX_ITEMS = 200_000
const MAX_PLACES = 100
/** Share of the time for the verification. The rest is for the tables. */
const SHARE = 0.6

const OFFLINE = 'Run `phi audit export` for this time, and `phi audit verify` over the export with your own keys and checkpoints.'

const notVerified = (
  reason: NonNullable<VerificationReport['reason']>,
  part?: { start: number; end: number },
): VerificationReport => ({
  outcome: 'NOT_VERIFIED',
  reason,
  ...(reason !== 'NOTHING_SEALED' && { instead: OFFLINE }),
  ...(part !== undefined && { fromSize: part.start, toSize: part.end }),
  findingCount: 0,
  findings: [],
})

/** The time of the request does not suffice. */
class OutOfTime extends Error {
  override readonly name = 'OutOfTime'
}

/**
 * Verifies the part of a log that holds a span, with the keys that the log itself names.
 *
 * @param policy of the log; undefined if it has none that can be read
 * @throws StoreUnavailable
 */
export async function verifySpan(
  log: StoredLog,
  policy: LogPolicy | undefined,
  span: ReportSpan,
  deadline: Deadline,
): Promise<VerificationReport> {
  if ((await log.latest()) === undefined) return notVerified('NOTHING_SEALED')
  if (policy === undefined) return notVerified('NO_POLICY')
  const part = await logPart(log, span)
  if (part.end - part.start > MAX_ITEMS) return notVerified('TOO_MANY_ITEMS', part)
  const limit = deadline.share(SHARE)
  const inTime = (): void => {
    if (limit.left === 0) throw new OutOfTime()
  }
  try {
    const source = await LogPartSource.of(log, part)
    const report = await verifyLog(source, { policy, onProgress: inTime })
    return reportOf(report)
  } catch (error) {
    if (error instanceof UnknownLog) return notVerified('UNKNOWN_LOG', part)
    if (error instanceof OutOfTime) return notVerified('TIME', part)
    throw error
  }
}

function reportOf({ from, to, items, records, lanes, checkpoints, late, findings, findingCount }: LogReport): VerificationReport {
  const kinds = [...Map.groupBy(findings, ({ kind }) => kind)]
  return {
    outcome: findingCount === 0 ? 'VERIFIED' : 'FINDINGS',
    fromSize: from.size,
    toSize: to.size,
    items,
    records,
    lanes,
    checkpointsVerified: checkpoints.verified,
    checkpointsExpected: checkpoints.expected,
    lateItems: late.count,
    findingCount,
    findings: kinds.map(([kind, found]) => ({ kind, count: found.length, places: found.slice(0, MAX_PLACES).map(placeOf) })),
  }
}

/** Where a finding is, without anything that an item holds. */
function placeOf(finding: LogFinding): string {
  if ('position' in finding) return `position ${finding.position}`
  if ('start' in finding) return `positions ${finding.start} to ${finding.end - 1}`
  if ('size' in finding) return `size ${finding.size}`
  if ('name' in finding) return finding.name
  return `lane ${finding.lane}`
}
