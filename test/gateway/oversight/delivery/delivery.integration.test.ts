import { FirehoseClient } from '@aws-sdk/client-firehose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Batch } from '../../../../gateway/oversight/delivery/batch.ts'
import type { Delivery } from '../../../../gateway/oversight/delivery/delivery.ts'
import { FirehoseSink } from '../../../../gateway/oversight/delivery/firehose-sink.ts'
import type { Sink } from '../../../../gateway/oversight/delivery/sink.ts'
import { KillSwitch } from '../../../hostile/kill-switch.ts'
import { type Random, seeded } from '../../../hostile/seeded.ts'
import { NOON } from '../../audit/examples.ts'
import { deliveryOf, LAKESIDE, MemoryObjects, RIVERSIDE, WrittenLog } from './delivery-bench.ts'
import { type FirehoseStandIn, firehoseStandIn } from './firehose-stand-in.ts'
import { ReferenceReceiver } from './reference-receiver.ts'

/** The batches of a campaign, about: one request of the log makes one. */
const BATCHES = Number(process.env['PHI_DELIVERY_BATCHES'] ?? 30)
const MINUTE_MS = 60_000
const ALWAYS = Number.POSITIVE_INFINITY
const always = (): number => ALWAYS

let firehose: FirehoseStandIn
let client: FirehoseClient
let receivers: Map<string, ReferenceReceiver>

beforeAll(async () => {
  firehose = await firehoseStandIn('audit', (record) => {
    const { stream } = JSON.parse(record.toString().split('\n', 1)[0] ?? '') as { stream: string }
    receiverOf(stream).accept(record)
  })
  client = new FirehoseClient({
    endpoint: firehose.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    maxAttempts: 1,
  })
})
afterAll(async () => {
  client.destroy()
  await firehose.stop()
})

function receiverOf(stream: string): ReferenceReceiver {
  const receiver = receivers.get(stream) ?? new ReferenceReceiver()
  receivers.set(stream, receiver)
  return receiver
}

/** A sink without a network, for tests of positions. */
const direct: Sink = {
  send: async (tenant, batches) => {
    for (const { bytes } of batches) receiverOf(`phi.example.com/audit/${tenant}`).accept(bytes)
    return await Promise.resolve({ acknowledged: batches.length })
  },
}

const sink = (): Sink => new FirehoseSink({ client, stream: 'audit', now: Date.now, firstPauseMs: 1 })

interface Bench {
  readonly log: MemoryObjects
  readonly positions: MemoryObjects
  readonly written: WrittenLog
  time: number
}

function bench(seed: number, requests = BATCHES, tenant = RIVERSIDE): Bench {
  const log = new MemoryObjects()
  firehose.fateOfCall = () => 'TAKEN'
  firehose.fateOfRecord = () => 'TAKEN'
  receivers = new Map()
  return { log, positions: new MemoryObjects(), written: new WrittenLog(log, tenant, requests, seed), time: NOON }
}

/** A process of the delivery. */
const processOf = (at: Bench, over: Partial<Parameters<typeof deliveryOf>[0]> = {}): Delivery =>
  deliveryOf({ log: at.log, positions: at.positions, sink: sink(), now: () => at.time, ...over })

/** Seals the next items one minute later: a random number of them, or five. */
async function sealNext(at: Bench, random: Random = () => 0.4): Promise<void> {
  at.time += MINUTE_MS
  await at.written.seal(1 + Math.floor(random() * 12), Math.floor(at.time / 1_000))
}

/** Steps until nothing is left. A failed step is repeated, as the next minute does. */
async function deliverAll(delivery: Delivery): Promise<void> {
  for (let attempt = 0; attempt < 1_000; attempt++) {
    const step = await delivery.step(ALWAYS).then(
      ({ step }) => step,
      () => 'MORE',
    )
    if (step === 'DONE') return
  }
  throw new Error('the delivery does not end')
}

