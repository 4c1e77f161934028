import { createServer, type Server } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { logKey } from '../../../../gateway/audit/notary/log-key.ts'
import { askingWitnesses } from '../../../../gateway/audit/notary/witnesses.ts'
import { verifyCheckpoint } from '../../../../gateway/audit/verify/checkpoint.ts'
import { type LogPolicy, parseLogPolicy } from '../../../../gateway/audit/verify/log-policy.ts'
import { verifierKeyText } from '../../../../gateway/audit/verify/verifier-key.ts'
import type { TenantId } from '../../../../gateway/model/ids.ts'
import type { GatewayEvent } from '../../../../gateway/telemetry/events.ts'
import { close, listen } from '../../../../infra/local/ports.ts'
import { startWitness, type Witness } from '../../../../infra/local/witness.ts'
import { NotaryBench, originOf, SetClock, SIGNERS } from './notary-bench.ts'

let bench: NotaryBench
const witnesses: Witness[] = []
beforeAll(async () => {
  bench = await NotaryBench.start()
})
afterAll(async () => {
  await Promise.all(witnesses.map((witness) => witness.stop()))
  await bench.stop()
})

const START = '2026-11-28T17:10:00Z'

/** A tenant with a witnessed log. */
async function witnessed(count: number) {
  const clock = new SetClock(START)
  const tenant = bench.tenant()
  const keys = await Promise.all(SIGNERS.map((signer) => logKey(signer, originOf(tenant))))
  const logs = keys.map(({ name, algorithm, publicKey }) => verifierKeyText(name, algorithm, publicKey))
  const own = await Promise.all(
    Array.from({ length: count }, (_, at) => startWitness({ name: `witness.example.org/${at}`, logs, now: clock.now })),
  )
  witnesses.push(...own)
  const policy = policyOf(logs, own)
  const events: GatewayEvent[] = []
  const askWitnesses = askingWitnesses({
    policy,
    objects: bench.objects,
    events: (event) => void events.push(event),
    answerMs: 500,
  })
  const notary = bench.notary(clock, bench.services, { askWitnesses })
  const write = bench.writer(tenant, clock)
  const round = async (items: number): Promise<void> => {
    await write(items)
    clock.pass(60)
    await notary.pass(tenant)
  }
  return { clock, tenant, policy, own, logs, events, round }
}

function policyOf(logs: readonly string[], own: readonly { readonly keys: readonly string[]; readonly url: string }[]): LogPolicy {
  const names = own.flatMap(({ keys }, at) => keys.map((_, key) => `w${at}-${key}`))
  const lines = [
    ...logs.map((key) => `log ${key}`),
    ...own.flatMap(({ keys, url }, at) => keys.map((key, index) => `witness w${at}-${index} ${key} ${url}`)),
    `group everyone all ${names.join(' ')}`,
    'quorum everyone',
  ]
  const read = parseLogPolicy(`${lines.join('\n')}\n`)
  if (read.outcome !== 'READ') throw new Error(`line ${read.line}: ${read.reason}`)
  return read.policy
}

const notesOf = async (tenant: TenantId): Promise<string[]> => {
  const { names } = await bench.published(tenant)
  const notes = names.filter((name) => name.includes('/checkpoints/'))
  return await Promise.all(notes.map(async (name) => Buffer.from((await bench.objects.get(name))?.bytes ?? []).toString()))
}

