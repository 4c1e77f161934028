import type { AccessFilter } from '../access-filter.ts'
import type { AccessAggregates } from './aggregates.ts'
import type { AnomalySettings } from './anomaly-settings.ts'

export const ANOMALY_KINDS = [
  'VOLUME',
  'MANY_PATIENTS',
  'OFF_HOURS',
  'DENIALS',
  'ENUMERATION',
  'GUESSED_SEARCHES',
  'UNREVIEWED_BREAK_GLASS',
  'MEMBERSHIP',
  'FIRST_USE',
  'PARTNER_HABITS',
  'SELF',
  'FAMILY',
  'NEIGHBOR',
  'CO_WORKER',
  'VIP',
] as const
export type AnomalyKind = (typeof ANOMALY_KINDS)[number]

/** One unusual pattern of accesses. */
export interface Finding {
  readonly kind: AnomalyKind
  /** 0 to 1. 0.5 is the threshold of the kind. */
  readonly score: number
  readonly user: string
  /** For a client that acts by itself: the user is the client. */
  readonly client?: string
  /** The first and last access, in milliseconds since the epoch. */
  readonly from: number
  readonly to: number
  /** One sentence. It has ids and numbers, and no value of a record. */
  readonly explanation: string
  readonly evidence: Readonly<Record<string, number>>
  /** The patients, if the finding is about single ones. */
  readonly patients: readonly string[]
  /** Selects the accesses of the finding. An auditor passes it to `fieldAccesses`. */
  readonly filter: AccessFilter
}

/** Finds the patterns of one kind in the judged days. A new kind is one more of these, in a file of its own. */
export interface KindOfAnomaly {
  readonly kind: AnomalyKind
  find(aggregates: AccessAggregates, settings: AnomalySettings): Finding[]
}

/** Patterns below this share of a threshold are no findings at any `minScore`. */
const MIN_MEASURE = 0.5

/** @param measure the pattern as a multiple of its threshold */
export const scoreOf = (measure: number): number => Math.round((1_000 * measure) / (1 + measure)) / 1_000

export const isFinding = (measure: number): boolean => measure >= MIN_MEASURE

/** At most one decimal, as a sentence has it. */
export const rounded = (value: number): number => (Number.isInteger(value) ? value : Math.round(value * 10) / 10)

/** A number in a sentence, without a noun. A number with its noun is `counted`. */
export const shown = (value: number): string => rounded(value).toLocaleString('en-US')
