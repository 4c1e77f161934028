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

  /** @param key identifies the access */
  recordOnce(key: string, record: AccessRecord): void {
    if (this.#recorded.has(key)) return
    this.#recorded.add(key)
    const { trail, counter } = this.#parts
    if (record.outcome === 'DENIED') counter.denied++
    if (record.outcome === 'UNAVAILABLE') counter.unavailable++
    trail.record(record)
  }

  /**
   * Records a closed record that the answer omits, once, whether a list or an edge leads to it. It is kept out of the counts of the
   * answer, and out of the length of its audit item.
   *
   * @param part distinguishes parts of a record that are left out one by one
   */
  recordLeftOut(record: AccessRecord, part = ''): void {
    const key = `${record.recordType ?? ''} ${record.recordId ?? ''} LEFT_OUT ${part}`
    if (this.#recorded.has(key)) return
    this.#recorded.add(key)
    this.#parts.trail.record(record, { kind: 'LEFT_OUT' })
  }
}
