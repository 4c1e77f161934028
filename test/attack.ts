import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { openStore } from '../gateway/admin/open-store.ts'
import { fetchToken } from '../infra/local/token.ts'
import { Admissions } from './gateway/admitted.ts'
import { first, madeUpId, patientsOf, RIVERSIDE } from './gateway/asking.ts'
import { FunctionChild } from './harness/function-child.ts'
import type { Invoked } from './harness/function-process.ts'
import { runClinic } from './harness/running-clinic.ts'

// `npm run test:attack`: users of one tenant flood the deployed function with the costliest requests, over 30 connections at once. A
// user of another tenant must still be served in time, and the memory must stay bounded. ATTACK_SECONDS sets the length, 60 by default.
// On Lambda, each concurrent request has a process and a processor of its own. Two processes of the function imitate it: the flood goes to
// one of low priority, and the other tenant asks the other one. What they share are the tables, the keys and the budgets. At the end, the
// same flood goes to the process of the other tenant. That result is only printed: a server that shares a process between tenants
// needs a limit of concurrent requests in front of it.

const SECONDS = Number(process.env['ATTACK_SECONDS'] ?? 60)
const CONNECTIONS = 30
const MAX_BYTES = 512_000_000
/** The permitted 95th percentile of the other tenant, as a multiple of the quiet one. */
const MAX_RATIO = 3
/** The part of the attack that the quiet measurement takes. */
const QUIET_PART = 0.25
/** Requests until code and caches are warm. */
const WARM_UP = 50
const LONG_NOTES = 30
/** A note of about the maximum length. */
const LONG = 'x'.repeat(200 * 1024 - 2)

const MANY = 100_000_000
const forAll = { CLINICIAN: MANY, STAFF: MANY, RESEARCH: MANY, PATIENT: MANY, PARTNER: MANY, OVERSIGHT: MANY }
/** Without it, both tenants reach the values of an hour within the attack, which would end it. The budgets of refusals stay. */
const LIMITS = JSON.stringify({ hour: forAll })

const root = new URL('../', import.meta.url)
const times = (count: number, text: (number: number) => string): string =>
  Array.from({ length: count }, (_, n) => text(n)).join(' ')

interface Attack {
  readonly name: string
  readonly user: string
  readonly body: () => string
}

const bodyOf = (query: string, variables: Readonly<Record<string, unknown>> = {}): string => JSON.stringify({ query, variables })

/** The requests of the review: large answers, refusals without end, and documents that are costly to validate. */
function attacksOn(noted: string, patient: string): readonly Attack[] {
  const ofNotes = (first: number, selected: string): string =>
    `query ($id: ID!) { patient(id: $id) { documentReferences(first: ${first}) { edges { node { ${selected} } } } } }`
  const fragment = times(40, (n) => `fragment F${n} on Patient { ...F${n + 1} ...F${n + 1} }`)
  return [
    { name: '30 large notes', user: 'physician', body: () => bodyOf(ofNotes(LONG_NOTES, 'text'), { id: noted }) },
    { name: '20 large notes, given', user: 'physician', body: () => bodyOf(ofNotes(20, 'text'), { id: noted }) },
    {
      name: 'aliases of large notes',
      user: 'physician',
      body: () =>
        bodyOf(
          ofNotes(
            3,
            times(90, (n) => `a${n}: text`),
          ),
          { id: noted },
        ),
    },
    {
      name: 'a panel with aliases',
      user: 'physician',
      body: () => bodyOf(`{ patients(first: 100) { edges { node { ${times(90, (n) => `a${n}: familyName`)} } } } }`),
    },
    {
      name: 'ids that do not exist',
      user: 'patient',
      body: () => bodyOf(`{ ${times(20, (n) => `a${n}: patient(id: "${madeUpId()}") { familyName }`)} }`),
    },
    {
      name: 'an id of a stranger',
      user: 'proxy',
      body: () => bodyOf('query ($id: ID!) { patient(id: $id) { familyName } }', { id: patient }),
    },
    {
      name: 'denied values',
      user: 'nurse',
      body: () => bodyOf('{ patients(first: 100) { edges { node { ssn } } } }'),
    },
    { name: '970 aliases', user: 'physician', body: () => bodyOf(`{ ${times(970, (n) => `a${n}: viewer { userId }`)} }`) },
    { name: '101 unknown fields', user: 'physician', body: () => bodyOf(`{ ${times(101, (n) => `nothing${n}`)} }`) },
    { name: 'deep nesting', user: 'physician', body: () => bodyOf(`{ ${'a { '.repeat(600)} b ${'} '.repeat(600)} }`) },
    {
      name: '1,900 directives',
      user: 'physician',
      body: () => bodyOf(`{ viewer { userId ${'@include(if: true) '.repeat(600)} } }`),
    },
    {
      name: 'fragments that double',
      user: 'physician',
      body: () => bodyOf(`{ patients(first: 1) { edges { node { ...F0 } } } } ${fragment} fragment F40 on Patient { familyName }`),
    },
  ]
}

const CHART = `query ($id: ID!) { patient(id: $id) { familyName givenName birthDate
  observations(first: 10) { edges { node { code { text } effectiveDateTime valueQuantity { value unit } } } } } }`

