import { describe, expect, it } from 'vitest'
import { decide } from '../../gateway/decide/decide.ts'
import { compilePolicy } from '../../directives/compile.ts'
import { grantRows } from '../../directives/table.ts'
import { clinicTypeDefs } from '../../schema/clinic.ts'
import type { Instant } from '../../gateway/model/ids.ts'
import type { PurposeOfUse, Relationship, Role, View } from '../../directives/policy.ts'
import { readShared } from './folder.ts'

const { policy } = compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' })
const [header, ...published] = readShared('grants.csv').trim().split(/\r?\n/)
const compiled = grantRows(policy).map(({ role, purposes, relationship, path, view }) =>
  [role, purposes, relationship, path, view].join(','),
)

describe('the compiled table equals the published one', () => {
  it('reads the published table', () => {
    expect(header).toBe('role,purposes,relationship,path,view')
    expect(new Set(published).size).toBe(published.length)
    expect(published.length).toBeGreaterThan(400)
  })

  it('grants nothing that is not published, and no row twice', () => {
    expect(compiled.filter((row) => !published.includes(row))).toEqual([])
    expect(new Set(compiled).size).toBe(compiled.length)
  })

  it('grants every published row', () => {
    expect(published.filter((row) => !compiled.includes(row))).toEqual([])
  })
})

const PURPOSES: readonly PurposeOfUse[] = ['TREAT', 'ETREAT', 'BTG', 'HPAYMT', 'HOPERAT', 'HRESCH', 'PATRQT', 'PUBHLTH']
const RELATIONSHIPS = ['CARE_TEAM', 'SELF', 'PROXY', 'AUTHOR', 'ORGANIZATION'] as Relationship[]
const NOW = Date.UTC(2026, 0, 31) as Instant

describe('C05: each decision equals the published one', () => {
  const views = new Map<string, View>()
  for (const row of published) {
    const [role, purposes = '', relationship, path, view] = row.split(',')
    for (const purpose of purposes.split(' ')) views.set([role, purpose, relationship, path].join(','), view as View)
  }

  it('for every role, purpose, relationship and path, one relationship at a time', () => {
    const count = { GRANTED: 0, MASKED: 0, DENIED: 0, INDETERMINATE: 0 }
    const wrong: string[] = []
    for (const role of policy.roles.keys()) {
      for (const purpose of PURPOSES) {
        for (const relationship of [...RELATIONSHIPS, undefined]) {
          const facts = {
            relationships: new Set(relationship === undefined ? [] : [relationship]),
            consent: { rules: policy.consent, given: [] },
          }
          for (const field of policy.phi.values()) {
            const key = [role, purpose, relationship ?? '', field.path].join(',')
            const decision = decide(field, { roles: new Set<Role>([role]), purpose }, facts, NOW)
            const view = views.get(key)
            const expected = view === undefined ? 'DENIED' : view === 'FULL' ? 'GRANTED' : 'MASKED'
            count[decision.outcome]++
            if (decision.outcome !== expected || ('view' in decision ? decision.view : undefined) !== view) wrong.push(key)
          }
        }
      }
    }
    expect(wrong).toEqual([])
    const { GRANTED, MASKED, DENIED, INDETERMINATE } = count
    const asked = policy.roles.size * PURPOSES.length * (RELATIONSHIPS.length + 1) * policy.phi.size
    expect(GRANTED + MASKED + DENIED).toBe(asked)
    expect(INDETERMINATE).toBe(0)
    expect(GRANTED + MASKED).toBe(views.size)
    console.info(
      `${asked} combinations: ${GRANTED} granted, ${MASKED} masked, ${DENIED} denied; ${published.length} rows published`,
    )
  })
})
