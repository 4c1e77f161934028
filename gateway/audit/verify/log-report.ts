import { counted } from '../../model/counted.ts'
import type { LateItem, LogFinding } from './findings.ts'
import type { ReplayCounts } from './replay-tally.ts'
import type { ReplayDependence } from './replay-verdict.ts'

/** The result of a verification. Without findings, every item between `from` and `to` is the signed one. */
export interface LogReport {
  readonly origin: string
  readonly from: LogEnd
  readonly to: LogEnd
  /** Number of field-level records, items and lanes. */
  readonly records: number
  readonly items: number
  readonly lanes: number
  /** Checkpoints whose signatures, quorum and root hold, and those that the export must have. */
  readonly checkpoints: { readonly verified: number; readonly expected: number }
  /** Sizes of checkpoints that the log signed and the quorum of the policy did not. A later one with the quorum covers their items. */
  readonly unwitnessed: readonly number[]
  /** Witnesses that signed the last checkpoint, and those of the policy. */
  readonly witnesses: { readonly signed: number; readonly known: number }
  /** Checkpoints of the auditor, with those that the export covers. */
  readonly kept: { readonly verified: number; readonly given: number }
  readonly replay: ReplayCounts
  /** The first of them, and the number of all. */
  readonly late: { readonly count: number; readonly items: readonly LateItem[] }
  /** In the order in which they were found. Some kinds leave the rest of a segment unchecked. */
  readonly findings: readonly LogFinding[]
  /** More than the length of `findings` if there are very many. */
  readonly findingCount: number
}

/** One end of the verified part of a log. */
interface LogEnd {
  readonly size: number
  /** The signed time, in seconds since the epoch; absent without a checkpoint of this size. */
  readonly time?: number
}

/** One line for people: `1,234,567 field records in 154,321 items, 3 lanes, 96 of 96 checkpoints, 2 of 2 witnesses, no gap`. */
export function reportLine({ records, items, lanes, checkpoints, witnesses, findings }: LogReport): string {
  const gaps = findings.filter(({ kind }) => kind === 'GAP' || kind === 'SEGMENT_MISSING').length
  return [
    `${counted(records, 'field record')} in ${counted(items, 'item')}`,
    counted(lanes, 'lane'),
    `${checkpoints.verified.toLocaleString('en-US')} of ${counted(checkpoints.expected, 'checkpoint')}`,
    `${witnesses.signed} of ${counted(witnesses.known, 'witness', 'witnesses')}`,
    gaps === 0 ? 'no gap' : counted(gaps, 'gap'),
  ].join(', ')
}

const OTHER_DEPENDENCES: Readonly<Record<Exclude<ReplayDependence, 'LABELS' | 'CONSENT'>, readonly [one: string, many: string]>> = {
  EXISTENCE: ['shows only that a record exists', 'show only that a record exists'],
  INPUT: ['is computed from values of another relationship', 'are computed from values of another relationship'],
  STEP_UP: ['depends on the age of the sign-in', 'depend on the age of the sign-in'],
  CONTRACT: ['depends on a contract', 'depend on a contract'],
  LOCK: ['has no readable policy lock', 'have no readable policy lock'],
}

/**
 * One line for people: `replayed 1,200,345 of 1,234,567 disclosed or masked records; 34,222 depend on labels or consents; 0 not
 * allowed`. The counts add up.
 */
export function replayLine({ replay: { disclosed, written, replayed, depends, notAllowed } }: Pick<LogReport, 'replay'>): string {
  const byPatient = (depends.LABELS ?? 0) + (depends.CONSENT ?? 0)
  const others = Object.entries(OTHER_DEPENDENCES).flatMap(([on, [one, many]]) => {
    const count = depends[on as ReplayDependence] ?? 0
    return count === 0 ? [] : [counted(count, one, many)]
  })
  return [
    `replayed ${replayed.toLocaleString('en-US')} of ${counted(disclosed + written, written === 0 ? 'disclosed or masked record' : 'disclosed, masked or written record')}`,
    counted(byPatient, 'depends on labels or consents', 'depend on labels or consents'),
    ...others,
    `${notAllowed.toLocaleString('en-US')} not allowed`,
  ].join('; ')
}

/** The first bad item, by its position in the tree. */
export function firstBadItem(findings: readonly LogFinding[]): (LogFinding & { readonly position: number }) | undefined {
  return findings
    .filter((finding): finding is LogFinding & { readonly position: number } => 'position' in finding)
    .toSorted((one, other) => one.position - other.position)[0]
}
