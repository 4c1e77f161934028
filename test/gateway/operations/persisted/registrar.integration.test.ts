import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { VersionConflict } from '../../../../gateway/model/failures.ts'
import { isRefused } from '../../../../gateway/operations/persisted/registry-change.ts'
import { clientKey } from '../../../../gateway/store/operation-keys.ts'
import { PASS, type ServiceCall } from '../../../hostile/faults.ts'
import { KillSwitch } from '../../../hostile/kill-switch.ts'
import { APPROVAL, contractOf, newClient, operation, operationsOf, RegistryBench, V1, V2 } from './registry-bench.ts'

/** `REGISTERED=10000 npx vitest run registrar` publishes as many operations. */
const MANY = Number(process.env['REGISTERED'] ?? 300)

let bench: RegistryBench
let acme = newClient()
beforeAll(async () => {
  bench = await RegistryBench.start()
})
afterAll(() => bench.stop())
beforeEach(() => {
  acme = newClient()
})
afterEach(() => {
  bench.proxy.play(() => PASS)
})

const published = (numbers: ReturnType<typeof operationsOf>, appVersion = V1, state: 'PENDING' | 'ACTIVE' = 'ACTIVE') =>
  bench.registrar().publication(acme, numbers, appVersion, APPROVAL, state)
const stored = () => bench.registrar().operations(acme)
const partition = () => bench.partition(clientKey(acme.tenant, acme.client).pk)
const servedName = async (id: string) => (await bench.process().registry.byId(acme, id, bench.deadline())).operation?.name

describe('P10: a publication', () => {
  it('P10: adds the version to an operation with the same text, and writes nothing the second time', async () => {
    await bench.commit(await published([operation(1), operation(2)]))
    await bench.commit(await published([operation(1), operation(1)], V2))
    expect((await stored()).map(({ name, versions }) => [name, versions])).toEqual([
      ['Operation1', [V1, V2]],
      ['Operation2', [V1]],
    ])
    expect(await published([operation(1), operation(2)])).toEqual([])
  })

  it('P10: writes nothing if one operation is refused', async () => {
    await bench.commit(await published([operation(1)]))
    const before = await partition()
    for (const [change, refused] of [
      [{ text: '{ viewer { fhirUser } }' }, 'TEXT_CHANGED'],
      [{ textHash: 'f'.repeat(64) }, 'TEXT_CHANGED'],
      [{ id: '' }, 'INVALID'],
      [{ id: 'x'.repeat(513) }, 'INVALID'],
      [{ id: '\ud800' }, 'INVALID'],
      [{ text: `{ viewer { userId } }${'\n'.repeat(65 * 1024)}` }, 'INVALID'],
      [{ name: '' }, 'INVALID'],
    ] as const) {
      const changed = operation(1, change)
      expect(await published([operation(2), changed], V2)).toEqual({ refused, ids: [changed.id] })
    }
    expect(await partition()).toEqual(before)
  })

  it('P10: writes nothing if one manifest has two texts for an id, or a version has no name', async () => {
    const twice = [operation(1), operation(1, { text: '{ viewer { fhirUser } }' })]
    expect(await published(twice)).toEqual({ refused: 'TEXT_CHANGED', ids: [operation(1).id] })
    for (const app of ['', '__proto__', 'a\nb', 'x'.repeat(101)])
      expect(await published([operation(1)], { app, version: '1' })).toEqual({ refused: 'INVALID', ids: [] })
    expect(await partition()).toEqual([])
  })

  it('P10: does not serve a revoked operation again', async () => {
    await bench.commit(await published([operation(1), operation(2)]))
    await bench.commit(await bench.registrar().revocation(acme, operation(1).id, 'os:admin'))
    expect(await published([operation(1), operation(3)], V2)).toEqual({ refused: 'REVOKED', ids: [operation(1).id] })
    expect(await bench.registrar().revocation(acme, operation(1).id, 'os:admin')).toEqual([])
    const [first] = await stored()
    expect(first?.revoked).toEqual({ by: 'os:admin', at: bench.now() })
  })

  it('P10: finds one text under each of its ids, also after one of them was revoked', async () => {
    const same = { text: operation(1).text, textHash: operation(1).textHash }
    await bench.commit(await published([operation(1), operation(2, same)]))
    await bench.commit(await bench.registrar().revocation(acme, operation(1).id, 'os:admin'))
    const { registry } = bench.process()
    expect((await registry.byText(acme, same.textHash, bench.deadline())).operation?.id).toBe(operation(2).id)
  })

  it('P10: replaces an approval under another policy', async () => {
    await bench.commit(await published([operation(1)]))
    const again = { ...APPROVAL, by: 'os:other', policy: 'ef'.repeat(32) }
    await bench.commit(await bench.registrar().publication(acme, [operation(1)], V1, again, 'ACTIVE'))
    expect((await stored()).map(({ approval, versions }) => ({ approval, versions }))).toEqual([
      { approval: again, versions: [V1] },
    ])
  })

  it('P10: of an existing version keeps it active, and names of versions are only names', async () => {
    await bench.commit(await published([operation(1)]))
    await bench.commit(await published([operation(2)], V1, 'PENDING'))
    await bench.commit(await published([operation(3)], { app: 'constructor', version: 'toString' }, 'PENDING'))
    expect(await servedName(operation(2).id)).toBe('Operation2')
    expect(await servedName(operation(3).id)).toBeUndefined()
    const { apps } = (await bench.registrar().client(acme)) ?? {}
    expect(JSON.stringify(apps)).toBe('{"portal":{"1":"ACTIVE"},"constructor":{"toString":"PENDING"}}')
  })
})

