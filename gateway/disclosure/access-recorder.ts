import type { Trail } from '../audit/trail.ts'
import type { AccessRecord } from '../model/access-record.ts'
import type { DisclosureCounter } from './disclosure-counter.ts'

interface RecorderParts {
  readonly trail: Trail
  readonly counter: DisclosureCounter
}

/** Records an access once in a request, however many aliases lead to it. */
export class AccessRecorder {
  readonly #parts: RecorderParts
  readonly #recorded = new Set<string>()

  constructor(parts: RecorderParts) {
    this.#parts = parts
  }

  /** @param key identifies the access; LEFT_OUT keeps it out of the counts of the answer, and out of the length of its audit item */
  recordOnce(key: string, record: AccessRecord, counted: 'COUNTED' | 'LEFT_OUT' = 'COUNTED'): void {
    if (this.#recorded.has(key)) return
    this.#recorded.add(key)
    const { trail, counter } = this.#parts
    if (counted === 'COUNTED' && record.outcome === 'DENIED') counter.denied++
    if (counted === 'COUNTED' && record.outcome === 'UNAVAILABLE') counter.unavailable++
    trail.record(record, counted === 'LEFT_OUT' ? { kind: 'LEFT_OUT' } : undefined)
  }
}
