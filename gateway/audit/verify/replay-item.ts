import type { LockTable } from '../../../directives/lock-table.ts'
import { CLOCK_TOLERANCE_MS } from './hour-limits.ts'
import type { ItemContent } from './item-text.ts'
import { type ReplayedCaller, replayedCaller } from './replay-caller.ts'
import { claimedAccess, claimedBasis, type ClaimedBasis, type ClaimedContext, claimedContext } from './replay-claim.ts'
import { isClientChange, replayChange } from './replay-change.ts'
import { replayAccess } from './replay-existence.ts'
import { dependsOn, notAllowed, type ReplayFault, type ReplayVerdict } from './replay-verdict.ts'

type Members = Readonly<Record<string, unknown>>
/** NONE: the record discloses nothing, and is no change by a client. */
type Verdict = ReplayVerdict | 'NONE'

/** Verdicts in memory at most. Equal facts have equal verdicts, and a deployment has some thousands. */
const MAX_VERDICTS = 20_000

/** Replays items under one policy lock. Records of equal facts are decided once. */
export class LockReplay {
  readonly #lock: LockTable | undefined
  #contexts = new Map<string, Map<string, Map<string, Verdict>>>()
  #verdicts = 0

  /** @param lock undefined if the lock is missing or unreadable */
  constructor(lock: LockTable | undefined) {
    this.#lock = lock
  }

  /**
   * Calls `visit` with each disclosure of an item, and with each change by a client. Heads and shapes exist, as `itemFacts` checks.
   *
   * @param visit gets the number of the record in the item, from 1, and its shape
   */
  item(
    { c, g, h, s }: ItemContent,
    visit: (verdict: ReplayVerdict, index: number, head: Members, shape: Members | string) => void,
  ): void {
    if (this.#verdicts > MAX_VERDICTS) {
      this.#contexts = new Map()
      this.#verdicts = 0
    }
    const { at, ct, m, pu, ro, st, t } = c
    const context = nested(
      this.#contexts,
      JSON.stringify([pu, ro, m === true, st === undefined, at === undefined, ct === undefined]),
    )
    const shapeKeys = s.map(shapeKey)
    const byHead = h.map((head) => nested(context, headKey(head, st)))
    const isLater = h.map(({ si }) => beginsLater(si, t))
    let index = 0
    for (const [place, , , shapes] of g) {
      const [head, known] = [h[place], byHead[place]]
      for (const at of shapes) {
        index++
        const [shape, key] = [s[at], shapeKeys[at]]
        if (head === undefined || known === undefined || shape === undefined || key === undefined) continue
        let verdict = known.get(key)
        if (verdict === undefined) {
          verdict = this.#decide(claimedContext(c), claimedBasis(head, st), shape)
          known.set(key, verdict)
          this.#verdicts++
        }
        if (verdict !== 'NONE') visit(isLater[place] === true ? LATER : verdict, index, head, shape)
      }
    }
  }

  #decide(context: ClaimedContext, basis: ClaimedBasis, shape: Members | string): Verdict {
    const access = claimedAccess(shape, basis.recordType)
    if (access === 'NONE') return 'NONE'
    if (access === 'MALFORMED') return notAllowed('FORM')
    const lock = this.#lock
    if (lock === undefined) return dependsOn('LOCK')
    if (access.outcome === 'WRITTEN' && !isClientChange(lock, context, basis, access)) return 'NONE'
    const caller: ReplayedCaller | ReplayFault = replayedCaller(lock, context)
    if (typeof caller === 'string') return notAllowed(caller)
    const verdict = (access.outcome === 'WRITTEN' ? replayChange : replayAccess)(lock, caller, basis, access)
    // a lock has no contracts: they can only narrow
    return verdict.kind === 'REPLAYED' && context.hasContract ? dependsOn('CONTRACT') : verdict
  }
}

/** A relationship that began after the request opened nothing. The item has the time of its first record. */
const LATER = notAllowed('RELATIONSHIP')
const beginsLater = (since: unknown, time: unknown): boolean =>
  typeof since === 'number' && typeof time === 'number' && since > time + CLOCK_TOLERANCE_MS

function nested<Value>(map: Map<string, Map<string, Value>>, key: string): Map<string, Value> {
  const known = map.get(key) ?? new Map<string, Value>()
  map.set(key, known)
  return known
}

// A key has all members that a verdict depends on, and none that differs from record to record.

function headKey({ b, bi, li, ls, rt, si }: Members, study: unknown): string {
  const id = typeof bi !== 'string' || bi === '' ? 0 : bi === study ? 1 : 2
  return JSON.stringify([rt, b, id, si === undefined, ls === true, li])
}

function shapeKey(shape: Members | string): string {
  if (typeof shape === 'string') return shape
  const { a = 0, o = 0, p, re, ru = 0 } = shape
  return JSON.stringify([p, o, ru, a, re === undefined])
}