describe('P10: two writers', () => {
  it('P10: of one client never both succeed', async () => {
    await bench.commit(await published([operation(1)]))
    const registrar = bench.registrar()
    const changes = await Promise.all([
      published([operation(2)], V2),
      registrar.versionChange(acme, V1, 'RETIRED'),
      registrar.revocation(acme, operation(1).id, 'os:admin'),
      registrar.contractChange(acme, contractOf(acme), APPROVAL),
    ])
    const results = await Promise.allSettled(changes.map((change) => bench.commit(change)))
    const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []))
    expect(failures).toHaveLength(3)
    for (const failure of failures) expect(failure).toBeInstanceOf(VersionConflict)
    expect((await bench.registrar().client(acme))?.version).toBe(2)
  })

  it('P10: of a new client never both succeed', async () => {
    const changes = await Promise.all([published([operation(1)]), published([operation(2)])])
    const results = await Promise.allSettled(changes.map((change) => bench.commit(change)))
    expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
  })
})

describe('P2: every change has its audit record', () => {
  it('P2: in the same transaction, with the client and the number of operations', async () => {
    const registrar = bench.registrar()
    await bench.agree(acme)
    await bench.commit(await published([operation(1), operation(2)], V1, 'PENDING'))
    await bench.commit(await registrar.versionChange(acme, V1, 'ACTIVE'))
    await bench.commit(await registrar.revocation(acme, operation(1).id, 'os:admin'))
    await bench.agree(acme, { maxPage: 10, digest: 'ee'.repeat(32) })
    const records = (await bench.auditOf(acme)).map(({ path, action, outcome, recordType, count: number }) =>
      [path, action, outcome, recordType, number].join(' '),
    )
    expect(records).toEqual([
      '#contract CREATE WRITTEN Client ',
      '#operation CREATE WRITTEN Client 2',
      '#operation UPDATE WRITTEN Client ',
      '#operation DELETE WRITTEN Client 1',
      '#contract UPDATE WRITTEN Client ',
    ])
  })

  it('P10: keeps every contract that was in force, with its first approval', async () => {
    await bench.agree(acme)
    await bench.agree(acme, { maxPage: 10, digest: 'ee'.repeat(32) })
    bench.elapsed = 1_000
    const again = { ...APPROVAL, by: 'os:other' }
    await bench.commit(await bench.registrar().contractChange(acme, contractOf(acme), again))
    expect(await bench.registrar().contractChange(acme, contractOf(acme), again)).toEqual([])
    expect(await bench.registrar().contracts(acme)).toEqual([
      { contract: contractOf(acme), approval: APPROVAL },
      { contract: contractOf(acme, { maxPage: 10, digest: 'ee'.repeat(32) }), approval: APPROVAL },
    ])
    const client = await bench.registrar().client(acme)
    expect(client).toMatchObject({ contract: contractOf(acme), approval: again })
    expect(await bench.registrar().contractChange(acme, contractOf(newClient()), again)).toEqual({ refused: 'INVALID', ids: [] })
  })

  it('P10: lists the clients of a tenant, whatever text their ids are', async () => {
    const { tenant } = acme
    const named = ['z', '__proto__', 'a#APQ#b', `long ${'x'.repeat(3_000)}`].map((client) => ({ tenant, client }))
    for (const of of named) await bench.publish(of, [operation(1)])
    const clients = (await bench.registrar().clients(tenant)).map(({ client }) => client)
    expect(clients).toEqual(expect.arrayContaining(named.map(({ client }) => client)))
    expect(clients).toEqual(clients.toSorted())
    expect(await bench.registrar().client(newClient())).toBeUndefined()
  })
})

