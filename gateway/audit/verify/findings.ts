import type { CheckpointFault } from './checkpoint.ts'
import type { ReplayFault } from './replay-verdict.ts'

/** A fault of one item, at its position in the tree. */
export interface ItemFinding {
  /**
   * ALTERED: its hash is not that of its text. FORMAT: its text is not an item. UNLINKED: its `prev` is not the hash of the item before.
   * OUT_OF_ORDER: it repeats a number, or comes after a higher one. STRAY_SUCCESSION: its `succeeds` is malformed, or it is not the
   * first item of its lane and has one. REPLACED: the signed tree has another item at this position.
   */
  readonly kind: 'ALTERED' | 'FORMAT' | 'UNLINKED' | 'OUT_OF_ORDER' | 'STRAY_SUCCESSION' | 'REPLACED'
  readonly lane: string
  readonly sequence: number
  readonly position: number
}

/** The policy lock of the item does not allow this disclosure. */
export interface ReplayFinding {
  readonly kind: 'NOT_ALLOWED'
  readonly fault: ReplayFault
  readonly lane: string
  readonly sequence: number
  readonly position: number
  /** Number of the record in the item, from 1. */
  readonly index: number
  readonly path: string
}

/** The items of the lane between `after` and this one are missing. */
export interface GapFinding {
  readonly kind: 'GAP'
  readonly lane: string
  readonly sequence: number
  readonly after: number
  readonly position: number
}

export interface SegmentFinding {
  /**
   * SEGMENT_MISSING: no segment holds the positions from `start` to `end - 1`. SEGMENT_OVERLAP: another segment holds them too.
   * SEGMENT_FORM: the object is no segment, or its lines are not as many as its positions.
   */
  readonly kind: 'SEGMENT_MISSING' | 'SEGMENT_OVERLAP' | 'SEGMENT_FORM'
  readonly start: number
  readonly end: number
  /** Number of the first line that is no item, from 1. */
  readonly line?: number
  /** Number of items, if it is not `end - start`. */
  readonly count?: number
}

interface TileFinding {
  /** TILE_MISSING: the tile is needed and absent. TILE_ALTERED: it is not the tile of the signed tree. */
  readonly kind: 'TILE_MISSING' | 'TILE_ALTERED'
  readonly name: string
}

export interface CheckpointFinding {
  /**
   * CHECKPOINT: the note is refused, for `reason`; NAME: the note has another size than its name. CHECKPOINT_MISSING: a segment ends at
   * this size, and no checkpoint has it. WITNESS: the last checkpoint lacks the quorum. ROOT: the items from `from` to `size - 1` are
   * not the signed ones. TWO_ROOTS: two checkpoints of this size have different roots. TWO_TIMES: they have different times. BACKWARDS:
   * a larger log was signed at an earlier time. TRUNCATED: a checkpoint has this size, and the items end before it. REPLAYED: the
   * latest checkpoint is not the last one.
   */
  readonly kind:
    | 'CHECKPOINT'
    | 'CHECKPOINT_MISSING'
    | 'WITNESS'
    | 'ROOT'
    | 'TWO_ROOTS'
    | 'TWO_TIMES'
    | 'BACKWARDS'
    | 'TRUNCATED'
    | 'REPLAYED'
  readonly size: number
  readonly from?: number
  readonly reason?: CheckpointFault | 'NAME'
  /** KEPT: a checkpoint of the auditor. Absent for one of the export. */
  readonly source?: 'KEPT'
}

interface RegistryFinding {
  /**
   * LANE_MISSING: the registry names the lane, and none of its items are there. CUT_SHORT: the lane ends before `declared`, which its
   * successor or the registry states. UNREGISTERED: the lane has items, and the registry of its hour does not name it. WRONG_HOUR: its
   * items are of another hour.
   */
  readonly kind: 'LANE_MISSING' | 'CUT_SHORT' | 'UNREGISTERED' | 'WRONG_HOUR'
  readonly lane: string
  readonly declared?: number
  readonly held?: number
}

/** A lane and those that name it as the lane before. */
export type SuccessionFinding =
  | {
      /** The lane has more than one transaction beyond `declared`, the end that its successor names. */
      readonly kind: 'WENT_ON'
      readonly lane: string
      readonly successor: string
      readonly held: number
      readonly declared: number
    }
  | {
      /** Several lanes of more than one transaction succeed this one. */
      readonly kind: 'FORKED'
      readonly lane: string
      readonly successors: readonly string[]
    }
  | {
      /** The succession leads from this lane back to it. */
      readonly kind: 'CIRCLE'
      readonly lane: string
    }

export interface ObjectFinding {
  /**
   * HOUR_FORM: the registry of an hour is malformed. LOCK_MISSING: items name a policy lock that is absent. LOCK_ALTERED: its content is
   * not that of its name. LOCK_FORM: items name it, and its text is no lock of a known format. LOCK_UNREVIEWED: items name it, and it is
   * none of those that the auditor reviewed.
   */
  readonly kind: 'HOUR_FORM' | 'LOCK_MISSING' | 'LOCK_ALTERED' | 'LOCK_FORM' | 'LOCK_UNREVIEWED'
  readonly name: string
}

export type LogFinding =
  | ItemFinding
  | ReplayFinding
  | GapFinding
  | SegmentFinding
  | TileFinding
  | CheckpointFinding
  | RegistryFinding
  | SuccessionFinding
  | ObjectFinding

/** An item that an earlier checkpoint should have included by its time. This is no forgery alarm. */
export interface LateItem {
  readonly lane: string
  readonly sequence: number
  /** From the time of the item to the checkpoint that includes it, in whole seconds. */
  readonly delay: number
}
