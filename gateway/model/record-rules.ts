import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { RecordLabel } from '../../directives/policy.ts'
import type { DatePrecision } from './date-span.ts'
import type { Instant } from './ids.ts'
import type { Json } from './record.ts'

/** The metadata that follows from the values of a record: filters, order and consent labels use it. */
export interface RecordFacts {
  /** The clinically relevant time: the first moment that it includes, ISO 8601 in UTC with milliseconds. */
  readonly date?: string
  readonly datePrecision?: DatePrecision
  readonly codes?: readonly string[]
  readonly categories?: readonly string[]
  readonly labels?: readonly RecordLabel[]
}

/** A given value that breaks a rule. */
export interface ValueFault {
  readonly path: SchemaPath
  /** Names the field and the rule, never the value. */
  readonly detail: string
}

/** The rules of one record type. All functions are total over JSON, hostile values included. */
export interface TypeRules {
  /** The paths that `factsOf` reads. A change of one of them opens the others. */
  readonly from: readonly SchemaPath[]
  /** The paths whose values `check` compares with each other. A change of one of them opens the others. */
  readonly compared: readonly SchemaPath[]
  /** Absent values are absent from the map. */
  factsOf(values: ReadonlyMap<SchemaPath, Json>): RecordFacts
  /** Values that a record cannot be without: refused on create if missing, on update if cleared. */
  readonly required: readonly SchemaPath[]
  /** Faults of the given values, which may be some of the record's. */
  check(values: ReadonlyMap<SchemaPath, Json>, now: Instant): readonly ValueFault[]
}

/** The rules of a deployment. A type without an entry has the generic checks only. */
export type RecordRules = ReadonlyMap<TypeName, TypeRules>
