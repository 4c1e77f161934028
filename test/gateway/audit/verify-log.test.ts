import type { SchemaPath } from '../../../directives/coordinates.ts'
import { describe, expect, it } from 'vitest'
import { LATEST_NAME, noteName } from '../../../gateway/audit/verify/layout.ts'
import { parseLogPolicy } from '../../../gateway/audit/verify/log-policy.ts'
import { reportLine } from '../../../gateway/audit/verify/log-report.ts'
import { verifyLog } from '../../../gateway/audit/verify/verify-log.ts'
import { HEAD_ALTERATIONS } from './head-alterations.ts'
import { ITEM_ALTERATIONS } from './item-alterations.ts'
import type { ItemParts } from '../../../gateway/audit/item.ts'
import { linked } from './audit-arbitraries.ts'
import { access, context, itemsOf, NOON } from './examples.ts'
import { laneOf, LOCK_DIGEST, SealedLog, sealedLog, sourceOf } from './sealed-log.ts'

const policyOf = (text: string) => {
  const read = parseLogPolicy(text)
  if (read.outcome === 'REFUSED') throw new Error(`line ${read.line}: ${read.reason}`)
  return read.policy
}
const noteOf = (log: SealedLog): string => new TextDecoder().decode(log.files.get(LATEST_NAME))
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
    expect(report.to).toMatchObject({ size: 1220 })
    expect(reportLine(report)).toBe('6,920 field records in 1,220 items, 3 lanes, 7 of 7 checkpoints, 2 of 2 witnesses, no gap')
  })
})

