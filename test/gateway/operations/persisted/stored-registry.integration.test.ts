import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { IntegrityFailure, KeyUnavailable, StoreUnavailable } from '../../../../gateway/model/failures.ts'
import type { Instant } from '../../../../gateway/model/ids.ts'
import { clientKey, operationKey, textKey } from '../../../../gateway/store/operation-keys.ts'
import { HANG, PASS, refuse, type Reply } from '../../../hostile/faults.ts'
import { LAKESIDE } from '../../asking.ts'
import { NOON } from '../../audit/examples.ts'
import { flipped } from '../../store/database-hand.ts'
import { APPROVAL, newClient, operation, RegistryBench, type RegistryProcess, V1, V2 } from './registry-bench.ts'

const [FIRST, SECOND] = [operation(1), operation(2)]
let bench: RegistryBench
let acme = newClient()

beforeAll(async () => {
  bench = await RegistryBench.start()
})
afterAll(() => bench.stop())
beforeEach(async () => {
  bench.elapsed = 0
  acme = newClient()
  await bench.agree(acme)
  await bench.publish(acme, [FIRST, SECOND])
})
afterEach(() => {
  bench.proxy.play(() => PASS)
})

const byId = ({ registry }: RegistryProcess, id: string, of = acme) => registry.byId(of, id, bench.deadline())
const byText = ({ registry }: RegistryProcess, hash: string, of = acme) => registry.byText(of, hash, bench.deadline())
/** The operation that a process would run; undefined if it refuses. */
const served = async (process: RegistryProcess, id = FIRST.id) => (await byId(process, id)).operation?.name
const requestsOf = async (process: RegistryProcess, work: () => Promise<unknown>): Promise<number> => {
  const before = process.requests()
  await work()
  return process.requests() - before
}
const key = (of = acme) => clientKey(of.tenant, of.client)
const opKey = (id = FIRST.id, of = acme) => operationKey(of.tenant, of.client, id)

describe('P10: a client runs what was registered for it', () => {
  it('P10: finds an operation with the contract of its client, by id and by text', async () => {
    const process = bench.process()
    for (const found of [await byId(process, FIRST.id), await byText(process, FIRST.textHash)]) {
      expect(found.status).toBe('REGISTERED')
      expect(found.operation).toEqual({ id: FIRST.id, name: FIRST.name, text: FIRST.text, versions: [V1], approval: APPROVAL })
      expect(found.client).toMatchObject({ client: acme.client, approval: APPROVAL, apps: { portal: { 1: 'ACTIVE' } } })
      expect(found.client?.contract?.paths).toEqual(new Set(['Patient.birthDate', 'Patient.mrn']))
      expect(found.client?.contract?.recipient.reference).toBe('Organization/acme')
    }
  })

  it('P10: returns the contract for a text that is not registered', async () => {
    const { client, operation: none, status } = await byText(bench.process(), operation(9).textHash)
    expect({ status, none }).toEqual({ status: 'REGISTERED', none: undefined })
    expect(client?.contract?.maxPage).toBe(50)
  })

  it('P10: refuses an operation of a pending or retired version, and follows each change at once', async () => {
    const process = bench.process()
    const third = operation(3)
    const registrar = bench.registrar()
    await bench.commit(await registrar.publication(acme, [third], V2, APPROVAL, 'PENDING'))
    expect(await served(process, third.id)).toBeUndefined()
    await bench.commit(await registrar.versionChange(acme, V2, 'ACTIVE'))
    expect(await served(process, third.id)).toBe('Operation3')
    await bench.commit(await registrar.versionChange(acme, V2, 'RETIRED'))
    expect(await served(process, third.id)).toBeUndefined()
    // the other version is not changed
    expect(await served(process)).toBe('Operation1')
  })

  it('P10: applies a narrowed contract to the next request', async () => {
    const process = bench.process()
    expect((await byId(process, FIRST.id)).client?.contract?.paths.size).toBe(2)
    await bench.agree(acme, { paths: new Set(['Patient.mrn']) as never, digest: 'ee'.repeat(32) })
    const { client } = await byId(process, FIRST.id)
    expect([...(client?.contract?.paths ?? [])]).toEqual(['Patient.mrn'])
  })

  it('P10: returns nothing of a client whose contract is over, by id or by text', async () => {
    const process = bench.process()
    await bench.agree(acme, { expiresAt: (NOON + 60_000) as Instant, digest: 'ee'.repeat(32) })
    expect(await served(process)).toBe('Operation1')
    bench.elapsed = 60_000
    const over = { status: 'EXPIRED', client: undefined, operation: undefined }
    expect(await byId(process, FIRST.id)).toEqual(over)
    expect(await byText(process, FIRST.textHash)).toEqual(over)
  })
})