describe(`P10: a publication of ${MANY} operations`, () => {
  const first = operation(1).id
  const last = operation(MANY).id

  it('P10: serves nothing before its last transaction, can be repeated after each kill, and never grows a lookup', async () => {
    const all = operationsOf(MANY)
    const process = bench.process()
    // ends a process after its second transaction, and one before its last
    for (const when of ['AFTER', 'BEFORE'] as const) {
      const changes = await published(all)
      if (isRefused(changes)) throw new Error(changes.refused)
      expect(changes.length).toBeGreaterThan(3)
      const dying = new KillSwitch(when === 'AFTER' ? 2 : changes.length, when)
      await expect(bench.commit(changes, dying)).rejects.toThrow()
      expect((await bench.registrar().client(acme))?.apps).toEqual({})
      for (const id of [first, last]) expect((await process.registry.byId(acme, id, bench.deadline())).operation).toBeUndefined()
    }
    const sizes: number[] = []
    bench.proxy.play((call) => {
      if (call.operation === 'TransactWriteItems') sizes.push(actionsOf(call))
      return PASS
    })
    await bench.commit(await published(all))
    expect(Math.max(...sizes)).toBeLessThanOrEqual(100)
    expect(await stored()).toHaveLength(MANY)

    const before = process.requests()
    const { items } = process.registry.cached
    for (const id of [first, last, first]) {
      expect((await process.registry.byId(acme, id, bench.deadline())).operation?.id).toBe(id)
    }
    // the two that were cached as absent are read again, once each
    expect(process.requests() - before).toBe(5)
    expect(process.registry.cached.items - items).toBeLessThanOrEqual(2)
    const cold = bench.process()
    await cold.registry.byId(acme, last, bench.deadline())
    expect(cold.requests()).toBe(1)
    expect(cold.registry.cached.items).toBe(1)
  }, 600_000)

  it('P10: of long texts divides them, so that no transaction takes more than a second of write units', async () => {
    const long = operationsOf(7).map((one) => ({ ...one, text: `${one.text} #${'x'.repeat(60_000)}` }))
    const sizes: number[] = []
    bench.proxy.play((call) => {
      if (call.operation === 'TransactWriteItems') sizes.push(call.body.length)
      return PASS
    })
    await bench.commit(await published(long))
    expect(sizes).toHaveLength(3)
    // two units for each KiB, and base64 is a third longer
    expect(Math.max(...sizes)).toBeLessThan(((1_000 / 2) * 1_024 * 4) / 3)
    expect((await stored()).map(({ text }) => text)).toEqual(long.map(({ text }) => text))
  })

  it('P10: to an active version serves none of the new ones if it is ended, and keeps the others', async () => {
    await bench.publish(acme, [operation(1)])
    const dying = new KillSwitch(2, 'AFTER')
    await expect(bench.commit(await published(operationsOf(120)), dying)).rejects.toThrow()
    expect([await servedName(operation(1).id), await servedName(operation(2).id)]).toEqual(['Operation1', undefined])
    // an unrelated publication does not finish it
    await bench.commit(await published([operation(200)]))
    expect([await servedName(operation(200).id), await servedName(operation(2).id)]).toEqual(['Operation200', undefined])
    await bench.commit(await published(operationsOf(120)))
    expect(await servedName(operation(2).id)).toBe('Operation2')
  })
})

const actionsOf = ({ json }: ServiceCall): number => (json['TransactItems'] as readonly unknown[]).length