/** Asks for what is missing, until everything that was sealed has arrived. */
async function askUntilComplete(at: Bench, receiver: ReferenceReceiver): Promise<number> {
  let asked = 0
  for (let round = 0; round < 100; round++) {
    // after a silence, the delivery states its position, so that the last batch is missed too
    at.time += 16 * MINUTE_MS
    await deliverAll(processOf(at))
    for (const { from, to } of receiver.gaps()) {
      asked++
      await processOf(at)
        .redeliver(from, to, always)
        .catch(() => undefined)
    }
    if (receiver.known === at.written.items.length && receiver.gaps().length === 0) return asked
  }
  throw new Error('the receiver does not become complete')
}

const idsOf = (lines: readonly string[]): string[] =>
  lines.map((line) => (JSON.parse(line) as { metadata: { uid: string } }).metadata.uid).toSorted()

/** The receiver has each event of the log once, with the bytes of the export, in its order, and nothing else. */
async function expectComplete(at: Bench, receiver: ReferenceReceiver): Promise<void> {
  const [delivered, exported] = [receiver.lines(), await at.written.exportLines()]
  expect(idsOf(delivered)).toEqual(idsOf(exported))
  expect(delivered).toEqual(exported)
}

describe('C08: a receiver that loses deliveries ends complete', () => {
  it.each([
    [1, 0.01],
    [2, 0.1],
  ])(
    'C08: seed %i: with a share of %f lost before and after their acknowledgment, and calls that fail',
    async (seed, share) => {
      const at = bench(seed)
      const random = seeded(seed, 'delivery')
      const faults = seeded(seed, 'firehose')
      const lots = <T extends string>(names: readonly T[], otherwise: T): T => (faults() < share ? pick(names, faults) : otherwise)
      firehose.fateOfRecord = () => lots(['DROPPED', 'REFUSED'] as const, 'TAKEN' as never)
      firehose.fateOfCall = () => lots(['THROTTLED', 'CUT_BEFORE', 'CUT_AFTER'] as const, 'TAKEN' as never)
      const delivery = processOf(at)
      while (!at.written.isWhole) {
        await sealNext(at, random)
        await delivery.step(ALWAYS).catch(() => undefined)
      }
      const receiver = receiverOf('phi.example.com/audit/riverside')
      const asked = await askUntilComplete(at, receiver)
      await expectComplete(at, receiver)
      expect(receiver.headers.length).toBeGreaterThan(BATCHES / 2)
      if (share > 0.05) expect(asked).toBeGreaterThan(0)
    },
    600_000,
  )
})

const pick = <T>(all: readonly T[], random: Random): T => all[Math.floor(random() * all.length)] as T

