import type { Trail } from '../audit/trail.ts'
import type { AccessRecord } from '../model/access-record.ts'
import type { DisclosureCounter } from './disclosure-counter.ts'

interface RecorderParts {
  readonly trail: Trail
  readonly counter: DisclosureCounter
}

/** Accesses that are recorded once a request, however many aliases lead to them. */
export class AccessRecorder {
  readonly #parts: RecorderParts
  readonly #told = new Set<string>()

  constructor(parts: RecorderParts) {
    this.#parts = parts
  }

  /** @param key what makes the access one; UNCOUNTED where not even a number may tell the caller of it */
  recordOnce(key: string, record: AccessRecord, counted: 'COUNTED' | 'UNCOUNTED' = 'COUNTED'): void {
    if (this.#told.has(key)) return
    this.#told.add(key)
    const { trail, counter } = this.#parts
    if (counted === 'COUNTED' && record.outcome === 'DENIED') counter.denied++
    if (counted === 'COUNTED' && record.outcome === 'UNAVAILABLE') counter.unavailable++
    trail.record(record)
  }
}
