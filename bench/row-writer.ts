import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import { encodeNodeId, type Json, type NewRecord } from '../gateway/index.ts'
import { partitionOf, type Row, teamOf } from './contestants/rows.ts'
import type { BenchPatient } from './data.ts'

/** Turns a value into an attribute. A contestant that encrypts returns bytes. */
export type ToAttribute = (value: Json, row: RowKey, name: string) => Promise<AttributeValue>

interface RowKey {
  readonly tenant: string
  readonly pk: string
  readonly sk: string
}

/** The rows of a patient. */
export async function rowsOf({ tenant, records, memberships }: BenchPatient, toAttribute: ToAttribute): Promise<Row[]> {
  const [first] = records
  if (!first) return []
  const own = encodeNodeId(first.ref)
  return await Promise.all(
    records.map(async (record) => {
      const key = keyOf(tenant, own, record)
      const values = await Promise.all(
        [...record.values].map(async ([path, value]) => {
          const name = path.slice(record.ref.type.length + 1)
          return [name, await toAttribute(value, key, name)] as const
        }),
      )
      const team = memberships.find(({ relationship }) => relationship === 'CARE_TEAM')?.fhirUser ?? ''
      const self = memberships.find(({ relationship }) => relationship === 'SELF')?.fhirUser
      return {
        pk: { S: key.pk },
        sk: { S: key.sk },
        id: { S: encodeNodeId(record.ref) },
        ...(record.ref.type === 'Patient' && {
          tenant: { S: tenant },
          team: { S: teamOf(tenant, team) },
          ...(self !== undefined && { self: { S: teamOf(tenant, self) } }),
        }),
        ...Object.fromEntries(values),
      }
    }),
  )
}

/** Observations sort by date. */
function keyOf(tenant: string, own: string, { ref, metadata }: NewRecord): RowKey {
  const sk = ref.type === 'Patient' ? 'Patient' : `${ref.type}#${metadata.date ?? ''}#${ref.id}`
  return { tenant, pk: partitionOf(tenant, own), sk }
}
