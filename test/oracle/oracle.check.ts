import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readShared } from '../shared/folder.ts'
import { agrees, type Clinic, openClinic, outcomesMet } from './agreement.ts'
import { mixedAgrees } from './mixed-agreement.ts'
import { type ChangeRule, changeRulesFromCsv, changeRulesOf } from './plain-changes.ts'
import { type Rule, rulesFromCsv, rulesOf } from './plain-rules.ts'
import { READABLE } from './readable.ts'
import { WRITABLE } from './writable.ts'

const PATIENCE_MS = 300_000

const published = rulesFromCsv(readShared('grants.csv'))
const row = ({ role, purposes, relationship, path, view }: Rule): string =>
  [role, purposes.join(' '), relationship, path, view].join(',')

let clinic: Clinic

beforeAll(async () => {
  clinic = await openClinic()
})
afterAll(() => clinic.running.stop())

describe('the published table of grants', () => {
  it("equals the table of the project's own tests", () => {
    expect(rulesOf(READABLE).map(row).toSorted()).toEqual(published.map(row).toSorted())
  })

  it(
    'P1 P3 P4 P5 P9 P11 P12: predicts every answer and its audit',
    async () => {
      const met = outcomesMet(await agrees(clinic, published))
      expect(met.get('READ DISCLOSED')).toBeGreaterThan(0)
    },
    PATIENCE_MS,
  )
})

describe('the published table of grants to change', () => {
  const changes = changeRulesFromCsv(readShared('grants-write.csv'))
  const changeRow = ({ role, purposes, relationship, action, path }: ChangeRule): string =>
    [role, purposes.join(' '), relationship, action, path].join(',')

  it("equals the table of the project's own tests", () => {
    expect(changeRulesOf(WRITABLE).map(changeRow).toSorted()).toEqual(changes.map(changeRow).toSorted())
  })

  it(
    'C05 C08: predicts every change, its refusal and its audit',
    async () => {
      const met = outcomesMet(await mixedAgrees(clinic, published, changes))
      expect(met.get('UPDATE WRITTEN')).toBeGreaterThan(0)
    },
    PATIENCE_MS,
  )
})