const percentile = (of: readonly number[], part: number): number =>
  of.toSorted((a, b) => a - b)[Math.min(of.length - 1, Math.floor(of.length * part))] ?? Number.NaN

execFileSync(process.execPath, [fileURLToPath(new URL('infra/build.ts', root))], { stdio: ['ignore', 'ignore', 'inherit'] })
const folder = mkdtempSync(join(tmpdir(), 'phi-attack-'))
const clinic = await runClinic({ riverside: 25, lakeside: 3 })
const children: FunctionChild[] = []
try {
  const store = await openStore(RIVERSIDE, '0'.repeat(64), clinic.stack.env)
  const ward = new Admissions(store)
  const notes = Array.from({ length: LONG_NOTES }, (_, n) => ward.record('noted', 'DocumentReference', String(n), { text: LONG }))
  const noted = await ward.write('noted', [ward.record('noted', 'Patient', '', { familyName: 'Noted' }), ...notes], ['physician'])
  await store.close()
  const attacks = attacksOn(noted, noted)
  const patient = first(await patientsOf(clinic, 'lakeside-physician'))
  const users = ['lakeside-physician', ...new Set(attacks.map(({ user }) => user))]
  const tokens = new Map(await Promise.all(users.map(async (user) => [user, await fetchToken(clinic.stack, user)] as const)))
  const start = async (): Promise<FunctionChild> => {
    const child = await FunctionChild.start(folder, { ...clinic.stack.env, PHI_LIMITS: LIMITS })
    children.push(child)
    return child
  }
  const [flooded, own] = [await start(), await start()]
  flooded.yieldProcessor()

  let peak = 0
  const ask = async (child: FunctionChild, user: string, body: string): Promise<{ invoked: Invoked; took: number }> => {
    const from = performance.now()
    const invoked = await child.ask(body, tokens.get(user) ?? '')
    peak = Math.max(peak, invoked.memory.peak)
    return { invoked, took: performance.now() - from }
  }
  const askOther = async (): Promise<number> => {
    const { invoked, took } = await ask(own, 'lakeside-physician', bodyOf(CHART, { id: patient }))
    const { statusCode, body = '' } = invoked.result
    if (statusCode !== 200 || body.includes('"errors"'))
      throw new Error(`The other tenant got ${statusCode ?? 0}: ${body.slice(0, 300)}`)
    return took
  }
  const othersFor = async (milliseconds: number): Promise<number[]> => {
    const took: number[] = []
    for (const until = performance.now() + milliseconds; performance.now() < until; ) took.push(await askOther())
    return took
  }

  for (let request = 0; request < WARM_UP; request++) await askOther()
  const quiet = await othersFor(SECONDS * 1_000 * QUIET_PART)

  const flood = async (child: FunctionChild, milliseconds: number): Promise<{ took: number[]; lines: string[] }> => {
    const statuses = new Map<string, Map<number, number>>()
    let attacking = true
    const attackOnce = async ({ name, user, body }: Attack): Promise<void> => {
      const { invoked } = await ask(child, user, body())
      const of = statuses.get(name) ?? new Map<number, number>()
      const status = invoked.result.statusCode ?? 0
      statuses.set(name, of.set(status, (of.get(status) ?? 0) + 1))
    }
    const connections = Array.from({ length: CONNECTIONS }, async (_, number) => {
      for (let turn = number; attacking; turn++) {
        const attack = attacks[turn % attacks.length]
        if (attack !== undefined) await attackOnce(attack)
      }
    })
    await sleep(200)
    const took = await othersFor(milliseconds)
    attacking = false
    await Promise.all(connections)
    const lines = [...statuses].map(
      ([name, of]) => `${name.padEnd(24)} ${[...of].map(([status, count]) => `${count} x ${status}`).join(', ')}`,
    )
    return { took, lines }
  }

  const text = (of: readonly number[]): string =>
    `${[0.5, 0.95].map((part) => percentile(of, part).toFixed(1)).join(' and ')} ms (${of.length})`
  const ratioOf = (of: readonly number[]): number => percentile(of, 0.95) / percentile(quiet, 0.95)
  const { took, lines } = await flood(flooded, SECONDS * 1_000)
  for (const line of lines) console.log(line)
  const ratio = ratioOf(took)
  console.log(`the other tenant at 50% and 95%: quiet ${text(quiet)}, during the flood ${text(took)}`)
  console.log(`ratio ${ratio.toFixed(2)}, at most ${MAX_RATIO}; memory ${Math.round(peak / 1e6)} MB, at most ${MAX_BYTES / 1e6}`)
  const { took: shared } = await flood(own, SECONDS * 1_000 * QUIET_PART)
  console.log(
    `in the flooded process itself: ${text(shared)}, ratio ${ratioOf(shared).toFixed(2)}; memory ${Math.round(peak / 1e6)} MB`,
  )
  if (!(ratio < MAX_RATIO) || !(peak < MAX_BYTES)) process.exitCode = 1
} finally {
  for (const child of children) child.kill()
  await clinic.stop()
  rmSync(folder, { recursive: true, force: true })
}
