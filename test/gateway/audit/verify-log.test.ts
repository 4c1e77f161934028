import { describe, expect, it } from 'vitest'
import { parseLogPolicy } from '../../../gateway/audit/verify/log-policy.ts'
import { reportLine } from '../../../gateway/audit/verify/log-report.ts'
import { verifyLog } from '../../../gateway/audit/verify/verify-log.ts'
import { ALTERATIONS } from './log-alterations.ts'
import { laneOf, type SealedLog, sealedLog, sourceOf } from './sealed-log.ts'

const policyOf = (text: string) => {
  const read = parseLogPolicy(text)
  if (read.outcome === 'REFUSED') throw new Error(`line ${read.line}: ${read.reason}`)
  return read.policy
}
const verify = (log: SealedLog, kept?: string) =>
  verifyLog(sourceOf(log.files), { policy: policyOf(log.keys.policy), ...(kept !== undefined && { kept }) })

describe('P7: an export', () => {
  const lanes = [laneOf('kakjK50G.1', 700, 8), laneOf('kakjK50G.2', 400, 3), laneOf('bZ1x9_-Q.1', 120, 1)]
  const log = sealedLog(lanes, 7)
  log.closeHour('2026-03-01T12', lanes)

  it('P7: finds nothing in an unaltered log', async () => {
    const report = await verify(log)
    expect(report.findings).toEqual([])
    expect(report).toMatchObject({ items: 1220, records: 700 * 8 + 400 * 3 + 120, lanes: 3, late: { count: 0 } })
    expect(reportLine(report)).toBe('6,920 field records in 1,220 items, 3 lanes, 7 of 7 checkpoints, 2 of 2 witnesses, no gap')
  })
})

describe('P7: an altered export', () => {
  // 1,000 in the campaign: AUDIT_ALTERATIONS=1000 npx vitest run test/gateway/audit/verify-log.test.ts
  const rounds = Number(process.env['AUDIT_ALTERATIONS'] ?? 30)
  const lanes = [laneOf('kakjK50G.1', 150, 8), laneOf('kakjK50G.2', 90, 8), laneOf('bZ1x9_-Q.1', 40, 2)]
  const log = sealedLog(lanes, 5)
  for (const hour of ['2026-03-01T11', '2026-03-01T12']) log.closeHour(hour, hour.endsWith('12') ? lanes : [])

  it(`P7: names ${rounds} of ${rounds} alterations`, { timeout: 600_000 }, async () => {
    const missed: string[] = []
    let count = 0
    for (let seed = 0; count < rounds; seed++) {
      const pick = picker(seed)
      const alter = ALTERATIONS[seed % ALTERATIONS.length]
      const files = new Map(log.files)
      const alteration = alter?.(log, files, pick)
      if (alteration === undefined) continue
      count++
      const { what, isNamed, kept } = alteration
      const report = await verifyLog(sourceOf(files), {
        policy: policyOf(log.keys.policy),
        ...(kept !== undefined && { kept }),
      })
      if (!isNamed(report)) missed.push(`seed ${seed}: ${what}: ${JSON.stringify(report.findings.slice(0, 4))}`)
    }
    expect(missed).toEqual([])
  })
})

/** Numbers that a seed determines. */
function picker(seed: number): (below: number) => number {
  let state = (seed * 2_654_435_761 + 1) >>> 0
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    return state % below
  }
}
