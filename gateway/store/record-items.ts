import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { PatientId, RecordId, RecordRef, TenantId } from '../model/ids.ts'
import type { Item, Key } from './batch-get.ts'

// The form of the items in the table of records.

/** A record as stored. Nothing of it can be read without its patient's key. */
export interface StoredRecord {
  readonly ref: RecordRef
  readonly manifest: Uint8Array
  /** The requested sealed values that exist. */
  readonly fields: ReadonlyMap<SchemaPath, Uint8Array>
  /** The version of the patient's access manifest. Only a patient's own record has it. */
  readonly access?: number
}

/** The attribute of a manifest, and of a sealed part of an index. */
export const MANIFEST = 'm'
const FIELD = 'f:'
/** The attribute of the version of the access manifest. */
export const ACCESS = 'a'

/** The sort key of an index root, and the beginning of that of a chunk. No type has this name. */
export const INDEX = '#INDEX'

export const indexKey = (tenant: TenantId, patient: PatientId, chunk?: number): Key => ({
  pk: `${tenant}#${patient}`,
  sk: chunk === undefined ? INDEX : `${INDEX}#${chunk}`,
})

export const recordItemKey = (tenant: TenantId, { patient, type, id }: RecordRef): Key => ({
  pk: `${tenant}#${patient}`,
  sk: `${type}#${id}`,
})

/** The name of a record within its patient: `Type#id`. */
export const nameOf = ({ type, id }: Pick<RecordRef, 'type' | 'id'>): string => `${type}#${id}`

/** The record of a patient with the name `Type#id`. */
export function named(patient: PatientId, name: string): RecordRef {
  const mark = name.indexOf('#')
  return { type: name.slice(0, mark) as TypeName, patient, id: name.slice(mark + 1) as RecordId }
}

/** `Patient.address.city` is stored as `f:address.city`, because the key contains the type. */
const attributeOf = (path: SchemaPath): string => FIELD + path.slice(path.indexOf('.') + 1)

/** The attributes to read for some values of a record. */
export const attributesFor = (paths: ReadonlySet<SchemaPath>): string[] => [MANIFEST, ACCESS, ...[...paths].map(attributeOf)]

export function toItem(tenant: TenantId, { ref, manifest, fields }: StoredRecord): Item {
  const { pk, sk } = recordItemKey(tenant, ref)
  const item: Item = { pk: { S: pk }, sk: { S: sk }, [MANIFEST]: { B: manifest } }
  for (const [path, sealed] of fields) item[attributeOf(path)] = { B: sealed }
  return item
}

export function toStored(item: Item): StoredRecord {
  const sk = text(item['sk'])
  const type = sk.slice(0, sk.indexOf('#')) as TypeName
  const fields = new Map<SchemaPath, Uint8Array>()
  for (const [name, value] of Object.entries(item)) {
    if (name.startsWith(FIELD)) fields.set(`${type}.${name.slice(FIELD.length)}` as SchemaPath, bytes(value))
  }
  const access = item[ACCESS]?.N
  return {
    ref: { type, patient: patientOf(item), id: sk.slice(sk.indexOf('#') + 1) as RecordId },
    manifest: bytes(item[MANIFEST]),
    fields,
    ...(access !== undefined && { access: Number(access) }),
  }
}

/** A tenant's name contains no `#`. */
export const patientOf = (item: Item): PatientId => text(item['pk']).slice(text(item['pk']).indexOf('#') + 1) as PatientId

export function text(value: AttributeValue | undefined): string {
  return value?.S ?? ''
}

/** An attribute of another type is not a sealed value. It becomes zero bytes, which do not open. */
export function bytes(value: AttributeValue | undefined): Uint8Array {
  return value?.B ?? new Uint8Array()
}