describe('P10: a refusal', () => {
  const refusals = async () => {
    const [other, over] = [newClient(), newClient()]
    await bench.publish(other, [operation(7)])
    await bench.publish(over, [FIRST])
    await bench.agree(over, { expiresAt: NOON })
    await bench.commit(await bench.registrar().revocation(acme, SECOND.id, 'os:admin'))
    return {
      unknown: [acme, operation(9)],
      revoked: [acme, SECOND],
      another: [acme, operation(7)],
      noClient: [newClient(), FIRST],
      otherTenant: [{ ...acme, tenant: LAKESIDE }, FIRST],
      expired: [over, FIRST],
      empty: [acme, operation(9, { id: '', textHash: '' })],
      long: [acme, operation(9, { id: 'x'.repeat(5_000), textHash: 'x'.repeat(5_000) })],
      halfPair: [acme, operation(9, { id: '\ud800', textHash: '\ud800' })],
      proto: [acme, operation(9, { id: '__proto__', textHash: '__proto__' })],
    } as const
  }

  it('P10: takes the same requests as every other refusal and as an answer, cold and warm, and no KMS call', async () => {
    const calls = bench.kmsCalls
    const work: Record<string, unknown> = {}
    for (const [name, [of, { id, textHash }]] of Object.entries(await refusals())) {
      const process = bench.process()
      const before = bench.kmsCalls
      const ids = [await requestsOf(process, () => byId(process, id, of)), await requestsOf(process, () => byId(process, id, of))]
      expect((await byId(process, id, of)).operation, name).toBeUndefined()
      expect((await byId(process, id, of)).client, name).toBeUndefined()
      expect(bench.kmsCalls, name).toBe(before)
      const fresh = bench.process()
      const texts = [
        await requestsOf(fresh, () => byText(fresh, textHash, of).catch(() => undefined)),
        await requestsOf(fresh, () => byText(fresh, textHash, of).catch(() => undefined)),
      ]
      work[name] = { ids, texts }
    }
    const process = bench.process()
    const answered = {
      ids: [await requestsOf(process, () => byId(process, FIRST.id)), await requestsOf(process, () => byId(process, FIRST.id))],
      texts: await (async () => {
        const fresh = bench.process()
        return [
          await requestsOf(fresh, () => byText(fresh, FIRST.textHash)),
          await requestsOf(fresh, () => byText(fresh, FIRST.textHash)),
        ]
      })(),
    }
    expect(answered).toEqual({ ids: [1, 1], texts: [2, 1] })
    for (const [name, one] of Object.entries(work)) expect(one, name).toEqual(answered)
    expect(bench.kmsCalls).toBeGreaterThan(calls)
  })

  it('P10: of unknown ids does not grow the memory beyond its limit, nor drop operations', async () => {
    const process = bench.process()
    await served(process)
    const { bytes } = process.registry.cached
    for (let number = 100; number < 130; number++) await served(process, `${'x'.repeat(480)}${number}`)
    expect(process.registry.cached.bytes - bytes).toBeLessThan(30 * 2_000)
    expect(await requestsOf(process, () => served(process))).toBe(1)
  })
})

