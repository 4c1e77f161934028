import { type AnomalyKind, ANOMALY_KINDS, type Finding } from '../../../../../gateway/oversight/anomalies/finding.ts'
import type { Plant } from './planting.ts'

/** How well the findings of one kind meet the plants. */
export interface KindScore {
  readonly kind: AnomalyKind
  readonly plants: number
  readonly found: number
  /** found / plants */
  readonly recall: number
  readonly findings: number
  /** Findings of the accesses of a plant of this kind. */
  readonly own: number
  /** Findings of the accesses of a plant of another kind: the same misuse, seen from another side. */
  readonly other: number
  /** Findings of no planted misuse. */
  readonly wrong: number
  /** (own + other) / findings */
  readonly precision: number
}

/** The kinds that are about single patients. Their findings can span the judged days, so a plant of the same time is not enough. */
const OF_PATIENTS: ReadonlySet<AnomalyKind> = new Set(['SELF', 'FAMILY', 'NEIGHBOR', 'CO_WORKER', 'VIP'])

/** A finding meets a plant if it is of the same user, of the same time, and, for some kinds, of the same patient. */
const meets = (finding: Finding, plant: Plant): boolean =>
  (plant.crowd ?? [plant.user]).includes(finding.user) &&
  finding.from <= plant.to &&
  finding.to >= plant.from &&
  (!OF_PATIENTS.has(finding.kind) || finding.patients.some((patient) => plant.patients.has(patient)))

/** Each user of a plant has a finding. */
const isFound = (plant: Plant, findings: readonly Finding[]): boolean =>
  (plant.crowd ?? [plant.user]).every((user) => findings.some((finding) => finding.user === user && meets(finding, plant)))

export function scoreKinds(findings: readonly Finding[], plants: readonly Plant[]): KindScore[] {
  return ANOMALY_KINDS.map((kind) => {
    const planted = plants.filter((plant) => plant.kind === kind)
    const ofKind = findings.filter((finding) => finding.kind === kind)
    const found = planted.filter((plant) => isFound(plant, ofKind)).length
    const own = ofKind.filter((finding) => planted.some((plant) => meets(finding, plant))).length
    const other = ofKind.filter((finding) => plants.some((plant) => meets(finding, plant))).length - own
    const wrong = ofKind.length - own - other
    return {
      kind,
      plants: planted.length,
      found,
      recall: planted.length === 0 ? 1 : found / planted.length,
      findings: ofKind.length,
      own,
      other,
      wrong,
      precision: ofKind.length === 0 ? 1 : (own + other) / ofKind.length,
    }
  })
}

/** The findings of no planted misuse. */
export const wrongFindings = (findings: readonly Finding[], plants: readonly Plant[]): Finding[] =>
  findings.filter((finding) => !plants.some((plant) => meets(finding, plant)))
