import type { CheckpointFinding, LogFinding, ReplayFinding } from '../gateway/audit/verify/findings.ts'
import { counted } from '../gateway/model/counted.ts'

const ITEM: Readonly<Record<string, string>> = {
  ALTERED: 'its hash is not that of its text',
  FORMAT: 'its text is not an item',
  UNLINKED: 'it does not continue the item before',
  OUT_OF_ORDER: 'its number occurs before',
  STRAY_SUCCESSION: 'it names a lane before its own, and is not the first item of its lane',
  REPLACED: 'the signed tree has another item here',
}

const NOT_ALLOWED: Readonly<Record<ReplayFinding['fault'], string>> = {
  FORM: 'its outcome is none that a gateway records',
  PATH: 'the policy has no such path of this type of record',
  RULE: 'the path has no such rule, or another rule applies',
  ACTION: 'the rule does not permit the action',
  VIEW: 'the rule gives another view',
  ROLE: 'the rule names no role of the caller',
  PURPOSE: 'the roles or the rule do not permit the purpose',
  MFA: 'a role of the caller needs a second factor',
  STEP_UP: 'the call needs a recent sign-in',
  STUDY: 'research is possible only under a study, and a study only for research',
  BREAK_GLASS: 'break-glass does not open it',
  RELATIONSHIP: 'the basis is not that of the rule',
  LIMITS: 'it is outside the limits of the relationship',
  CONSENT: 'it is closed without a consent, or needs none',
  INPUT: 'the caller may not read a value that it is computed from',
}

const REASONS: Readonly<Record<NonNullable<CheckpointFinding['reason']>, string>> = {
  FORM: 'it is malformed',
  ORIGIN: 'it is of another log',
  KEY: 'no known key of the log signed it',
  SIGNATURE: 'a signature of a known key does not verify',
  TIME: 'its signatures have different times',
  NAME: 'it has another size than its name',
}

/** A finding as a line for people. Lanes are names that processes chose; the caller prints control characters escaped. */
export function findingLine(finding: LogFinding): string {
  switch (finding.kind) {
    case 'GAP':
      return `Gap: lane ${finding.lane}: ${items(finding.after + 1, finding.sequence - 1)} missing (before position ${finding.position})`
    case 'SEGMENT_MISSING':
      return `Gap: no segment holds positions ${finding.start} to ${finding.end - 1}`
    case 'SEGMENT_OVERLAP':
      return `Two segments hold positions from ${finding.start}`
    case 'SEGMENT_FORM':
      return `Segment ${finding.start}-${finding.end}: ${segmentFault(finding)}`
    case 'TILE_MISSING':
      return `${finding.name} is missing`
    case 'TILE_ALTERED':
      return `${finding.name} is not a tile of the signed tree`
    case 'HOUR_FORM':
      return `${finding.name} is malformed`
    case 'LOCK_MISSING':
      return `${finding.name} is missing, and items name it`
    case 'LOCK_ALTERED':
      return `${finding.name} has another content than its name states`
    case 'LANE_MISSING':
      return `Lane ${finding.lane} is missing: ${counted(finding.declared ?? 0, 'item is', 'items are')} declared`
    case 'CUT_SHORT':
      return `Lane ${finding.lane} ends at item ${finding.held ?? 0}: ${counted(finding.declared ?? 0, 'is', 'are')} declared`
    case 'WENT_ON':
      return `Lane ${finding.lane} went on to item ${finding.held}: lane ${finding.successor} names item ${finding.declared} as its end`
    case 'FORKED':
      return `Lane ${finding.lane} has several successors: ${finding.successors.join(', ')}`
    case 'CIRCLE':
      return `Lane ${finding.lane} succeeds itself over other lanes`
    case 'UNREGISTERED':
      return `Lane ${finding.lane} is in no registry of its hour`
    case 'WRONG_HOUR':
      return `Lane ${finding.lane} is in the registry of another hour`
    case 'LOCK_FORM':
      return `${finding.name} is not a policy lock of a known format, and items name it`
    case 'LOCK_UNREVIEWED':
      return `${finding.name} is not a policy lock that you reviewed, and items name it`
    case 'NOT_ALLOWED':
      return `Lane ${finding.lane}, item ${finding.sequence}, record ${finding.index} (position ${finding.position}): ${finding.path} was not allowed: ${NOT_ALLOWED[finding.fault]}`
    case 'ALTERED':
    case 'FORMAT':
    case 'UNLINKED':
    case 'OUT_OF_ORDER':
    case 'STRAY_SUCCESSION':
    case 'REPLACED':
      return `Lane ${finding.lane}, item ${finding.sequence} (position ${finding.position}): ${ITEM[finding.kind] ?? finding.kind}`
    case 'CHECKPOINT':
    case 'CHECKPOINT_MISSING':
    case 'WITNESS':
    case 'ROOT':
    case 'TWO_ROOTS':
    case 'TWO_TIMES':
    case 'BACKWARDS':
    case 'TRUNCATED':
    case 'REPLAYED':
      return checkpointLine(finding)
    default:
      return finding satisfies never
  }
}

function checkpointLine({ kind, size, from, reason, source }: CheckpointFinding): string {
  const name = `${source === 'KEPT' ? 'Kept checkpoint' : 'Checkpoint'} of size ${size}`
  switch (kind) {
    case 'CHECKPOINT':
      return `${name}: ${reason === undefined ? 'refused' : REASONS[reason]}`
    case 'CHECKPOINT_MISSING':
      return `${name} is missing`
    case 'WITNESS':
      return `${name} is the last one, and the quorum of the policy did not sign it`
    case 'ROOT':
      return `${name}: the items from position ${from ?? 0} to ${size - 1} are not the signed ones`
    case 'TWO_ROOTS':
      return `${name}: the log signed two roots for it`
    case 'TWO_TIMES':
      return `${name}: the log signed it at two times`
    case 'BACKWARDS':
      return `${name}: signed at an earlier time than a smaller one`
    case 'TRUNCATED':
      return `${name}: the items end at position ${from ?? 0}`
    case 'REPLAYED':
      return `${name} is given as the latest one, and a larger one exists`
    default:
      return kind satisfies never
  }
}

const items = (first: number, last: number): string => (first === last ? `item ${first} is` : `items ${first} to ${last} are`)

function segmentFault({
  start,
  end,
  line,
  count,
}: Extract<LogFinding, { kind: 'SEGMENT_MISSING' | 'SEGMENT_OVERLAP' | 'SEGMENT_FORM' }>): string {
  return [
    ...(line === undefined ? [] : [`line ${line} is malformed`]),
    ...(count === undefined ? [] : [`${counted(count, 'item')} for ${counted(end - start, 'position')}`]),
  ].join(', ')
}