describe('P13: a revocation holds on every instance within 30 seconds', () => {
  it('P13: refuses at the next request of each instance, with a registry that had the operation', async () => {
    const [one, other] = [bench.process(), bench.process()]
    expect([await served(one), await served(other)]).toEqual(['Operation1', 'Operation1'])
    await bench.commit(await bench.registrar().revocation(acme, FIRST.id, 'os:admin'))
    expect([await served(one), await served(other)]).toEqual([undefined, undefined])
    expect((await byText(one, FIRST.textHash)).operation).toBeUndefined()
    expect(await served(one, SECOND.id)).toBe('Operation2')
  })

  it('P13: refuses after 25 seconds even if the batch read the operation before its revocation, and the client after it', async () => {
    const [one, other] = [bench.process(), bench.process()]
    const before = await bench.item(opKey())
    await bench.commit(await bench.registrar().revocation(acme, FIRST.id, 'os:admin'))
    const revoked = await bench.item(opKey())
    await bench.put(before)
    expect([await served(one), await served(other)]).toEqual(['Operation1', 'Operation1'])
    await bench.put(revoked)
    bench.elapsed = 24_999
    expect(await served(one)).toBe('Operation1')
    bench.elapsed = 25_000
    expect([await served(one), await served(other)]).toEqual([undefined, undefined])
  })

  it('P13: refuses at once in the process that made the change, also if a read of the former operation was under way', async () => {
    const [one, other] = [bench.process(), bench.process()]
    const before = await bench.item(opKey())
    await bench.commit(await bench.registrar().revocation(acme, FIRST.id, 'os:admin'))
    const revoked = await bench.item(opKey())
    await bench.put(before)
    expect(await served(one)).toBe('Operation1')
    let reads = 0
    const change = async (reply: Reply): Promise<Reply> => {
      await bench.put(revoked)
      for (const { registry } of [one, other]) registry.forget(acme)
      return reply
    }
    bench.proxy.play(({ operation: name }) => (name === 'BatchGetItem' && reads++ === 0 ? { kind: 'REWRITE', change } : PASS))
    expect(await served(other)).toBe('Operation1')
    expect([await served(one), await served(other)]).toEqual([undefined, undefined])
  })

  it('P13: a change drops no entry of another client', async () => {
    const [process, neighbor] = [bench.process(), newClient()]
    await served(process)
    process.registry.forget(neighbor)
    const { items } = process.registry.cached
    expect(items).toBeGreaterThan(0)
    process.registry.forget(acme)
    expect(process.registry.cached.items).toBe(0)
  })
})

