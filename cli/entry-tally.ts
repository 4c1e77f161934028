/** Entries by what became of them. Every entry read counts in exactly one of the others, so that they add up to `read`. */
export interface EntryCounts {
  readonly read: number
  /** With a new or changed record, consent or membership. */
  readonly imported: number
  readonly unchanged: number
  /** Left out by a rule: their own status forbids to show them, or they have nothing to show. */
  readonly leftOut: number
  /** Older than another entry of the same resource. */
  readonly superseded: number
  /** Practitioners, organizations and medications: other entries give their content. */
  readonly readByOthers: number
  readonly notImported: number
  /** Refused. Each has a fault that gives the reason. */
  readonly issues: number
}

export type EntryKind = Exclude<keyof EntryCounts, 'read'>

const NONE: EntryCounts = {
  read: 0,
  imported: 0,
  unchanged: 0,
  leftOut: 0,
  superseded: 0,
  readByOthers: 0,
  notImported: 0,
  issues: 0,
}

/** Counts the entries of each file. */
export class EntryTally {
  readonly #files = new Map<string, EntryCounts>()

  /** A file without entries is listed, too. */
  addFile(file: string): void {
    if (!this.#files.has(file)) this.#files.set(file, NONE)
  }

  read(file: string, entries: number): void {
    this.#add(file, 'read', entries)
  }

  settled(file: string, kind: EntryKind, entries = 1): void {
    this.#add(file, kind, entries)
  }

  files(): readonly ({ readonly file: string } & EntryCounts)[] {
    return [...this.#files].map(([file, counts]) => ({ file, ...counts }))
  }

  total(): EntryCounts {
    return [...this.#files.values()].reduce(sum, NONE)
  }

  #add(file: string, kind: keyof EntryCounts, entries: number): void {
    const counts = this.#files.get(file) ?? NONE
    this.#files.set(file, { ...counts, [kind]: counts[kind] + entries })
  }
}

function sum(one: EntryCounts, other: EntryCounts): EntryCounts {
  const kinds = Object.keys(NONE) as (keyof EntryCounts)[]
  return Object.fromEntries(kinds.map((kind) => [kind, one[kind] + other[kind]])) as unknown as EntryCounts
}