describe('C08: a delivery that ends anywhere', { timeout: 60_000 }, () => {
  /** The calls of a step to the sink and to the store of positions: read, send, move. */
  const KILLS = Array.from({ length: 6 }, (_, call) =>
    (['BEFORE', 'AFTER'] as const).map((when) => [call + 1, when] as const),
  ).flat()

  it('C08: sends the same batches again, byte for byte, and loses none', async () => {
    let exported: string[] | undefined
    for (const [call, when] of KILLS) {
      const at = bench(5, 8)
      const kill = new KillSwitch(call, when)
      const dying: Sink = { send: async (...args) => await kill.call(() => direct.send(...args)) }
      const positions = {
        get: async (name: string) => await kill.call(() => at.positions.get(name)),
        put: async (...args: Parameters<MemoryObjects['put']>) => await kill.call(() => at.positions.put(...args)),
      }
      const receiver = receiverOf('phi.example.com/audit/riverside')
      while (!at.written.isWhole) {
        await sealNext(at)
        await processOf(at, kill.isDead ? { sink: direct } : { sink: dying, positions })
          .step(ALWAYS)
          .catch((error: unknown) => {
            if ((error as Error).name !== 'Killed') throw error
          })
      }
      expect(kill.isDead).toBe(true)
      await deliverAll(processOf(at, { sink: direct }))
      expect(receiver.gaps()).toEqual([])
      exported ??= await at.written.exportLines()
      expect(receiver.lines()).toEqual(exported)
      // a batch that came twice is the same one: each place has one id
      const places = receiver.headers.map(({ from, to, part }) => `${from}-${to}.${part}`)
      expect(new Set(receiver.headers.map(({ id }) => id)).size).toBe(new Set(places).size)
      if (when === 'AFTER' && call % 3 === 2) expect(receiver.repeats).toBeGreaterThan(0)
    }
  })

  it('C08: with two processes at once, while the log grows, one moves the position and nothing is missing', async () => {
    const at = bench(7, 16)
    const random = seeded(7, 'two')
    const turn = { log: at.log, positions: at.positions }
    while (!at.written.isWhole) {
      await sealNext(at, random)
      const steps = Promise.all([processOf(at, turn).step(ALWAYS), processOf(at, turn).step(ALWAYS)])
      await sealNext(at, random)
      const states = (await steps).map(({ step }) => step)
      expect(states.filter((state) => state === 'OVERTAKEN').length).toBeLessThan(2)
    }
    await deliverAll(processOf(at))
    const receiver = receiverOf('phi.example.com/audit/riverside')
    expect(receiver.gaps()).toEqual([])
    expect(receiver.repeats).toBeGreaterThan(0)
    await expectComplete(at, receiver)
  })

  it('C08: never moves a position past a batch that was refused, and moves it past those before it', async () => {
    const at = bench(9, 20)
    await at.written.seal(30, Math.floor(at.time / 1_000))
    let records = 0
    // the third batch of each call is refused for good
    firehose.fateOfRecord = () => (++records === 3 ? 'REFUSED' : 'TAKEN')
    firehose.fateOfCall = () => (records >= 3 ? 'DENIED' : 'TAKEN')
    await expect(processOf(at).step(ALWAYS)).rejects.toMatchObject({
      name: 'SinkUnavailable',
      cause: { name: 'AccessDeniedException' },
    })
    const receiver = receiverOf('phi.example.com/audit/riverside')
    const { delivered } = await processOf(at).status()
    const third = receiver.headers.toSorted((one, other) => one.from - other.from)[1]
    expect(delivered).toBe(third?.to)
    expect(receiver.gaps()).toEqual([expect.objectContaining({ from: delivered })])
    at.time += 90_000
    expect(await processOf(at).status()).toEqual({ delivered, sealed: 30, lag: 90 })
  })
})

