import { createHash } from 'node:crypto'
import type { Deadline } from '../../model/deadline.ts'
import type { AuditTables } from '../tables/audit-tables.ts'
import { type AccessClasses, classesOf } from './access-classes.ts'
import { type AccessAggregates, judgedSpan, readAggregates } from './aggregates.ts'
import type { AnomalySettings } from './anomaly-settings.ts'
import type { Finding } from './finding.ts'
import { KINDS_OF_ANOMALY } from './kinds-of-anomaly.ts'
import { readRelated } from './related-reads.ts'
import type { WorkforceRelations } from './relations.ts'

/** Findings with a lower score are no suspicion: only a question with a lower `minScore` returns them. */
export const THRESHOLD = 0.5

/** The statement that counts suspicious accesses has at most this many findings, those with the highest scores. */
const MAX_SUSPICIONS = 1_000

export interface Anomalies {
  /** Of all kinds and scores, the highest score first. */
  readonly findings: readonly Finding[]
  readonly classes: AccessClasses
  readonly aggregates: AccessAggregates
}

/**
 * Finds unusual patterns of accesses in a span, and counts its granted accesses by class.
 *
 * @param span milliseconds since the epoch, inclusive. It is judged from the begin of its first local day
 * @throws FilterTooBroad, AuditLogUnavailable, StoreUnavailable
 */
export async function findAnomalies(
  tables: AuditTables,
  workforce: WorkforceRelations,
  { from, to }: { readonly from: number; readonly to: number },
  settings: AnomalySettings,
  deadline: Deadline,
): Promise<Anomalies> {
  const judged = judgedSpan(from, to, settings)
  return await tables.opened({ from: judged.baselineFrom, to: judged.to }, deadline, async (opened) => {
    const ofUsers = await readAggregates(opened, judged, settings, deadline)
    const users = new Set(ofUsers.days.flatMap(({ user_id, day }) => (day < judged.firstDay ? [] : [user_id])))
    const { related, examined } = await readRelated(opened, workforce, users, judged, settings.related.careDays, deadline)
    const aggregates = { ...ofUsers, related, examined: Math.max(ofUsers.examined, examined) }
    const findings = findingsIn(aggregates, settings)
    const classes = await classesOf(opened, aggregates, suspicions(findings), deadline)
    return { findings, classes, aggregates }
  })
}

/** All findings of aggregates, the highest score first. Equal scores are in the order of time. */
export function findingsIn(aggregates: AccessAggregates, settings: AnomalySettings): Finding[] {
  return KINDS_OF_ANOMALY.flatMap((kind) => kind.find(aggregates, settings)).toSorted(compareFindings)
}

/** The findings that make an access suspicious. */
export const suspicions = (findings: readonly Finding[]): readonly Finding[] =>
  findings.filter(({ score }) => score >= THRESHOLD).slice(0, MAX_SUSPICIONS)

function compareFindings(one: Finding, other: Finding): number {
  return other.score - one.score || one.from - other.from || (idOf(one) < idOf(other) ? -1 : 1)
}

/** The id of a finding: the same pattern has the same id in each answer. */
export function idOf({ kind, user, from, to, filter, patients }: Finding): string {
  const key = JSON.stringify([kind, user, from, to, patients, filter.path ?? '', filter.basis ?? ''])
  return createHash('sha256').update(key).digest('base64url').slice(0, 16)
}
