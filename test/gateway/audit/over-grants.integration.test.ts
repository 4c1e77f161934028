import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lockDigest } from '../../../directives/compile.ts'
import { parseLogPolicy } from '../../../gateway/audit/verify/log-policy.ts'
import { verifyLog } from '../../../gateway/audit/verify/verify-log.ts'
import { clinicLock } from '../../../schema/clinic.ts'
import { runClinic, type RunningClinic } from '../../harness/running-clinic.ts'
import { honestItems, PATIENTS } from './independent/honest-items.ts'
import { hashOf, textOf, writtenAnew } from './independent/item-writer.ts'
import type { AuditItem } from './independent/alterations.ts'
import { KINDS } from './independent/over-grant-kinds.ts'
import { plant } from './independent/over-grants.ts'
import { SealedLog, sourceOf } from './sealed-log.ts'
import { couldBeAllowed, readPolicyText } from './independent/policy-text.ts'

const policy = readPolicyText(clinicLock())
/** The number of records to plant. The full size is 500. */
const OVER_GRANTS = Number(process.env['OVER_GRANTS'] ?? 62)
const SEED = Number(process.env['OVER_GRANTS_SEED'] ?? 20_261)
/** The number of records to plant in one log. */
const EACH_ROUND = 23
const addressOf = ({ lane, sequence, index }: Pick<AuditItem[number], 'lane' | 'sequence' | 'index'>): string =>
  `${lane}/${sequence}/${index}`

let clinic: RunningClinic
let items: readonly AuditItem[]
beforeAll(async () => {
  clinic = await runClinic({ riverside: PATIENTS, lakeside: 1 })
  items = await honestItems(clinic)
})
afterAll(() => clinic.stop())

/** The report about a sealed log of these items, each written anew. */
async function report(altered: readonly AuditItem[]): ReturnType<typeof verifyLog> {
  const log = new SealedLog()
  const written = writtenAnew(altered)
  log.seal(written, Math.ceil(Math.max(...written.map(({ time }) => time)) / 1_000) + 30)
  log.files.set(`policies/${lockDigest(clinicLock())}.lock`, new TextEncoder().encode(clinicLock()))
  const read = parseLogPolicy(log.keys.policy)
  if (read.outcome === 'REFUSED') throw new Error(read.reason)
  return await verifyLog(sourceOf(log.files), { policy: read.policy })
}

/** Plants records of all kinds, each call in items that are honest again. */
function plantAll(): ReturnType<typeof plant>[] {
  const rounds: ReturnType<typeof plant>[] = []
  for (let from = 0; from < KINDS.length; from += 10) rounds.push(plant(items, 7 + from, { policy, most: 10, from }))
  return rounds
}

describe('P7: a writer of items from the documentation alone', () => {
  it('P7: gives each exported item of a real request the text that its hash covers', () => {
    for (const item of items) {
      const text = textOf(item)
      for (const record of item) expect(hashOf(record, record.prev, text)).toBe(record.hash)
    }
  })

  it('P7: gives the items of each lane the chain that they have', () => {
    const hashes = new Map(items.flat().map(({ lane, sequence, hash }) => [`${lane}/${sequence}`, hash]))
    for (const { lane, sequence, hash } of writtenAnew(items)) expect(hash).toBe(hashes.get(`${lane}/${sequence}`))
  })
})

describe('P7: a generator of records that the policy would not have allowed', () => {
  it('P7: the policy allows each disclosure of a real request, by an account of its own', () => {
    const records = items.flat().filter(({ outcome }) => outcome === 'DISCLOSED' || outcome === 'MASKED')
    expect(records.filter((record) => !couldBeAllowed(policy, record))).toEqual([])
    expect(new Set(records.flatMap(({ roles }) => roles)).size).toBe(9)
    expect(new Set(records.map(({ basis }) => basis))).toEqual(
      new Set(['CARE_TEAM', 'SELF', 'PROXY', 'ORGANIZATION', 'STUDY', 'BREAK_GLASS', undefined]),
    )
  })

  it('P7: plants each kind, and no record that the policy could have allowed', () => {
    const rounds = plantAll()
    const planted = rounds.flatMap((round) => round.planted)
    expect(new Set(planted.map(({ kind }) => kind))).toEqual(new Set(KINDS.map(({ kind }) => kind)))
    for (const round of rounds) {
      const byAddress = new Map(round.items.flat().map((record) => [addressOf(record), record]))
      for (const { address } of round.planted) {
        const record = byAddress.get(address)
        expect(['DISCLOSED', 'MASKED']).toContain(record?.outcome)
        expect(record !== undefined && couldBeAllowed(policy, record)).toBe(false)
      }
    }
  })

  it('P7: changes the named records alone, and neither their addresses nor their hashes', () => {
    const before = new Map(items.flat().map((record) => [addressOf(record), record]))
    for (const round of plantAll()) {
      const after = round.items.flat()
      expect(after.map(addressOf)).toEqual([...before.keys()])
      const changed = after.filter((record) => JSON.stringify(record) !== JSON.stringify(before.get(addressOf(record))))
      const named = round.planted.flatMap(({ address, other }) => (other === undefined ? [address] : [address, other]))
      expect(changed.map(addressOf).toSorted()).toEqual(named.toSorted())
      for (const record of changed) {
        const { prev, hash, time, user, recordType, patient } = before.get(addressOf(record)) ?? {}
        expect(record).toMatchObject({ prev, hash, time, user, recordType, patient })
      }
    }
  })

  it('P7: equal seeds plant equal records, and other seeds plant others', () => {
    const [one, same, other] = [1, 1, 2].map((seed) => plant(items, seed, { policy, most: 20 }).planted)
    expect(one).toHaveLength(20)
    expect(same).toEqual(one)
    expect(other).not.toEqual(one)
  })
})

describe('P7: the replay of the policy', () => {
  const notAllowed = ({ findings }: Awaited<ReturnType<typeof report>>): string[] =>
    findings.flatMap((finding) => (finding.kind === 'NOT_ALLOWED' ? [addressOf(finding)] : []))

  it('P7: names no record of real requests', async () => {
    const { replay, findings, records } = await report(items)
    expect(findings).toEqual([])
    expect(replay.replayed).toBeGreaterThan(0.7 * records)
  })

  it(`P7: names ${OVER_GRANTS} of ${OVER_GRANTS} planted over-grants, and nothing else`, {
    timeout: 20_000 + 100 * OVER_GRANTS,
  }, async () => {
    const missed: string[] = []
    const others: string[] = []
    let from = 0
    while (from < OVER_GRANTS) {
      const round = plant(items, SEED + from, { policy, most: Math.min(EACH_ROUND, OVER_GRANTS - from), from })
      const named = new Set(notAllowed(await report(round.items)))
      for (const { address, kind } of round.planted) if (!named.delete(address)) missed.push(kind)
      others.push(...named)
      expect(round.planted.length).toBeGreaterThan(0)
      from += round.planted.length
    }
    expect({ missed, others }).toEqual({ missed: [], others: [] })
  })
})