describe('C08: batches', { timeout: 60_000 }, () => {
  it('C08: begin and end at the same positions, whenever and from wherever they are sent', async () => {
    const at = bench(11, 16)
    const random = seeded(11, 'boundaries')
    while (!at.written.isWhole) {
      await sealNext(at, random)
      await processOf(at).step(ALWAYS)
    }
    const receiver = receiverOf('phi.example.com/audit/riverside')
    const first = receiver.headers.map(({ id }) => id)
    for (const from of [0, 1, 7, Math.floor(at.written.items.length / 2), at.written.items.length - 1])
      await processOf(at).redeliver(from, undefined, always)
    const last = receiver.headers.at(-1)
    expect(new Set(receiver.headers.map(({ id }) => id))).toEqual(new Set(first))
    expect([last?.to, receiver.gaps()]).toEqual([at.written.items.length, []])
    const before = receiver.headers.length
    expect(await processOf(at).redeliver(at.written.items.length, undefined, always)).toEqual({ items: 0, batches: 0 })
    // a question beyond the delivered position sends nothing that was not sent before
    await processOf(at).redeliver(3, 1_000_000, always)
    expect(Math.max(...receiver.headers.map(({ to }) => to))).toBe(at.written.items.length)
    expect(receiver.headers.length).toBeGreaterThan(before)
  })

  it('C08: of one item that is larger than a batch have its positions and are numbered', async () => {
    const at = bench(12, 6)
    await at.written.seal(1_000, Math.floor(at.time / 1_000))
    const small = { format: 'ndjson' as const, maxBatchBytes: 1_500 }
    await deliverAll(processOf(at, small))
    const receiver = receiverOf('phi.example.com/audit/riverside')
    expect(Math.max(...receiver.headers.map(({ parts }) => parts))).toBeGreaterThan(1)
    expect(receiver.gaps()).toEqual([])
    expect(receiver.lines()).toEqual(await at.written.exportLines('ndjson'))
    await expect(processOf({ ...at, positions: new MemoryObjects() }, { maxBatchBytes: 200 }).step(ALWAYS)).rejects.toThrow(
      'larger than a batch',
    )
  })

  it('C08: hold one tenant each, and positions of one tenant say nothing about another', async () => {
    const at = bench(13, 8)
    const other = new WrittenLog(at.log, LAKESIDE, 8, 14)
    for (const log of [at.written, other]) await log.seal(1_000, Math.floor(at.time / 1_000))
    for (const tenant of [RIVERSIDE, LAKESIDE]) await deliverAll(processOf(at, { tenant }))
    for (const [tenant, log] of [
      [RIVERSIDE, at.written],
      [LAKESIDE, other],
    ] as const) {
      const lines = receiverOf(`phi.example.com/audit/${tenant}`).lines()
      expect(lines).toEqual(await log.exportLines())
      expect(lines.filter((line) => !line.includes(`"tenant_uid":"${tenant}"`))).toEqual([])
    }
  })

  it('C08: state the position after a quarter of an hour without events, so that a receiver can miss the last batch', async () => {
    const at = bench(15, 3)
    await at.written.seal(1_000, Math.floor(at.time / 1_000))
    await deliverAll(processOf(at))
    const receiver = receiverOf('phi.example.com/audit/riverside')
    const count = receiver.headers.length
    expect((await processOf(at).step(ALWAYS)).batches).toBe(0)
    at.time += 15 * MINUTE_MS
    expect(await processOf(at).step(ALWAYS)).toEqual({ step: 'DONE', items: 0, batches: 1 })
    expect((await processOf(at).step(ALWAYS)).batches).toBe(0)
    const end = at.written.items.length
    expect(receiver.headers.slice(count)).toEqual([expect.objectContaining({ from: end, to: end, lines: 0 })])
  })
})

describe('C08: the sink of Firehose', () => {
  const batches = (count: number, size: number): Batch[] =>
    Array.from({ length: count }, (_, at) => ({ from: at, to: at + 1, part: 1, parts: 1, bytes: Buffer.alloc(size, at % 256) }))

  it('C08: keeps to 500 records and 4 MB of a call', async () => {
    const arrived: number[] = []
    const own = await firehoseStandIn('audit', (record) => arrived.push(record.length))
    const ownClient = new FirehoseClient({
      endpoint: own.endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
      maxAttempts: 1,
    })
    const target = new FirehoseSink({ client: ownClient, stream: 'audit', now: Date.now })
    expect(await target.send(RIVERSIDE, batches(1_203, 10), Date.now() + 60_000)).toEqual({ acknowledged: 1_203 })
    expect([own.calls, own.mostRecords]).toEqual([3, 500])
    expect(await target.send(RIVERSIDE, batches(4, 1_000_600), Date.now() + 60_000)).toEqual({ acknowledged: 4 })
    expect(own.calls).toBe(5)
    expect(arrived.length).toBe(1_207)
    // two attempts, and then the time is over
    let time = 0
    own.fateOfCall = () => {
      time += 50_000
      return 'THROTTLED'
    }
    const slow = new FirehoseSink({ client: ownClient, stream: 'audit', now: () => time, firstPauseMs: 1 })
    const failed = await slow.send(RIVERSIDE, batches(2, 10), 60_000)
    expect(failed).toMatchObject({ acknowledged: 0, cause: { name: 'ServiceUnavailableException' } })
    expect(own.calls).toBe(7)
    ownClient.destroy()
    await own.stop()
  })
})