describe('P7: a log that was signed with a fault', () => {
  const one = laneOf('kakjK50G.1', 4, 1).items
  const other = laneOf('kakjK50G.1', 4, 2).items
  const signed = async (...rounds: readonly (readonly ItemParts[])[]): Promise<unknown> => {
    const log = new SealedLog()
    for (const [at, round] of rounds.entries()) log.seal(round, NOON / 1_000 + 60 * at + 60)
    return (await verify(log)).findings
  }
  const place = { lane: 'kakjK50G.1', sequence: 3, position: 2 }

  it('P7: names an item that does not continue its lane, in one segment and in two', async () => {
    expect(await signed([...one.slice(0, 2), ...other.slice(2, 3)])).toEqual([{ kind: 'UNLINKED', ...place }])
    expect(await signed(one.slice(0, 2), other.slice(2, 3))).toEqual([{ kind: 'UNLINKED', ...place }])
  })

  it('P7: names a gap and a repetition, in one segment and in two', async () => {
    const [gap, repeated] = [
      { kind: 'GAP', ...place, sequence: 4, after: 2 },
      { kind: 'OUT_OF_ORDER', ...place, sequence: 2 },
    ]
    expect(await signed([...one.slice(0, 2), ...one.slice(3)])).toEqual([gap])
    expect(await signed(one.slice(0, 2), one.slice(3))).toEqual([gap])
    expect(await signed([...one.slice(0, 2), ...one.slice(1, 2)])).toEqual([repeated])
    expect(await signed(one.slice(0, 2), one.slice(1, 2))).toEqual([repeated])
    expect(await signed(one.slice(1))).toEqual([{ kind: 'GAP', lane: 'kakjK50G.1', sequence: 2, after: 0, position: 0 }])
  })

  it('P7: names the lane before that is missing, or that ends before the item that its successor names', async () => {
    const allowed = access(1, { path: 'Patient.birthDate' as SchemaPath, rule: 'Patient.birthDate#1' })
    const [successor] = linked(itemsOf(context({ policy: LOCK_DIGEST, mfa: true }), [allowed]), 'kakjK50G.2', 'kakjK50G.1/3')
    const after = successor === undefined ? [] : [successor]
    expect(await signed(after)).toEqual([{ kind: 'LANE_MISSING', lane: 'kakjK50G.1', declared: 3 }])
    expect(await signed([...one.slice(0, 2), ...after])).toEqual([{ kind: 'CUT_SHORT', lane: 'kakjK50G.1', declared: 3, held: 2 }])
    expect(await signed([...one.slice(0, 3), ...after])).toEqual([])
  })

  /** A lane whose first item names the end of another one. */
  const laneAfter = (lane: string, count: number, succeeds?: string): readonly ItemParts[] => {
    const allowed = access(1, { path: 'Patient.birthDate' as SchemaPath, rule: 'Patient.birthDate#1' })
    const drafts = Array.from({ length: count }, () => itemsOf(context({ policy: LOCK_DIGEST, mfa: true }), [allowed])).flat()
    return linked(drafts, lane, succeeds)
  }

  it('P7: names a lane that went on by more than a transaction after its successor began', async () => {
    const after = laneAfter('kakjK50G.2', 1, 'kakjK50G.1/2')
    expect(await signed(laneAfter('kakjK50G.1', 101), after)).toEqual([])
    const finding = { kind: 'WENT_ON', lane: 'kakjK50G.1', successor: 'kakjK50G.2', held: 102, declared: 2 }
    expect(await signed(laneAfter('kakjK50G.1', 102), after)).toEqual([finding])
    expect(await signed(after, laneAfter('kakjK50G.1', 102))).toEqual([finding])
    // also if the successor knows no acknowledged item
    expect(await signed(laneAfter('kakjK50G.2', 1, 'kakjK50G.1/0'), laneAfter('kakjK50G.1', 100))).toMatchObject([
      { kind: 'WENT_ON' },
    ])
  })

  it('P7: names a lane with two successors of more than a transaction', async () => {
    const [before, two] = [laneAfter('kakjK50G.1', 3), laneAfter('kakjK50G.2', 100, 'kakjK50G.1/3')]
    expect(await signed(before, two, laneAfter('kakjK50G.3', 99, 'kakjK50G.1/3'))).toEqual([])
    const successors = ['kakjK50G.2', 'kakjK50G.3']
    expect(await signed(before, two, laneAfter('kakjK50G.3', 100, 'kakjK50G.1/3'))).toEqual([
      { kind: 'FORKED', lane: 'kakjK50G.1', successors },
    ])
  })

  it('P7: names each lane of a circle', async () => {
    const chain = [1, 2, 3, 4].map((number) => laneAfter(`kakjK50G.${number}`, 1, `kakjK50G.${number - 1}/1`))
    const first = laneAfter('kakjK50G.0', 1, 'kakjK50G.3/1')
    const circle = (numbers: readonly number[]) => numbers.map((number) => ({ kind: 'CIRCLE', lane: `kakjK50G.${number}` }))
    const found = (await signed(...chain, first)) as object[]
    expect(found).toHaveLength(4)
    expect(found).toEqual(expect.arrayContaining(circle([0, 1, 2, 3])))
    expect(await signed(laneAfter('kakjK50G.1', 1, 'kakjK50G.1/1'))).toEqual(circle([1]))
    expect(await signed(laneAfter('kakjK50G.0', 1), ...chain)).toEqual([])
  })
})

