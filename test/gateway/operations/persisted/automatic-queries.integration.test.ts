import { hash } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { IntegrityFailure } from '../../../../gateway/model/failures.ts'
import { automaticCountKey, automaticQueryKey } from '../../../../gateway/store/operation-keys.ts'
import { flipped } from '../../store/database-hand.ts'
import { newClient, RegistryBench, type RegistryProcess } from './registry-bench.ts'

const TEXT = 'query { patient(id: "canary-id") { familyName } }'
const sha256 = (text: string): string => hash('sha256', text, 'hex')
const DAY_MS = 24 * 60 * 60_000

let bench: RegistryBench
let web = newClient()
beforeAll(async () => {
  bench = await RegistryBench.start()
})
afterAll(() => bench.stop())
beforeEach(() => {
  bench.elapsed = 0
  web = newClient()
})

const find = ({ queries }: RegistryProcess, text: string, of = web) => queries.find(of, sha256(text), bench.deadline())
const store = ({ queries }: RegistryProcess, text: string, of = web) => queries.store(of, sha256(text), text, bench.deadline())
const keyOf = (text: string, of = web) => automaticQueryKey(of.tenant, of.client, sha256(text))

describe('P10: automatic queries', () => {
  it('P10: are found by the client that registered them, in every process, and by no other', async () => {
    const [one, other] = [bench.process(), bench.process()]
    const calls = bench.kmsCalls
    expect(await find(one, TEXT)).toBeUndefined()
    expect(bench.kmsCalls).toBe(calls)
    await store(one, TEXT)
    expect([await find(one, TEXT), await find(other, TEXT)]).toEqual([TEXT, TEXT])
    expect(await find(other, TEXT, newClient())).toBeUndefined()
    const before = other.requests()
    expect(await find(other, TEXT)).toBe(TEXT)
    expect(other.requests()).toBe(before)
  })

  it('P10: are stored only under the hash of their text, and up to 64 KiB', async () => {
    const process = bench.process()
    await process.queries.store(web, sha256('other'), TEXT, bench.deadline())
    expect(await find(process, 'other')).toBeUndefined()
    const [fits, over] = ['é'.repeat(32 * 1024), `${'é'.repeat(32 * 1024)}x`]
    for (const text of [fits, over]) await store(process, text)
    expect([await find(process, fits), await find(process, over)]).toEqual([fits, undefined])
    expect(await process.queries.find(web, `${sha256(TEXT)}\n`, bench.deadline())).toBeUndefined()
    expect(process.requests()).toBeLessThan(10)
  })

  it('P10: end after seven days, although the engine keeps them', async () => {
    await store(bench.process(), TEXT)
    bench.elapsed = 7 * DAY_MS - 1
    expect(await find(bench.process(), TEXT)).toBe(TEXT)
    bench.elapsed = 7 * DAY_MS + 1_000
    expect(await find(bench.process(), TEXT)).toBeUndefined()
    expect(await bench.item(keyOf(TEXT))).toBeDefined()
    await store(bench.process(), TEXT)
    expect(await find(bench.process(), TEXT)).toBe(TEXT)
  })

  it('P10: are at most 1,000 new ones a day for a client, and a known one does not count', async () => {
    const process = bench.process()
    for (const text of [TEXT, TEXT, TEXT]) await store(process, text)
    const today = automaticCountKey(web.tenant, web.client, new Date(bench.now()).toISOString().slice(0, 10))
    const item = await bench.item(today)
    expect(item['count']).toEqual({ N: '1' })
    await bench.put({ ...item, count: { N: '998' } })
    await Promise.all(Array.from({ length: 10 }, (_, number) => store(process, `{ a${number}: viewer { userId } }`)))
    const found = Array.from({ length: 10 }, (_, number) => find(bench.process(), `{ a${number}: viewer { userId } }`))
    expect((await Promise.all(found)).filter((text) => text !== undefined)).toHaveLength(2)
    const other = newClient()
    await store(process, TEXT, other)
    expect(await find(process, TEXT, other)).toBe(TEXT)
    bench.elapsed = DAY_MS
    await store(process, 'tomorrow')
    expect(await find(process, 'tomorrow')).toBe('tomorrow')
  })

  it('P6: are sealed, and a changed or moved one is refused', async () => {
    const other = newClient()
    await store(bench.process(), TEXT)
    await store(bench.process(), TEXT, other)
    const item = await bench.item(keyOf(TEXT))
    expect(Buffer.from(item['v']?.B ?? []).toString('latin1')).not.toContain('canary-id')
    await bench.put({ ...item, v: flipped(item['v']) })
    await expect(find(bench.process(), TEXT)).rejects.toBeInstanceOf(IntegrityFailure)
    await bench.put({ ...item, v: (await bench.item(keyOf(TEXT, other)))['v'] ?? { B: new Uint8Array() } })
    await expect(find(bench.process(), TEXT)).rejects.toBeInstanceOf(IntegrityFailure)
  })
})
