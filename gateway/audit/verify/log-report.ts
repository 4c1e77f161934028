import type { LateItem, LogFinding } from './findings.ts'

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

const counted = (count: number, one: string, many: string): string => `${count.toLocaleString('en-US')} ${count === 1 ? one : many}`

/** One line for people: `1,234,567 field records in 154,321 items, 3 lanes, 96 of 96 checkpoints, 2 of 2 witnesses, no gap`. */
export function reportLine({ records, items, lanes, checkpoints, witnesses, findings }: LogReport): string {
  const gaps = findings.filter(({ kind }) => kind === 'GAP' || kind === 'SEGMENT_MISSING').length
  return [
    `${counted(records, 'field record', 'field records')} in ${counted(items, 'item', 'items')}`,
    counted(lanes, 'lane', 'lanes'),
    `${checkpoints.verified.toLocaleString('en-US')} of ${counted(checkpoints.expected, 'checkpoint', 'checkpoints')}`,
    `${witnesses.signed} of ${counted(witnesses.known, 'witness', 'witnesses')}`,
    gaps === 0 ? 'no gap' : counted(gaps, 'gap', 'gaps'),
  ].join(', ')
}

/** The first bad item, by its position in the tree. */
export function firstBadItem(findings: readonly LogFinding[]): (LogFinding & { readonly position: number }) | undefined {
  return findings
    .filter((finding): finding is LogFinding & { readonly position: number } => 'position' in finding)
    .toSorted((one, other) => one.position - other.position)[0]
}
