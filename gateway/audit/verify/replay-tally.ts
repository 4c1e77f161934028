import { bytesToHex } from '@noble/hashes/utils.js'
import type { ReplayFinding } from './findings.ts'
import type { ItemContent } from './item-text.ts'
import { base64urlBytes, longPath } from './member-forms.ts'
import type { LockReplay } from './replay-item.ts'
import type { ReplayDependence, ReplayVerdict } from './replay-verdict.ts'

/** Disclosures and changes by the result of their replay. */
export interface ReplayCounts {
  /** Records with the outcome DISCLOSED or MASKED. */
  readonly disclosed: number
  /** Records with the outcome WRITTEN of changes by clients. The other counts but `locks` add up to the sum of these two. */
  readonly written: number
  readonly replayed: number
  readonly notAllowed: number
  /** Records that the lock alone does not decide, by the reason. */
  readonly depends: Readonly<Partial<Record<ReplayDependence, number>>>
  /** Disclosures and changes by the policy lock that the item names: its digest in hex. */
  readonly locks: Readonly<Record<string, number>>
}

type Place = Pick<ReplayFinding, 'lane' | 'sequence' | 'position'>

/** Counts the disclosures and changes of items, and reports those that the policy would not have allowed. */
export class ReplayTally {
  readonly #found: (finding: ReplayFinding) => void
  readonly #depends = new Map<ReplayDependence, number>()
  readonly #locks = new Map<string, number>()
  #disclosed = 0
  #written = 0
  #replayed = 0
  #notAllowed = 0

  constructor(found: (finding: ReplayFinding) => void) {
    this.#found = found
  }

  item(replay: LockReplay, policy: string, content: ItemContent, place: Place): void {
    const before = this.#disclosed + this.#written
    replay.item(content, (verdict, index, head, shape) => {
      this.#count(verdict)
      if (isWritten(shape)) this.#written++
      else this.#disclosed++
      if (verdict.kind === 'NOT_ALLOWED')
        this.#found({ kind: 'NOT_ALLOWED', fault: verdict.fault, ...place, index, path: pathOf(head, shape) })
    })
    const count = this.#disclosed + this.#written - before
    if (count > 0) this.#locks.set(policy, (this.#locks.get(policy) ?? 0) + count)
  }

  counts(): ReplayCounts {
    return {
      disclosed: this.#disclosed,
      written: this.#written,
      replayed: this.#replayed,
      notAllowed: this.#notAllowed,
      depends: Object.fromEntries(this.#depends),
      locks: Object.fromEntries([...this.#locks].map(([digest, count]) => [bytesToHex(base64urlBytes(digest)), count])),
    }
  }

  #count(verdict: ReplayVerdict): void {
    switch (verdict.kind) {
      case 'REPLAYED':
        this.#replayed++
        break
      case 'NOT_ALLOWED':
        this.#notAllowed++
        break
      case 'DEPENDS':
        this.#depends.set(verdict.on, (this.#depends.get(verdict.on) ?? 0) + 1)
        break
      default:
        verdict satisfies never
    }
  }
}

export const NOTHING_REPLAYED: ReplayCounts = { disclosed: 0, written: 0, replayed: 0, notAllowed: 0, depends: {}, locks: {} }

/** The sum of two counts. */
export const addCounts = (one: ReplayCounts, other: ReplayCounts): ReplayCounts => ({
  disclosed: one.disclosed + other.disclosed,
  written: one.written + other.written,
  replayed: one.replayed + other.replayed,
  notAllowed: one.notAllowed + other.notAllowed,
  depends: sum(one.depends, other.depends),
  locks: sum(one.locks, other.locks),
})

function sum(one: Readonly<Record<string, number>>, other: Readonly<Record<string, number>>): Record<string, number> {
  const all = { ...one }
  for (const [key, count] of Object.entries(other)) all[key] = (all[key] ?? 0) + count
  return all
}

const isWritten = (shape: Readonly<Record<string, unknown>> | string): boolean =>
  typeof shape === 'object' && shape['o'] === 'WRITTEN'

function pathOf({ rt }: Readonly<Record<string, unknown>>, shape: Readonly<Record<string, unknown>> | string): string {
  const path = typeof shape === 'string' ? shape : shape['p']
  return typeof path === 'string' ? longPath(path, typeof rt === 'string' ? rt : undefined) : ''
}
