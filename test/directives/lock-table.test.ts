import { describe, expect, it } from 'vitest'
import { compilePolicy } from '../../directives/compile.ts'
import { LockUnreadable } from '../../directives/lock.ts'
import { type LockTable, readLock } from '../../directives/lock-table.ts'
import { dentalTypeDefs } from '../../examples/dental/schema.ts'
import { clinicTypeDefs } from '../../schema/clinic.ts'

/** The members of a table that a lock gives back. A notice decides nothing. */
function decidingPart({ phi, records, classes, computed, calls, roles, consent }: LockTable): LockTable {
  const rules = [...consent].map(([label, { notice: _, ...policy }]) => [label, policy] as const)
  return { phi, records, classes, computed, calls, roles, consent: new Map(rules) }
}

describe('P7: the table of a lock', () => {
  it.each([
    ['the shipped clinic', clinicTypeDefs(), ['CARE_TEAM', 'SELF', 'PROXY', 'AUTHOR', 'ORGANIZATION']],
    ['the dental example', dentalTypeDefs(), ['SAME_PRACTICE']],
  ])('P7: is the compiled one: %s', (_name, sources, relationships) => {
    const { lock, policy } = compilePolicy(sources, { relationships: new Set(relationships) })
    const table = readLock(lock)
    expect(table).toEqual(decidingPart(policy))
    // the order of grants decides between equal views
    expect([...table.phi.values()].flatMap(({ grants }) => grants.map(({ rule }) => rule)).toSorted()).toEqual(
      [...policy.phi.values()].flatMap(({ grants }) => grants.map(({ rule }) => rule)).toSorted(),
    )
  })

  const phi = 'phi Patient.ssn class=VALUE category=IDENTITY identifier=SSN sensitivity=- at=Patient.ssn'
  const grant =
    'grant Patient.ssn roles=NURSE purposes=TREAT relationship=CARE_TEAM actions=READ view=FULL breakGlass=yes rule=Patient.ssn#1'
  it.each([
    ['an unknown view', `${phi}\n${grant.replace('FULL', 'LAST5')}`, 3],
    ['an unknown purpose', `${phi}\n${grant.replace('TREAT', 'SALES')}`, 3],
    ['an unknown action', `${phi}\n${grant.replace('READ', 'PEEK')}`, 3],
    ['a flag that is neither yes nor no', `${phi}\n${grant.replace('breakGlass=yes', 'breakGlass=maybe')}`, 3],
    ['a grant without its path', grant, 2],
    ['a rule that occurs twice', `${phi}\n${grant}\n${grant}`, 4],
    ['a path that occurs twice', `${phi}\n${phi}`, 3],
    ['a missing value', `${phi}\n${grant.replace(' view=FULL', '')}`, 3],
    ['an unknown kind of role', 'role NURSE kind=ROBOT mayClaim=TREAT mfa=yes seesExistence=yes', 2],
  ])('P7: refuses %s', (_name, lines, line) => {
    const read = () => readLock(`format 1\n${lines}\n`)
    expect(read).toThrow(LockUnreadable)
    expect(read).toThrow(expect.objectContaining({ line }))
  })
})
