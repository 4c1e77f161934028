import { getNamedType, isObjectType, type GraphQLField, type GraphQLNamedType } from 'graphql'
import { describe, expect, it } from 'vitest'
import { compilePolicy } from '../../directives/compile.ts'
import { grantRows } from '../../directives/table.ts'
import { clinicTypeDefs } from '../../schema/clinic.ts'
import { readShared } from './folder.ts'

const { schema, policy } = compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' })
const header = 'role,purposes,relationship,path,view'
const [first, ...published] = readShared('grants.csv').trim().split(/\r?\n/)
const compiled = grantRows(policy).map(({ role, purposes, relationship, path, view }) =>
  [role, purposes, relationship, path, view].join(','),
)

/** Whether the row's field is in the project; those of later stages are published already. Asked of the schema: a field
 * that the table has lost would not be missed otherwise. */
function isHere(row: string): boolean {
  const [typeName = '', ...fields] = row.split(',')[3]?.split('.') ?? []
  let type: GraphQLNamedType | undefined = schema.getType(typeName)
  for (const name of fields) {
    const field: GraphQLField<unknown, unknown> | undefined = isObjectType(type) ? type.getFields()[name] : undefined
    if (!field) return false
    type = getNamedType(field.type)
  }
  return type !== undefined
}

describe('the compiled table is the published one', () => {
  it('reads the published table', () => {
    expect(first).toBe(header)
    expect(published.filter(isHere).length).toBeGreaterThan(150)
  })

  it('grants nothing that is not published', () => {
    expect(compiled.filter((row) => !published.includes(row))).toEqual([])
  })

  it('grants all that is published for its paths', () => {
    expect(published.filter(isHere).filter((row) => !compiled.includes(row))).toEqual([])
  })
})
