import { chunkHolding, type MembershipChunk, type Memberships, type PatientAccess } from '../crypto/patient-access.ts'
import type { Json } from '../model/record.ts'

/** The memberships that an access manifest contains itself. Its item stays below 4 KB, the read unit of DynamoDB. */
export const MAX_INLINE = 32
/** The memberships of a chunk. A longer chunk is divided into two halves. */
const MAX_IN_CHUNK = 64

/** A chunk, and its memberships if a change touches it. */
interface OpenChunk extends Pick<MembershipChunk, 'first' | 'number'> {
  readonly members: Map<string, Json> | undefined
}

/** The memberships of a patient while they are being written: a few inline, many in chunks. Seals and reads nothing. */
export class MembershipList {
  #inline: Map<string, Json> | undefined
  #chunks: OpenChunk[]
  #next: number
  readonly #changed = new Set<number>()

  /** @param opened the memberships of each chunk that a later `put` touches, by number */
  constructor(
    { members, chunks, next = 1 }: Pick<PatientAccess, 'members' | 'chunks' | 'next'>,
    opened: ReadonlyMap<number, Memberships>,
  ) {
    this.#inline = chunks === undefined ? new Map(members) : undefined
    this.#next = next
    this.#chunks = (chunks ?? []).map(({ first, number }) => {
      const members = opened.get(number)
      return { first, number, members: members && new Map(members) }
    })
  }

  /** @throws RangeError if the chunk of the name was not opened, which is a fault of the caller */
  put(name: string, content: Json): void {
    if (this.#inline !== undefined) {
      this.#inline.set(name, content)
      if (this.#inline.size > MAX_INLINE) this.#moveToChunk(this.#inline)
      return
    }
    const chunk = chunkHolding(this.#chunks, name)
    if (chunk?.members === undefined) throw new RangeError('The chunk of a membership was not opened.')
    chunk.members.set(name, content)
    this.#changed.add(chunk.number)
    if (chunk.members.size > MAX_IN_CHUNK) this.#halve(chunk, chunk.members)
  }

  /** The upper bound of the items that this number of changes writes: an entry each, and the chunks that they touch or add. */
  maxItems(changes: number): number {
    return this.#inline !== undefined && this.#inline.size + changes <= MAX_INLINE ? changes : 3 * changes
  }

  /** The chunks that `put` changed since the last call. */
  changes(): readonly { readonly number: number; readonly members: Memberships }[] {
    const changed = this.#chunks.flatMap(({ number, members }) =>
      members !== undefined && this.#changed.has(number) ? [{ number, members }] : [],
    )
    this.#changed.clear()
    return changed
  }

  /** The form to store. @param digests of every chunk, by number */
  form(digests: ReadonlyMap<number, string>): Pick<PatientAccess, 'members' | 'chunks' | 'next'> {
    if (this.#inline !== undefined) return { members: this.#inline }
    const chunks = this.#chunks.map(({ first, number }) => ({ first, number, digest: digests.get(number) ?? '' }))
    return { chunks, next: this.#next }
  }

  #moveToChunk(members: Map<string, Json>): void {
    this.#inline = undefined
    this.#chunks = [this.#newChunk('', members)]
  }

  #halve(chunk: OpenChunk, members: Map<string, Json>): void {
    const sorted = [...members].toSorted(([one], [other]) => (one < other ? -1 : 1))
    const greater = sorted.slice(sorted.length >> 1)
    for (const [name] of greater) members.delete(name)
    this.#chunks.splice(this.#chunks.indexOf(chunk) + 1, 0, this.#newChunk(greater[0]?.[0] ?? '', new Map(greater)))
  }

  #newChunk(first: string, members: Map<string, Json>): OpenChunk {
    const number = this.#next++
    this.#changed.add(number)
    return { first, number, members }
  }
}
