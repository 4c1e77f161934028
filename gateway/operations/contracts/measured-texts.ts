import type { DocumentRefusal } from '../documents.ts'
import { type Footprint, largestFootprint } from '../footprint.ts'
import type { MeasuredOperation, Prover } from './prove.ts'

/** A text under a changed schema. If it is valid there, also its footprint under the schema before. */
type Measured = { readonly after: DocumentRefusal } | { readonly after: MeasuredOperation; readonly footprint: Footprint }

/**
 * The measures of texts under two schemas. Each text is read and validated once, because many clients share an operation. Only the
 * measures of shared texts are kept. Their documents are not: they take 150 KB each.
 */
export class MeasuredTexts {
  readonly #before: Prover
  readonly #after: Prover
  readonly #shared: ReadonlySet<string>
  readonly #measured = new Map<string, Measured>()
  readonly #measuredBefore = new Map<string, MeasuredOperation | DocumentRefusal>()

  constructor(before: Prover, after: Prover, texts: Iterable<string>) {
    this.#before = before
    this.#after = after
    this.#shared = repeated(texts)
  }

  of(text: string): Measured {
    return this.#once(this.#measured, text, () => {
      const after = this.#after.measure(text)
      if ('refused' in after) return { after }
      const { document, ...kept } = after
      const { schema, policy } = this.#before.parts
      return { after: kept, footprint: largestFootprint(schema, policy, document) }
    })
  }

  /** The text under the schema before, for the few operations whose faults have to be compared. */
  before(text: string): MeasuredOperation | DocumentRefusal {
    return this.#once(this.#measuredBefore, text, () => {
      const measured = this.#before.measure(text)
      if ('refused' in measured) return measured
      const { footprint, pages, cost } = measured
      return { footprint, pages, cost }
    })
  }

  #once<Value>(kept: Map<string, Value>, text: string, make: () => Value): Value {
    const known = kept.get(text)
    if (known !== undefined) return known
    const value = make()
    if (this.#shared.has(text)) kept.set(text, value)
    return value
  }
}

function repeated(texts: Iterable<string>): ReadonlySet<string> {
  const seen = new Set<string>()
  const shared = new Set<string>()
  for (const text of texts) if (seen.size === seen.add(text).size) shared.add(text)
  return shared
}
