import type { TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { Comparison } from '../../directives/comparisons.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { ComparisonPart } from '../../directives/policy.ts'
import { comparisonTokens } from '../crypto/comparison-tokens.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import type { RecordId, RecordRef, TenantId } from '../model/ids.ts'
import type { ComparisonTable } from './comparisons.ts'
import { type DerivedRow, type DerivedWriter, rowChanges, type ValueOf } from './derived-rows.ts'

/** Writes the comparison tokens of a tenant's patients, with the patients' own records. */
export class ComparisonWriter implements DerivedWriter {
  readonly #table: ComparisonTable
  readonly #key: PurposeKey<'comparison'>
  readonly #tenant: TenantId
  readonly #comparison: Comparison

  constructor(table: ComparisonTable, key: PurposeKey<'comparison'>, tenant: TenantId, comparison: Comparison) {
    this.#table = table
    this.#key = key
    this.#tenant = tenant
    this.#comparison = comparison
  }

  paths(ref: RecordRef): readonly SchemaPath[] {
    return this.#isOwn(ref) ? [...this.#comparison.parts.values()] : []
  }

  write(ref: RecordRef, after: ValueOf | undefined, before?: ValueOf): TransactWriteItem[] {
    const rowsOf = (valueOf: ValueOf | undefined) => (valueOf === undefined ? [] : this.rows(ref, valueOf))
    return rowChanges(this.#table, rowsOf(after), rowsOf(before))
  }

  rows(ref: RecordRef, valueOf: ValueOf): DerivedRow[] {
    if (!this.#isOwn(ref)) return []
    const { patient } = ref
    const value = (part: ComparisonPart): unknown => {
      const path = this.#comparison.parts.get(part)
      return path === undefined ? undefined : valueOf(path)
    }
    const values = {
      patient,
      patientNumber: value('PATIENT_NUMBER'),
      familyName: value('FAMILY_NAME'),
      street: value('STREET_ADDRESS'),
      postalCode: value('POSTAL_CODE'),
      phone: value('PHONE'),
    }
    return comparisonTokens(this.#key, this.#tenant, values).map((token) => this.#table.row(this.#tenant, token, patient))
  }

  /** Safe: the own record of a patient has the patient's id. */
  recordOf({ patient }: DerivedRow): RecordRef {
    return { type: this.#comparison.type, patient, id: patient as string as RecordId }
  }

  #isOwn({ type, patient, id }: RecordRef): boolean {
    return type === this.#comparison.type && (id as string) === (patient as string)
  }
}
