import fc from 'fast-check'
import { type DocumentNode, parse, validate } from 'graphql'
import { expect, vi } from 'vitest'
import { openImporter } from '../../gateway/admin/open-importer.ts'
import { Pseudonyms } from '../../gateway/crypto/pseudonym.ts'
import { SealedRecord } from '../../gateway/crypto/sealed-record.ts'
import { ResponseSize } from '../../gateway/disclosure/response-size.ts'
import { costOf } from '../../gateway/operations/cost.ts'
import { DEFAULT_LIMITS } from '../../gateway/operations/value-limits.ts'
import type { TypeName } from '../../directives/coordinates.ts'
import type { PatientId, RecordId, RecordRef, TenantId } from '../../gateway/model/ids.ts'
import { encodeNodeId } from '../../gateway/model/node-id.ts'
import type { IdFor } from '../../fhir/record.ts'
import { type RunningClinic, runClinic } from '../harness/running-clinic.ts'
import { clinic as compiled } from '../gateway/decide/clinic-policy.ts'
import { at, auditOf, RIVERSIDE, STUDY } from '../gateway/asking.ts'
import { accountOf, line } from './account.ts'
import type { Answered } from './history-agreement.ts'
import { CURSOR, foretell, type Plain } from './oracle.ts'
import { type Operation, operations, type Pools } from './operations.ts'
import { type Rule, Rules } from './plain-rules.ts'
import { plainSchema } from './plain-schema.ts'
import { type PlainCaller, plainCallers, type PlainWorld, plainWorld, type Tenant } from './plain-world.ts'
import { clinicLock } from '../../schema/clinic.ts'

const COUNTS = { riverside: 22, lakeside: 2 } as const

/** The running clinic, and all its data in plain text. */
export interface Clinic {
  readonly running: RunningClinic
  readonly world: PlainWorld
}

export async function openClinic(): Promise<Clinic> {
  const running = await runClinic(COUNTS)
  const key = await running.services.keyring.purposeKey(RIVERSIDE, 'pseudonym')
  const pseudonyms = new Pseudonyms(key, { tenant: RIVERSIDE, protocol: STUDY })
  const ids = { encode: pseudonyms.seal.bind(pseudonyms), decode: pseudonyms.open.bind(pseudonyms) }
  return { running, world: plainWorld(COUNTS, { riverside: await idsOf('riverside'), lakeside: await idsOf('lakeside') }, ids) }
}

/** Ids are derived with a key of the tenant, so the importer provides them. */
async function idsOf(tenant: Tenant): Promise<IdFor> {
  const importer = await openImporter(tenant as string as TenantId, clinicLock(), 'existing')
  await importer.close()
  return (type, sourceId) => importer.idFor(type, sourceId)
}

/** Equal seeds yield equal runs. Set both variables for a longer or another run. */
const SEED = Number(process.env['ORACLE_SEED'] ?? 20_261)
const RUNS = Number(process.env['ORACLE_RUNS'] ?? 150)

/**
 * Sends generated questions to the clinic, and fails with the smallest question that the clinic and the oracle answer differently.
 * The failure names the seed.
 *
 * @returns the questions that were answered, with their audit records
 */
export async function agrees({ running, world }: Clinic, rules: readonly Rule[]): Promise<readonly Answered[]> {
  const schema = plainSchema()
  const plain: Plain = { schema, rules: new Rules(rules), world, now: new Date() }
  const question = fc.record({ caller: callers(world), operation: operations(schema, poolsOf(world, rules)) })
  const answered: Answered[] = []
  await fc.assert(
    fc.asyncProperty(question, async ({ caller, operation }) => {
      answered.push(...(await answersAsForetold(running, plain, caller, operation)))
    }),
    { seed: SEED, numRuns: RUNS, interruptAfterTimeLimit: 30_000 + RUNS * 500, markInterruptAsFailure: true },
  )
  return answered
}

/** How often the audit holds each outcome. It shows that the questions were not idle. */
export function outcomesMet(answered: readonly Answered[]): ReadonlyMap<string, number> {
  const met = new Map<string, number>()
  for (const { action, outcome, reason, view } of answered.flatMap(({ entries }) => entries)) {
    const kind = line(action, outcome, reason, outcome === 'MASKED' ? view : undefined)
    met.set(kind, (met.get(kind) ?? 0) + 1)
  }
  return met
}

/** Callers with much access are drawn more often than callers without. */
function callers(world: PlainWorld): fc.Arbitrary<PlainCaller> {
  const all = plainCallers(world)
  const seeing = all.filter(
    ({ role, purpose }) => !['PROXY', 'AUDITOR', 'PRIVACY_OFFICER', 'ADMIN'].includes(role) && purpose !== 'BTG',
  )
  return fc
    .oneof({ weight: 8, arbitrary: fc.constantFrom(...seeing) }, { weight: 2, arbitrary: fc.constantFrom(...all) })
    .map((caller) => Object.assign(caller, { toString: () => `${caller.user} for ${caller.purpose}` }))
}

/** The variables of an operation, with a cursor for each list that begins at a later page. */
export async function withCursors(
  running: RunningClinic,
  caller: PlainCaller,
  { variables: given, passes }: Operation,
): Promise<{ variables: Record<string, unknown>; passed: ReadonlyMap<string, number> }> {
  const passed = new Map<string, number>()
  const variables: Record<string, unknown> = { ...given }
  for (const { variable, count, query } of passes) {
    const { data } = await running.ask(caller.user, query, {}, { 'x-purpose-of-use': caller.purpose })
    const cursor = at(data, 'list', 'pageInfo', 'endCursor') ?? at(data, 'patient', 'list', 'pageInfo', 'endCursor')
    if (typeof cursor !== 'string') continue
    variables[variable] = cursor
    passed.set(cursor, count)
  }
  return { variables, passed }
}

