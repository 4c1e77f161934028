import { describe, expect, it } from 'vitest'
import { MIN_PEERS, peerOutliers, type UserVolume } from '../../../../gateway/oversight/reports/peer-outliers.ts'

const user = (number: number, records: number): UserVolume => ({
  role: 'NURSE',
  user: `nurse-${number}`,
  records,
  patients: 10,
  paths: 5,
})
const group = (size: number, ...others: readonly number[]): UserVolume[] =>
  [...Array.from({ length: size }, (_, at) => 95 + at), ...others].map((records, at) => user(at, records))

describe('C21: users outside their peers', () => {
  it('C21: compares no user in a group that is too small', () => {
    expect(peerOutliers(group(MIN_PEERS - 2, 5_000), [])).toEqual([])
    expect(peerOutliers(group(MIN_PEERS - 1, 5_000), []).map(({ userId }) => userId)).toEqual(['nurse-7'])
  })

  it('C21: one user with very many records does not hide another one', () => {
    expect(peerOutliers(group(12, 900, 5_000_000), []).map(({ userId }) => userId)).toEqual(['nurse-13', 'nurse-12'])
  })

  it('C21: reports no user below twice the median, with few records, or with less than the peers', () => {
    expect(peerOutliers(group(12, 190), [])).toEqual([])
    expect(peerOutliers(group(12, 1), [])).toEqual([])
    expect(peerOutliers([...Array.from({ length: 12 }, (_, at) => user(at, 1)), user(12, 19)], [])).toEqual([])
  })

  it('C21: explains each finding in one sentence', () => {
    const [found] = peerOutliers(group(11, 4_120), [])
    expect(found?.evidence).toMatch(
      /^Read 4,120 field records; the median of 12 users with the role NURSE is 100\.5 \(robust z [\d.]+\)\.$/,
    )
  })

  it('C21: reports a path that one user reads alone only among peers', () => {
    const sole = { role: 'NURSE', user: 'nurse-1', path: 'Claim.total', records: 40 }
    expect(peerOutliers(group(9), [sole]).map(({ measure }) => measure)).toEqual(['SOLE_PATH'])
    expect(peerOutliers(group(3), [sole])).toEqual([])
    expect(peerOutliers(group(9), [{ ...sole, records: 5 }])).toEqual([])
  })
})
