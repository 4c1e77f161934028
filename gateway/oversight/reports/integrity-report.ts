import { type LogPolicy, parseLogPolicy } from '../../audit/verify/log-policy.ts'
import { POLICY_NAME } from '../../audit/verify/layout.ts'
import { readText } from '../../audit/verify/log-source.ts'
import type { AuditReading, AuditRoot } from '../audit-reader.ts'
import type { TimeArguments } from '../audit-times.ts'
import type { StoredLog } from '../log/stored-log.ts'
import { type CheckpointReport, checkpointReport } from './checkpoint-report.ts'
import { SEALED_ITEMS } from './integrity-statements.ts'
import { type ReportSpan, reportSpan, timeOf } from './report-span.ts'
import { numberIn, timeIn } from './row-values.ts'
import { type VerificationReport, verifySpan } from './span-verification.ts'

/** The gateway's report about its own log. The schema of the API describes the members. */
export interface IntegrityReport {
  readonly from: string
  readonly to: string
  readonly checkpoint?: CheckpointReport
  readonly sealedItems: number
  readonly unsealedItems: number
  readonly oldestUnsealed?: string
  readonly records: number
  readonly tableSize: number
  readonly verification: VerificationReport
}

/** `integrity`: the state of the sealed log, and a verification of a span. Control C08, promise P7. */
export const integrity: AuditRoot<TimeArguments> = async (given, reading) => {
  const report = await reportIntegrity(reading, reportSpan(given))
  return { value: report, count: report.records }
}

/** The parts of a reading for a report of the log. */
export type IntegrityParts = Pick<AuditReading, 'now' | 'deadline'> & {
  readonly reader: Pick<AuditReading['reader'], 'log' | 'tables'>
}

/** @throws FilterTooBroad for a span that the tables refuse; AuditLogUnavailable, StoreUnavailable */
export async function reportIntegrity(
  { reader: { log, tables }, now, deadline }: IntegrityParts,
  span: ReportSpan,
): Promise<IntegrityReport> {
  // before the items are counted, so that no counted item is missing that the checkpoint has
  const latest = await log.latest()
  const { rows, tableSize } = await tables.ask({ sql: SEALED_ITEMS, values: [], span }, deadline)
  const [row = {}] = rows
  const oldest = timeIn(row, 'oldest')
  const policy = await policyOf(log)
  return {
    from: timeOf(span.from),
    to: timeOf(span.to),
    ...(latest !== undefined && { checkpoint: await checkpointReport(latest, policy, now) }),
    sealedItems: numberIn(row, 'sealed'),
    unsealedItems: numberIn(row, 'unsealed'),
    ...(oldest !== undefined && { oldestUnsealed: timeOf(oldest) }),
    records: numberIn(row, 'records'),
    tableSize,
    verification: await verifySpan(log, policy, span, deadline),
  }
}

async function policyOf(log: StoredLog): Promise<LogPolicy | undefined> {
  const read = parseLogPolicy((await readText(log, POLICY_NAME)) ?? '')
  return read.outcome === 'READ' ? read.policy : undefined
}
