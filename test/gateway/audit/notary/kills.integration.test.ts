import { ScanCommand } from '@aws-sdk/client-dynamodb'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TenantId } from '../../../../gateway/model/ids.ts'
import type { CheckpointSigner } from '../../../../gateway/model/checkpoint-signer.ts'
import { seeded } from '../../../hostile/seeded.ts'
import { NotaryKill } from './notary-kill.ts'
import { NotaryBench, originOf, SetClock, SIGNERS } from './notary-bench.ts'

const RUNS = Number(process.env['PHI_NOTARY_RUNS'] ?? 3)
const MINUTES = 6
/** Four passes or more. */
const CALLS = 150
const DAY_SECONDS = 86_400

let bench: NotaryBench
beforeAll(async () => {
  bench = await NotaryBench.start()
})
afterAll(async () => {
  await bench.stop()
})

/** Every root that was signed, by size. Two roots for one size are the fault that no notary may have. */
class SignedRoots {
  readonly bySize = new Map<string, Set<string>>()

  over(signers: readonly CheckpointSigner[]): CheckpointSigner[] {
    return signers.map((signer) => ({
      ...signer,
      sign: async (message) => {
        if (signer.algorithm === 'ED25519') {
          const [, , , size = '', root = ''] = Buffer.from(message).toString().split('\n')
          this.bySize.set(size, (this.bySize.get(size) ?? new Set()).add(root))
        }
        return await signer.sign(message)
      },
    }))
  }
}

/** One notary of two, which is killed once and begins again as another process. */
class KilledNotary {
  readonly clock: SetClock
  readonly signed: SignedRoots
  readonly #pause: () => Promise<unknown>
  /** How many processes of this notary ended. */
  died = 0
  #next: NotaryKill

  constructor(clock: SetClock, signed: SignedRoots, first: NotaryKill, pause: () => Promise<unknown>) {
    this.#pause = pause
    this.clock = clock
    this.signed = signed
    this.#next = first
  }

  /** Ends the next process of this notary. */
  arm(next: NotaryKill): void {
    this.#next = next
  }

  async pass(tenant: TenantId): Promise<void> {
    const killed = this.#next
    await bench.notary(this.clock, killed.over({ ...bench.services, signers: this.signed.over(SIGNERS) })).pass(tenant)
    if (killed.isDead) this.died++
    if (killed.isDead) this.#next = new NotaryKill(Number.POSITIVE_INFINITY, 'AFTER', this.#pause)
  }
}

describe('P7: a campaign of kills at every call to a service, with two notaries', () => {
  it.each(Array.from({ length: RUNS }, (_, run) => run))('P7: run %i: one tree, equal to the table, nothing late', async (run) => {
    const random = seeded(run, 'kills')
    const start = run % 3 === 0 ? '2026-11-28T17:57:30Z' : '2026-11-28T17:10:00Z'
    const clock = new SetClock(start)
    const tenant = bench.tenant()
    const signed = new SignedRoots()
    // over 300 runs, each of the first 150 calls is the last one twice: before it is sent, and after its work is done
    const at = ((run * 37) % CALLS) + 1
    const when = Math.floor(run / CALLS) % 2 === run % 2 ? 'BEFORE' : 'AFTER'
    const [one, other] = [new SetClock(start), new SetClock(start)]
    // in half of the runs, both notaries pass at the same time, at changing speeds, while records are written
    const together = run % 4 < 2
    const pause = (): Promise<unknown> => (together ? sleep(random() < 0.2 ? random() * 40 : 0) : Promise.resolve())
    const first = new KilledNotary(one, signed, new NotaryKill(at, when, pause), pause)
    const living = new NotaryKill(Number.POSITIVE_INFINITY, 'AFTER', pause)
    const second = new KilledNotary(other, signed, living, pause)
    const writers = [bench.writer(tenant, clock), bench.writer(tenant, clock)]
    const stored: { hash: string; at: number }[] = []
    const write = async (): Promise<void> => {
      const receipts = await Promise.all(writers.map((append) => append(Math.floor(random() * 9))))
      stored.push(...receipts.flat().map(({ hash }) => ({ hash, at: clock.time })))
    }
    const writeOften = async (): Promise<void> => {
      for (let burst = 0; burst < 6; burst++) {
        await sleep(random() * 30)
        await write()
      }
    }
    const expectNothingLate = async (): Promise<void> => {
      const published = new Set((await bench.published(tenant)).items.map(({ h }) => h))
      expect(stored.filter((item) => item.at <= clock.time - 120_000 && !published.has(item.hash))).toEqual([])
    }

    for (let minute = 0; minute < MINUTES; minute++) {
      // the clock of the first notary is ahead for one pass, or the one of the second is behind
      one.time = clock.time + (minute === 3 && run % 4 === 1 ? DAY_SECONDS * 1_000 : 0)
      const behind = minute === 4 && run % 4 === 2 ? DAY_SECONDS * 1_000 : 0
      other.time = clock.time - behind
      const passes = together ? [first.pass(tenant), second.pass(tenant)] : [first.pass(tenant)]
      await Promise.all([together ? writeOften() : write(), ...passes])
      clock.pass(30)
      other.time = clock.time - behind
      if (!together) await Promise.all([write(), second.pass(tenant)])
      clock.pass(30)
      await expectNothingLate()
      // In some runs the other notary ends too, in a later minute: if all notaries ended within one minute, the next minute would be late.
      if (run % 5 === 0 && first.died === 1 && second.died === 0) second.arm(new NotaryKill((at % 25) + 1, 'AFTER', pause))
    }
    for (let last = 0; last < 2; last++) {
      clock.pass(60)
      one.time = clock.time
      await first.pass(tenant)
    }

    const { items, sizes, latest } = await bench.published(tenant)
    expect(items.map(({ h }) => h).toSorted()).toEqual(stored.map(({ hash }) => hash).toSorted())
    const table = await tableOf(tenant)
    expect(Object.fromEntries(items.map(({ l, n, e, pv, h }) => [`${l}/${n}`, { e, pv, h }]))).toEqual(table)
    expect(latest?.split('\n').slice(0, 2)).toEqual([originOf(tenant), String(items.length)])
    expect(sizes.at(-1)).toBe(items.length)
    expect([...signed.bySize.values()].every((roots) => roots.size === 1)).toBe(true)
    // lanes stay in their order
    const ends = new Map<string, number>()
    for (const { l, n } of items) {
      expect(n).toBe((ends.get(l) ?? 0) + 1)
      ends.set(l, n)
    }
  })
})

async function tableOf(tenant: string): Promise<Record<string, unknown>> {
  const stored: Record<string, unknown> = {}
  let next: Record<string, never> | undefined
  do {
    const page = await bench.client.send(
      new ScanCommand({
        TableName: bench.audit,
        FilterExpression: 'begins_with(l, :tenant) AND attribute_exists(e)',
        ExpressionAttributeValues: { ':tenant': { S: `${tenant}#` } },
        ...(next && { ExclusiveStartKey: next }),
      }),
    )
    for (const { l, n, e, pv, h } of page.Items ?? []) {
      const [, lane = ''] = (l?.S ?? '').split('#')
      const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex')
      stored[`${lane}/${Number(n?.S)}`] = { e: e?.S, pv: hex(pv?.B), h: hex(h?.B) }
    }
    next = page.LastEvaluatedKey as typeof next
  } while (next !== undefined)
  return stored
}
