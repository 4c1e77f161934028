import type { WriteResult } from '../model/source-result.ts'
import type { WriteUnit } from './write-units.ts'

/** The writes of one call, over all of its attempts. */
export class WriteTally {
  readonly #counts = { created: 0, updated: 0, removed: 0, moved: 0 }
  readonly #records = new Set<string>()
  #accessChanged = false
  transactions = 0

  add(units: readonly WriteUnit[]): void {
    this.transactions++
    for (const { result, entries, access } of units) {
      if (result !== undefined) this.#counts[result]++
      if (access.length > 0) this.#accessChanged = true
      for (const { type, entry } of entries) this.#records.add(nameOf({ type, id: entry.id }))
    }
  }

  /** @param unchanged the records that the last attempt found unchanged. An earlier attempt may have written them */
  resultWith(unchanged: ReadonlySet<string>): WriteResult {
    const { created, updated, removed, moved } = this.#counts
    const unchangedRecords = new Set([...unchanged].filter((name) => !this.#records.has(name)))
    const counts = {
      created,
      updated,
      unchanged: unchangedRecords.size,
      ...(removed > 0 && { removed }),
      ...(moved > 0 && { moved }),
    }
    return { ...counts, unchangedRecords, accessChanged: this.#accessChanged }
  }
}

const nameOf = ({ type, id }: { readonly type: string; readonly id: string }): string => `${type}#${id}`
