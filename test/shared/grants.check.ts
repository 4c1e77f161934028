import { describe, expect, it } from 'vitest'
import { decide } from '../../gateway/decide/decide.ts'
import { compilePolicy } from '../../directives/compile.ts'
import { changeRows, grantRows } from '../../directives/table.ts'
import { clinicTypeDefs } from '../../schema/clinic.ts'
import type { Instant } from '../../gateway/model/ids.ts'
import type { Action, PurposeOfUse, Relationship, Role, View } from '../../directives/policy.ts'
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

describe('C05: each decision to change a value equals the published one', () => {
  const [writeHeader, ...writes] = readShared('grants-write.csv').trim().split(/\r?\n/)
  const ours = changeRows(policy).map(({ role, purposes, relationship, action, path }) =>
    [role, purposes, relationship, action, path].join(','),
  )

  it('reads the published table', () => {
    expect(writeHeader).toBe('role,purposes,relationship,action,path')
    expect(new Set(writes).size).toBe(writes.length)
    expect(writes.length).toBeGreaterThan(200)
  })

  it('grants nothing that is not published, and no row twice', () => {
    expect(ours.filter((row) => !writes.includes(row))).toEqual([])
    expect(new Set(ours).size).toBe(ours.length)
  })

  it('grants every published row', () => {
    expect(writes.filter((row) => !ours.includes(row))).toEqual([])
  })

  const CHANGES: readonly Action[] = ['CREATE', 'UPDATE', 'DELETE']
  const allowed = new Set(
    writes.flatMap((row) => {
      const [role, purposes = '', relationship, action, path] = row.split(',')
      return purposes.split(' ').map((purpose) => [role, purpose, relationship, action, path].join(','))
    }),
  )

  it.each([
    ['without break-glass', undefined],
    ['with open break-glass, which opens no change', { grant: 'bg', until: (NOW + 1) as Instant }],
  ])('for every role, purpose, relationship, action and path, %s', (_name, breakGlass) => {
    const wrong: string[] = []
    let granted = 0
    for (const role of policy.roles.keys())
      for (const purpose of PURPOSES)
        for (const relationship of [...RELATIONSHIPS, undefined]) {
          const facts = {
            relationships: new Set(relationship === undefined ? [] : [relationship]),
            consent: { rules: policy.consent, given: [] },
            ...(breakGlass !== undefined && { breakGlass }),
          }
          for (const action of CHANGES)
            for (const field of policy.phi.values()) {
              const key = [role, purpose, relationship ?? '', action, field.path].join(',')
              const decision = decide(field, { roles: new Set<Role>([role]), purpose }, facts, NOW, action)
              const isGranted = decision.outcome === 'GRANTED' && decision.view === 'FULL'
              if (isGranted) granted++
              if (isGranted !== allowed.has(key) || (!isGranted && decision.outcome !== 'DENIED')) wrong.push(key)
              if (decision.outcome === 'DENIED' && decision.breakGlass) wrong.push(`${key} by break-glass`)
            }
        }
    expect(wrong).toEqual([])
    expect(granted).toBe(allowed.size)
  })
})
