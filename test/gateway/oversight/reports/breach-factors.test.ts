import { describe, expect, it } from 'vitest'
import { breachFactors, type FactorNumbers } from '../../../../gateway/oversight/reports/breach-factors.ts'

const ONE: FactorNumbers = {
  acquired: 1,
  masked: 0,
  attempted: 1,
  patients: 1,
  classes: ['(A) NAME'],
  users: 1,
  clients: 1,
  addresses: 1,
  breakGlass: 1,
}
const MANY: FactorNumbers = {
  acquired: 1_200,
  masked: 3,
  attempted: 40,
  patients: 20,
  classes: [],
  users: 2,
  clients: 2,
  addresses: 4,
  breakGlass: 0,
}
const firstLines = (numbers: FactorNumbers): unknown =>
  breachFactors(numbers)
    .slice(0, 3)
    .map(({ log: [first] }) => first)

describe('the factors of a breach assessment', () => {
  it('C23: state one of each in the singular', () => {
    expect(firstLines(ONE)).toEqual([
      '1 field record of 1 patient was acquired; 0 of them in a view that shows less than the value.',
      '1 user by 1 client from 1 combination of address, client and application; break-glass is the basis of 1 record.',
      '1 record left the gateway, and 1 did not: see the outcomes.',
    ])
  })

  it('C23: state several in the plural', () => {
    expect(firstLines(MANY)).toEqual([
      '1,200 field records of 20 patients were acquired; 3 of them in a view that shows less than the value.',
      '2 users by 2 clients from 4 combinations of address, client and application; break-glass is the basis of 0 records.',
      '1,200 records left the gateway, and 40 did not: see the outcomes.',
    ])
  })
})
