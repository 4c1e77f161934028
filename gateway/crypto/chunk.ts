// A sealed list that is too long for one item: its entries are in chunks, and the list has an entry for each chunk.

/** The entry of a list for one of its chunks. */
export interface Chunk {
  /** The first name that belongs to the chunk. Empty for the first chunk. */
  readonly first: string
  /** Identifies the chunk within the list. A number is never used again. */
  readonly number: number
  readonly digest: string
}

/** Returns the chunk that a name belongs to. @param chunks sorted by their first names */
export const chunkHolding = <Part extends Pick<Chunk, 'first'>>(chunks: readonly Part[], name: string): Part | undefined =>
  chunks.findLast(({ first }) => first <= name)

/** Returns the chunks that can hold a name between two names, both included. @param chunks sorted by their first names */
export const chunksWithin = <Part extends Pick<Chunk, 'first'>>(
  chunks: readonly Part[],
  { from, to }: { readonly from: string; readonly to: string },
): readonly Part[] =>
  chunks.filter(({ first }, index) => {
    const next = chunks[index + 1]
    return first <= to && (next === undefined || next.first > from)
  })
