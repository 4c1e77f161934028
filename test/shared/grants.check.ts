import { describe, expect, it } from 'vitest'
import { compilePolicy } from '../../directives/compile.ts'
import { grantRows } from '../../directives/table.ts'
import { clinicTypeDefs } from '../../schema/clinic.ts'
import { readShared } from './folder.ts'

const { policy } = compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' })
const [header, ...published] = readShared('grants.csv').trim().split(/\r?\n/)
const compiled = grantRows(policy).map(({ role, purposes, relationship, path, view }) =>
  [role, purposes, relationship, path, view].join(','),
)

describe('the compiled table is the published one', () => {
  it('reads the published table', () => {
    expect(header).toBe('role,purposes,relationship,path,view')
    expect(new Set(published).size).toBe(published.length)
    expect(published.length).toBeGreaterThan(400)
  })

  it('grants nothing that is not published, and no row twice', () => {
    expect(compiled.filter((row) => !published.includes(row))).toEqual([])
    expect(new Set(compiled).size).toBe(compiled.length)
  })

  it('grants all that is published', () => {
    expect(published.filter((row) => !compiled.includes(row))).toEqual([])
  })
})
