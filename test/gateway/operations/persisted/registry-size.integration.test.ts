import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { compilePolicy } from '../../../../directives/compile.ts'
import { openOperationAdmin } from '../../../../gateway/admin/operation-admin.ts'
import { composeGateway, openServices } from '../../../../gateway/compose.ts'
import { type Stack, startStack } from '../../../../infra/local/stack.ts'
import { fetchToken, PORTAL_CLIENT } from '../../../../infra/local/token.ts'
import { clinic } from '../../../../resolvers/clinic.ts'
import { clinicLock, clinicTypeDefs } from '../../../../schema/clinic.ts'
import { at, RIVERSIDE } from '../../asking.ts'

/** The registered operations of the large registry. */
const OPERATIONS = Number(process.env['REGISTERED_OPERATIONS'] ?? 100)
/** Memory is measured at the full size alone: a process that runs many test files takes seconds to collect its garbage. */
const MEASURES_MEMORY = OPERATIONS > 100
/** The operations that a gateway is asked for, the same ones of the small and of the large registry. */
const ASKED = 20
/** More than the noise of a heap, and less than a hundredth of what 10,000 entries take in memory. */
const NOISE_BYTES = 4_000_000

let folder: string
let stack: Stack
let token: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'phi-test-'))
  stack = await startStack({ dataFolder: folder, port: 0, namespace: `test-${randomUUID()}` })
  const services = openServices(stack.env)
  await services.keyring.createTenant(RIVERSIDE)
  services.close()
  token = await fetchToken(stack, 'physician', undefined, PORTAL_CLIENT)
})
afterAll(async () => {
  await stack.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** Publishes operations from 1 to `last`. Those that are registered stay. */
async function publish(last: number): Promise<void> {
  const compiled = compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' })
  const admin = await openOperationAdmin(RIVERSIDE, compiled, stack.env)
  const bodies = Array.from({ length: last }, (_, index) => [`id-${index + 1}`, `query Q${index + 1} { viewer { userId } }`])
  const of = { tenant: RIVERSIDE, client: PORTAL_CLIENT }
  const decision = await admin.decisions.publish(of, { manifest: JSON.stringify(Object.fromEntries(bodies)), by: admin.by })
  if (decision.refused !== undefined) throw new Error(decision.refused)
  await admin.commit('publish', decision.changes)
  admin.close()
}

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

function heapBytes(): number {
  if (!MEASURES_MEMORY) return 0
  for (let time = 0; time < 3; time++) collectGarbage()
  return process.memoryUsage().heapUsed
}

interface Measured {
  /** Requests to the registry's table until the gateway is ready. */
  readonly atStart: number
  /** Requests to it for each operation, cold and warm. */
  readonly cold: readonly number[]
  readonly warm: readonly number[]
  /** The heap that the gateway with its services takes. */
  readonly heap: number
  readonly startMs: number
  /** The median of a cold request. */
  readonly coldMs: number
}

async function measure(): Promise<Measured> {
  const before = heapBytes()
  const from = performance.now()
  const services = openServices(stack.env, { events: () => undefined })
  const gateway = await composeGateway(services, stack.env, { ...clinic, typeDefs: clinicTypeDefs(), lock: clinicLock() })
  await Promise.all([services.prefetch(), gateway.prefetch()])
  const startMs = performance.now() - from
  const { counter } = services.operations
  const atStart = counter.requests
  const times: number[] = []
  const ask = async (number: number): Promise<number> => {
    const [requests, start] = [counter.requests, performance.now()]
    const { body } = await gateway.handle({
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ documentId: `id-${number}` }),
      sourceIp: '127.0.0.1',
    })
    times.push(performance.now() - start)
    expect(at(JSON.parse(body), 'data', 'viewer', 'userId')).toBe('physician')
    return counter.requests - requests
  }
  const [cold, warm]: [number[], number[]] = [[], []]
  for (const requests of [cold, warm]) for (let number = 1; number <= ASKED; number++) requests.push(await ask(number))
  const heap = heapBytes() - before
  await gateway.stop()
  services.close()
  return { atStart, cold, warm, heap, startMs, coldMs: times.slice(0, ASKED).toSorted((a, b) => a - b)[ASKED / 2] ?? 0 }
}

/** Of several gateways, the least time and memory: the rest is noise of the machine. */
async function fastest(): Promise<Measured> {
  const first = await measure()
  const all = MEASURES_MEMORY ? [first, await measure(), await measure()] : [first]
  const least = (of: (one: Measured) => number): number => Math.min(...all.map(of))
  return {
    ...first,
    heap: least(({ heap }) => heap),
    startMs: least(({ startMs }) => startMs),
    coldMs: least(({ coldMs }) => coldMs),
  }
}

it('P10: start, lookup and memory of a gateway do not grow with the number of registered operations', async () => {
  await publish(ASKED)
  // what the process loads once does not count
  if (MEASURES_MEMORY) await measure()
  const small = await fastest()
  const from = performance.now()
  await publish(OPERATIONS)
  const publishMs = performance.now() - from
  const large = await fastest()
  const once = Array.from({ length: ASKED }, () => 1)
  for (const { atStart, cold, warm } of [small, large])
    expect({ atStart, cold, warm }).toEqual({ atStart: 0, cold: once, warm: once })
  expect(large.heap - small.heap).toBeLessThan(NOISE_BYTES)
  if (MEASURES_MEMORY) console.log(JSON.stringify({ OPERATIONS, publishMs, small, large }))
}, 1_200_000)