/** Whether the gateway refuses an operation because of its cost at most. */
export function isTooCostly(document: DocumentNode, variables: Readonly<Record<string, unknown>>): boolean {
  const { values, places } = costOf(compiled.schema, compiled.policy, { document, name: undefined, variables })
  return values > DEFAULT_LIMITS.operation.CLINICIAN || places > DEFAULT_LIMITS.answer.places
}

async function answersAsForetold(
  running: RunningClinic,
  plain: Plain,
  caller: PlainCaller,
  operation: Operation,
): Promise<readonly Answered[]> {
  const document = parse(operation.text)
  expect(validate(plain.schema.schema, document), operation.text).toEqual([])
  const headers = { 'x-purpose-of-use': caller.purpose }
  const { variables, passed } = await withCursors(running, caller, operation)
  const expected = foretell(plain, { caller, document, variables, passed })
  const openings = vi.spyOn(SealedRecord.prototype, 'openField')
  const sizes = vi.spyOn(ResponseSize.prototype, 'add')
  try {
    const answer = await running.ask(caller.user, operation.text, variables, headers)
    const { values: most, places } = costOf(compiled.schema, compiled.policy, { document, name: undefined, variables })
    if (isTooCostly(document, variables)) {
      expect(answer).toMatchObject({ status: 400, errors: [{ extensions: { code: 'OPERATION_TOO_COSTLY' } }] })
      expect(openings).not.toHaveBeenCalled()
      return []
    }
    expect(answer.status, answer.text).toBe(200)
    expect(openings.mock.calls.length, 'no more is opened than the estimate').toBeLessThanOrEqual(most)
    expect(answer.phi.resolved, 'no more is given than the estimate').toBeLessThanOrEqual(most)
    expect(placesOf(answer.data), 'the answer has no more places than the estimate').toBeLessThanOrEqual(places)
    const [size] = (sizes.mock.contexts as readonly ResponseSize[]).slice(-1)
    const length = Buffer.byteLength(answer.text)
    if (size !== undefined) expect(length, 'the answer is no longer than the estimate').toBeLessThanOrEqual(size.bytes)
    const entries = await auditOf(running, answer, caller.tenant as string as TenantId)
    expect(accountOf(answer, entries, openings.mock.calls.length, expected.data, CURSOR)).toEqual(expected)
    expect(new Set(entries.map(({ user, purpose }) => `${user} ${purpose}`)).size).toBeLessThan(2)
    return [{ caller, requestId: answer.phi.requestId, entries, expected: expected.audit }]
  } finally {
    openings.mockRestore()
    sizes.mockRestore()
  }
}

/** The places of an answer. The objects of a list inside a value count once, as in the estimate. */
function placesOf(value: unknown): number {
  if (Array.isArray(value)) {
    const each = value.map(placesOf)
    const isOfEdges = value.some((item) => at(item, 'node') !== undefined || at(item, 'cursor') !== undefined)
    return isOfEdges ? each.reduce((sum, count) => sum + count, 0) : Math.max(0, ...each)
  }
  if (typeof value !== 'object' || value === null) return 0
  return Object.values(value).reduce((sum: number, member) => sum + 1 + placesOf(member), 0)
}

/** How many records of each type of a patient the ids of are drawn from. */
const OF_EACH = 2

export function poolsOf({ tenants, pseudonyms }: PlainWorld, rules: readonly Rule[]): Pools {
  const { records, patients } = tenants.riverside
  // the patient of the user's own record, one on both teams, one on one team, one on none
  const chosen = [0, 4, 14, COUNTS.riverside - 1].flatMap((index) => patients[index] ?? [])
  const ids = new Map<string, string[]>()
  const codes = new Map<string, Set<string>>()
  const categories = new Set<string>()
  const dates = new Set<string>()
  for (const patient of chosen) {
    const ofType = new Map<string, number>()
    for (const { ref, metadata } of records.values()) {
      if ((ref.patient as string) !== patient) continue
      const number = (ofType.get(ref.type) ?? 0) + 1
      ofType.set(ref.type, number)
      if (number > OF_EACH) continue
      ids.set(ref.type, [...(ids.get(ref.type) ?? []), encodeNodeId(ref), pseudonyms.encode(ref)])
      const known = codes.get(ref.type) ?? new Set()
      codes.set(ref.type, known)
      for (const code of metadata.codes ?? []) known.add(code)
      for (const category of metadata.categories ?? []) categories.add(category)
      if (metadata.date !== undefined) for (const length of [4, 7, 10, 24]) dates.add(metadata.date.slice(0, length))
    }
  }
  const foreign = [...tenants.lakeside.records.values()].map(({ ref }) => ref)
  const made = (type: string, patient: string, id: string): string =>
    encodeNodeId({ type: type as TypeName, patient: patient as PatientId, id: id as RecordId } satisfies RecordRef)
  const madeUp = Buffer.alloc(16, 7).toString('base64url')
  const own = patients[0] ?? madeUp
  return {
    ids,
    strangeIds: [
      ...foreign.slice(0, 3).map(encodeNodeId),
      // an unknown patient, a missing record of a real patient, an unknown type, a patient under another's id, another record as a
      // patient
      made('Patient', madeUp, madeUp),
      made('Observation', own, madeUp),
      made('Viewer', own, own),
      made('Patient', own, madeUp),
      ...(ids.get('Observation') ?? []).slice(0, 1),
      'no id at all',
      '',
    ],
    codes: new Map([...codes].map(([type, known]) => [type, [...known]])),
    categories: [...categories],
    dates: [...dates].toSorted(),
    telling: new Set(rules.filter(({ view }) => view !== 'FULL').flatMap(({ path }) => path.split('.').slice(1))),
  }
}