describe('P7: the times of a log', () => {
  const items = (count: number, since: number) => laneOf('kakjK50G.1', count, 1, since, 1_000).items

  it('P7: an item is late if a checkpoint of more than 915 s after it does not include it', async () => {
    for (const [delay, late] of [
      [915, []],
      [916, [{ lane: 'kakjK50G.1', sequence: 3, delay: 976 }]],
      [90_000, [{ lane: 'kakjK50G.1', sequence: 3, delay: 90_060 }]],
    ] as const) {
      const log = new SealedLog()
      const [one, two, three] = items(3, NOON)
      const time = Math.floor((three?.time ?? 0) / 1_000)
      log.seal(
        [one, two].filter((item) => item !== undefined),
        time + delay,
      )
      log.seal(
        [three].filter((item) => item !== undefined),
        time + delay + 60,
      )
      expect(await verify(log)).toMatchObject({ findings: [], late: { count: late.length, items: late } })
    }
  })

  it('P7: an item of the future is not late, and a larger log of an earlier time is reported', async () => {
    const log = new SealedLog()
    log.seal(items(3, NOON + 7_200_000), NOON / 1_000)
    log.seal(laneOf('kakjK50G.2', 2, 1).items, NOON / 1_000 - 1)
    expect(await verify(log)).toMatchObject({ findings: [{ kind: 'BACKWARDS', size: 5 }], late: { count: 0 } })
  })

  it('P7: a kept checkpoint holds, and one that covers more or contradicts the log does not', async () => {
    const log = new SealedLog()
    const all = items(9, NOON)
    log.seal(all.slice(0, 5), NOON / 1_000 + 10)
    const [kept, short] = [noteOf(log), new Map(log.files)]
    log.seal(all.slice(5), NOON / 1_000 + 20)
    expect(await verify(log, `${kept}\n${noteOf(log)}`)).toMatchObject({ findings: [], kept: { verified: 2, given: 2 } })
    const report = await verifyLog(sourceOf(short), { policy: policyOf(log.keys.policy), kept: noteOf(log) })
    expect(report.findings).toEqual([{ kind: 'TRUNCATED', size: 9, from: 5, source: 'KEPT' }])
    const other = new SealedLog(log.keys)
    other.seal(laneOf('kakjK50G.7', 5, 1).items, NOON / 1_000 + 10)
    expect((await verify(other, kept)).findings).toContainEqual({ kind: 'TWO_ROOTS', size: 5 })
  })

  it('P7: a checkpoint without the quorum is named, and the last one must have the quorum', async () => {
    const log = new SealedLog()
    const all = items(4, NOON)
    log.seal(all.slice(0, 2), NOON / 1_000 + 10)
    const withoutWitness = (name: string): void => {
      const lines = new TextDecoder()
        .decode(log.files.get(name))
        .split('\n')
        .filter((line) => !line.includes('w2.'))
      log.files.set(name, new TextEncoder().encode(lines.join('\n')))
    }
    withoutWitness(noteName(2))
    log.seal(all.slice(2), NOON / 1_000 + 20)
    expect(await verify(log)).toMatchObject({ findings: [], unwitnessed: [2], checkpoints: { verified: 1, expected: 2 } })
    withoutWitness(noteName(4))
    withoutWitness(LATEST_NAME)
    expect(await verify(log)).toMatchObject({ findings: [{ kind: 'WITNESS', size: 4 }], witnesses: { signed: 1, known: 2 } })
  })

  it('P7: a log over several days is compared with the registries of its hours, and forgets their lanes', async () => {
    const log = new SealedLog()
    const lanes = Array.from({ length: 80 }, (_, hour) => {
      const at = NOON + hour * 3_600_000
      return { hour: new Date(at).toISOString().slice(0, 13), lane: laneOf(`kakjK50G.${hour + 1}`, 4, 1, at, 1_000) }
    })
    for (const { hour, lane } of lanes) {
      log.seal(lane.items, (lane.items.at(-1)?.time ?? 0) / 1_000 + 30)
      log.closeHour(hour, hour.endsWith('T20') ? [] : [lane])
    }
    const { findings } = await verify(log)
    expect(findings).toEqual(
      lanes.filter(({ hour }) => hour.endsWith('T20')).map(({ lane }) => ({ kind: 'UNREGISTERED', lane: lane.lane })),
    )
  })
})

describe('P7: an altered export', () => {
  const rounds = Number(process.env['AUDIT_ALTERATIONS'] ?? 30)
  const alterations = [...ITEM_ALTERATIONS, ...HEAD_ALTERATIONS]
  const lanes = [laneOf('kakjK50G.1', 150, 8), laneOf('kakjK50G.2', 90, 8), laneOf('bZ1x9_-Q.1', 40, 2)]
  const log = sealedLog(lanes, 5)
  for (const hour of ['2026-03-01T11', '2026-03-01T12']) log.closeHour(hour, hour.endsWith('12') ? lanes : [])

  it(`P7: names ${rounds} of ${rounds} alterations`, { timeout: 600_000 }, async () => {
    const missed: string[] = []
    let count = 0
    for (let seed = 0; count < rounds; seed++) {
      const pick = picker(seed)
      const alter = alterations[seed % alterations.length]
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