describe('P7: witnesses cosign what the notary publishes', () => {
  it('P7: every checkpoint has the cosignatures of log and witnesses that the policy requires', async () => {
    const { tenant, own, policy, events, round } = await witnessed(2)
    for (const items of [1, 2, 300, 1, 70]) await round(items)
    expect(events).toEqual([])
    expect(own.map((witness) => witness.sizeOf(originOf(tenant)))).toEqual([374, 374])
    const notes = await notesOf(tenant)
    expect(notes).toHaveLength(5)
    for (const note of notes) {
      const { outcome } = await verifyCheckpoint(note, originOf(tenant), policy)
      expect(outcome).toBe('VERIFIED')
    }
  })

  it('P7: a witness that joins later, or missed checkpoints, names its size and gets a proof from there', async () => {
    const { tenant, own, round, events, clock, logs } = await witnessed(1)
    await round(5)
    // the log goes on without its witness
    const alone = bench.notary(clock)
    const write = bench.writer(tenant, clock)
    for (const items of [1, 260]) {
      await write(items)
      clock.pass(60)
      await alone.pass(tenant)
    }
    expect(own[0]?.sizeOf(originOf(tenant))).toBe(5)
    await round(9)
    expect(own[0]?.sizeOf(originOf(tenant))).toBe(275)
    expect(events).toEqual([])
    const late = await startWitness({ name: 'late.example.org', logs, now: clock.now })
    witnesses.push(late)
    const asking = bench.notary(clock, bench.services, {
      askWitnesses: askingWitnesses({
        policy: policyOf(logs, [late]),
        objects: bench.objects,
        events: (event) => void events.push(event),
      }),
    })
    await write(1)
    clock.pass(60)
    await asking.pass(tenant)
    expect(late.sizeOf(originOf(tenant))).toBe(276)
    expect(events).toEqual([])
  })

  it('P7: a witness refuses a rewritten log, and the notary reports the conflict', async () => {
    const { tenant, own, clock, events, round, logs } = await witnessed(1)
    await round(6)
    // another log under the same name and keys, as after a restore of the tables to an earlier time
    const fork = await NotaryBench.start()
    try {
      const asking = askingWitnesses({
        policy: policyOf(logs, own),
        objects: fork.objects,
        events: (event) => void events.push(event),
      })
      const notary = fork.notary(clock, fork.services, { askWitnesses: asking })
      const write = fork.writer(tenant, clock)
      for (const items of [6, 3]) {
        await write(items)
        clock.pass(60)
        await notary.pass(tenant)
      }
      const { sizes } = await fork.published(tenant)
      expect(sizes).toEqual([6, 9])
    } finally {
      await fork.stop()
    }
    const conflict = { event: 'WITNESS_FAILED', tenant, what: 'CONFLICT' }
    expect(events).toEqual([conflict, conflict])
    expect(own[0]?.sizeOf(originOf(tenant))).toBe(6)
  })

  it('refuses an unknown log, a foreign signature, a malformed request and a size that goes back', async () => {
    const { tenant, own, round } = await witnessed(1)
    await round(4)
    await round(4)
    const [first = '', second = ''] = await notesOf(tenant)
    const url = `${own[0]?.url ?? ''}/add-checkpoint`
    const asked = async (body: string) => (await fetch(url, { method: 'POST', body })).status
    expect(await asked(`old 8\n\n${first}`)).toBe(400)
    expect(await asked(`old 4\n\n${first}`)).toBe(409)
    expect(await asked(`old 8\n\n${second}`)).toBe(200)
    expect(await asked(`old 8\n${'A'.repeat(43)}=\n\n${second}`)).toBe(422)
    expect(await asked(`old 4\n\n${second}`)).toBe(409)
    expect(await asked(`old x\n\n${second}`)).toBe(400)
    expect(await asked(`old 8\n${second}`)).toBe(400)
    expect(await asked(`old 8\n\n${second.replace(originOf(tenant), 'other.example.com/audit/x')}`)).toBe(404)
    expect(await asked(`old 8\n\n${second.replace('\n8\n', '\n9\n')}`)).toBe(403)
  })
})

describe('P7: a faulty witness does not hold back the log', () => {
  const servers: Server[] = []
  afterAll(async () => {
    await Promise.all(servers.map((server) => close(server)))
  })

  it.each<[string, number | 'SILENT', string]>([
    ['is silent', 'SILENT', 'UNAVAILABLE'],
    ['fails', 500, 'UNAVAILABLE'],
    ['does not know the log', 404, 'REFUSED'],
    ['returns no cosignature', 200, 'UNAVAILABLE'],
  ])('P7: if it %s, the checkpoint is published without it, with an alarm', async (_, status, what) => {
    const { clock, tenant, logs, own } = await witnessed(1)
    const server = createServer((_request, response) => {
      if (status !== 'SILENT') response.writeHead(status).end('\u2014 witness.example.org/0 AAAA\n')
    })
    servers.push(server)
    const url = `http://127.0.0.1:${await listen(server, 0)}`
    const events: GatewayEvent[] = []
    const policy = policyOf(logs, [{ keys: own[0]?.keys ?? [], url }])
    const askWitnesses = askingWitnesses({
      policy,
      objects: bench.objects,
      events: (event) => void events.push(event),
      answerMs: 200,
    })
    const notary = bench.notary(clock, bench.services, { askWitnesses })
    await bench.writer(tenant, clock)(3)
    expect(await notary.pass(tenant)).toBe(true)
    expect((await bench.published(tenant)).sizes).toEqual([3])
    expect(events).toEqual([{ event: 'WITNESS_FAILED', tenant, what }])
  })
})
