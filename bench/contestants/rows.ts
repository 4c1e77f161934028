import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import type { Json } from '../../gateway/index.ts'

// The table of the other contestants: one partition for each patient, one item for each record, one attribute for each value.

/** An item of the table, as DynamoDB returns it. */
export type Row = Record<string, AttributeValue>

/** Indexes over the rows of patients. Both project all attributes, so that a panel is one query. */
export const BY_TEAM = 'byTeam'
export const BY_TENANT = 'byTenant'

/** @param patient the public id of the patient */
export const partitionOf = (tenant: string, patient: string): string => `${tenant}#${patient}`
export const teamOf = (tenant: string, fhirUser: string): string => `${tenant}#${fhirUser}`

export function toPlain(value: Json): AttributeValue {
  if (typeof value === 'string') return { S: value }
  if (typeof value === 'number') return { N: String(value) }
  if (typeof value === 'boolean') return { BOOL: value }
  if (value === null) return { NULL: true }
  if (Array.isArray(value)) return { L: value.map((part: Json) => toPlain(part)) }
  return { M: Object.fromEntries(Object.entries(value).map(([name, part]) => [name, toPlain(part)])) }
}

export function fromPlain(value: AttributeValue | undefined): Json {
  if (value === undefined) return null
  if (value.S !== undefined) return value.S
  if (value.N !== undefined) return Number(value.N)
  if (value.BOOL !== undefined) return value.BOOL
  if (value.L !== undefined) return value.L.map(fromPlain)
  if (value.M === undefined) return null
  return Object.fromEntries(Object.entries(value.M).map(([name, part]) => [name, fromPlain(part)]))
}
