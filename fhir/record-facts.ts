import { precisionOf } from '../gateway/model/date-span.ts'
import type { RecordFacts } from '../gateway/model/record-rules.ts'
import { codesOf } from './coded.ts'
import type { Concept } from './datatypes.ts'
import { firstInstant } from './instant.ts'

interface Said {
  /** The clinically relevant time, as it was written: a FHIR dateTime. */
  readonly time?: string | undefined
  /** The main concept, or several where no one of them is it. */
  readonly concepts?: readonly (Concept | undefined)[]
  /** Every category of the record. */
  readonly categories?: readonly (string | undefined)[]
}

/** The metadata that filters and lists use. Imported and written records get theirs here. */
export function recordFacts({ time, concepts = [], categories = [] }: Said): Omit<RecordFacts, 'labels'> {
  const datePrecision = time === undefined ? undefined : precisionOf(time)
  const codes = [...new Set(concepts.flatMap(codesOf))]
  const present = [...new Set(categories.filter((one) => one !== undefined))]
  return {
    ...(time !== undefined && { date: firstInstant(time) }),
    ...(datePrecision !== undefined && { datePrecision }),
    ...(codes.length > 0 && { codes }),
    ...(present.length > 0 && { categories: present }),
  }
}
