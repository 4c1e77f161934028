/** The keys of a tenant that a rotation replaces: its tenant key, the key of its search entries, or both with its other purpose keys. */
export const ROTATION_SCOPES = ['tenant', 'search', 'all'] as const
export type RotationScope = (typeof ROTATION_SCOPES)[number]

/** The steps of a rotation, in order. WAIT lasts until every process writes search entries under the new key. */
export const ROTATION_STEPS = ['KEYS', 'REWRAP', 'WAIT', 'REWRITE', 'RETIRE'] as const
export type RotationStep = (typeof ROTATION_STEPS)[number]

/** A rotation as stored. All times are in milliseconds since the epoch. */
export interface RotationRun {
  readonly started: number
  readonly scope: RotationScope
  /** The version that each key has afterwards: a rotation that continues creates no further one. */
  readonly planned: {
    readonly tenant?: number | undefined
    readonly access?: number | undefined
    readonly cursor?: number | undefined
    readonly index?: number | undefined
  }
  readonly step: RotationStep
  /** The patients that the step has finished, of all patients, and those that it could not change. */
  readonly done: number
  readonly of: number
  readonly refused: number
  readonly updated: number
  readonly finished?: number | undefined
}