describe('P6: a writer of the database cannot register an operation or widen a contract', () => {
  const expectForged = async (id = FIRST.id) => {
    await expect(byId(bench.process(), id)).rejects.toBeInstanceOf(IntegrityFailure)
  }

  it.each(['CLIENT', `OP#${FIRST.id}`])('P6: refuses %s with one changed bit', async (sk) => {
    const item = await bench.item({ pk: key().pk, sk })
    for (const place of [0, 3, 10, 40, -1]) {
      await bench.put({ ...item, v: flipped(item['v'], place) })
      await expectForged()
    }
    await bench.put(item)
    expect(await served(bench.process())).toBe('Operation1')
  })

  it('P6: refuses an operation without its bytes', async () => {
    const { v, ...item } = await bench.item(opKey())
    expect(v).toBeDefined()
    await bench.put(item)
    await expectForged()
  })

  it("P6: refuses another client's operation and contract, moved to this client", async () => {
    const other = newClient()
    await bench.agree(other, { maxPage: 1_000 })
    await bench.publish(other, [FIRST, operation(7)])
    const [client, own] = [await bench.item(key()), await bench.item(opKey())]
    const theirs = await bench.item(opKey(FIRST.id, other))
    // the bytes of the same operation, and a whole item that this client does not have
    await bench.put({ ...own, v: theirs['v'] ?? { B: new Uint8Array() } })
    await expectForged()
    await bench.put(own)
    const moved = await bench.item(opKey(operation(7).id, other))
    await bench.put({ ...moved, pk: own['pk'] ?? { S: '' } })
    await expectForged(operation(7).id)
    const wider = await bench.item(key(other))
    await bench.put({ ...wider, pk: client['pk'] ?? { S: '' } })
    await expectForged()
  })

  it('P6: refuses an operation under the id of another one', async () => {
    const [first, second] = [await bench.item(opKey()), await bench.item(opKey(SECOND.id))]
    await bench.put({ ...second, v: first['v'] ?? { B: new Uint8Array() } })
    await expectForged(SECOND.id)
  })

  it('P6: refuses a revoked operation and an expired contract without their clear attributes', async () => {
    const { until, ...client } = await bench.item(key())
    expect(until).toBeDefined()
    await bench.put(client)
    bench.elapsed = 90 * 24 * 60 * 60_000
    expect((await byId(bench.process(), FIRST.id)).status).toBe('EXPIRED')
    bench.elapsed = 0
    await bench.commit(await bench.registrar().revocation(acme, FIRST.id, 'os:admin'))
    const { revoked, ...item } = await bench.item(opKey())
    expect(revoked).toBeDefined()
    await bench.put(item)
    expect(await served(bench.process())).toBeUndefined()
  })

  it('P6: refuses a text that leads to another operation, and ids that lead nowhere', async () => {
    const at = textKey(acme.tenant, acme.client, FIRST.textHash)
    const text = await bench.item(at)
    await bench.put({ ...text, ids: { L: [{ S: SECOND.id }] } })
    await expect(byText(bench.process(), FIRST.textHash)).rejects.toBeInstanceOf(IntegrityFailure)
    await bench.put({ ...text, ids: { L: [{ S: 'nowhere' }, { S: '' }, { N: '1' }, { S: 'x'.repeat(3_000) }] } })
    expect((await byText(bench.process(), FIRST.textHash)).operation).toBeUndefined()
  })

  it('P6: refuses a client with another version than its content, and no writer builds on it', async () => {
    await bench.put({ ...(await bench.item(key())), version: { N: '7' } })
    await expectForged()
    await expect(bench.registrar().publication(acme, [FIRST], V2, APPROVAL, 'ACTIVE')).rejects.toBeInstanceOf(IntegrityFailure)
  })
})

describe('P12: the registry fails closed', () => {
  it('P12: fails if the table or KMS is not available, and never returns less than was registered', async () => {
    bench.proxy.play(({ operation: name }) => (name === 'BatchGetItem' ? refuse('InternalServerError', 500) : PASS))
    await expect(byId(bench.process(), FIRST.id)).rejects.toBeInstanceOf(StoreUnavailable)
    await expect(byText(bench.process(), FIRST.textHash)).rejects.toBeInstanceOf(StoreUnavailable)
    bench.proxy.play(() => PASS)
    bench.kmsIsDown = true
    try {
      await expect(byId(bench.process(), FIRST.id)).rejects.toBeInstanceOf(KeyUnavailable)
      // a refusal needs no key
      expect((await byId(bench.process(), operation(9).id)).operation).toBeUndefined()
    } finally {
      bench.kmsIsDown = false
    }
  })

  it('P12: a slow lookup holds back no other, of another id or of the same one', async () => {
    const process = bench.process()
    let hung = 0
    bench.proxy.play(({ body }) => (body.includes(SECOND.id) && hung++ === 0 ? HANG : PASS))
    const slow = process.registry.byId(acme, SECOND.id, bench.deadline(400))
    const failed = expect(slow).rejects.toBeInstanceOf(StoreUnavailable)
    expect(await served(process)).toBe('Operation1')
    expect(await served(process, SECOND.id)).toBe('Operation2')
    await failed
    expect(hung).toBe(2)
  })
})
