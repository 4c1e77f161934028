import fc from 'fast-check'
import { parse, validate } from 'graphql'
import { expect } from 'vitest'
import type { AuditEntry } from '../../gateway/audit/entry.ts'
import type { TypeName } from '../../directives/coordinates.ts'
import type { PatientId, RecordId, TenantId } from '../../gateway/model/ids.ts'
import { encodeNodeId } from '../../gateway/model/node-id.ts'
import type { ClinicAnswer } from '../harness/running-clinic.ts'
import { seeded } from '../hostile/seeded.ts'
import { auditOf } from '../gateway/asking.ts'
import { accountOf } from './account.ts'
import { type Clinic, isTooCostly, poolsOf, withCursors } from './agreement.ts'
import { Changes, type DrawnChange } from './changes.ts'
import type { Answered } from './history-agreement.ts'
import { CURSOR, foretell, type Plain } from './oracle.ts'
import { operations } from './operations.ts'
import { changesDocument, type ChangeRule, ChangeRules } from './plain-changes.ts'
import { type Rule, Rules } from './plain-rules.ts'
import { plainSchema } from './plain-schema.ts'
import { plainCallers, type PlainConsent } from './plain-world.ts'

const SEED = Number(process.env['ORACLE_SEED'] ?? 20_261)
const RUNS = Number(process.env['ORACLE_RUNS'] ?? 60)

/** An operation with the expected answer, its audit records, and the codes of its errors. */
export interface MixedAnswer extends Answered {
  readonly codes: readonly string[]
}

const BREAK_GLASS = `mutation ($id: ID!) { breakGlass(patientId: $id, reason: "found unconscious", minutes: 200) { id } }`
const CONSENT = `mutation ($id: ID!, $input: ConsentInput!) { recordConsent(patientId: $id, input: $input) { id } }`

/** Consents by the place of the patient in the demo. Patient 0 and the others have none. */
const CONSENTS: readonly { readonly place: number; readonly consent: PlainConsent }[] = [
  { place: 1, consent: { effect: 'PERMIT', label: 'ETH' } },
  { place: 2, consent: { effect: 'DENY', label: 'HIV', role: 'NURSE' } },
  { place: 3, consent: { effect: 'DENY', label: 'HIV' } },
  { place: 4, consent: { effect: 'PERMIT', label: 'ETH', role: 'PHYSICIAN' } },
]
/** The places of patients whom the physician does not care for. */
const EMERGENCIES = [20, 21]

/**
 * Sends generated queries and changes to the clinic, one after the other. The oracle makes the changes that it predicts in its own
 * world, so that a change that only one of both makes is found by its audit, or by a later read. Fails at the first difference.
 *
 * @returns the answered operations, with their audit records
 */
export async function mixedAgrees(
  clinic: Clinic,
  rules: readonly Rule[],
  changeRules: readonly ChangeRule[],
): Promise<readonly MixedAnswer[]> {
  const { running, world } = clinic
  const changes = new ChangeRules(changeRules)
  const schema = plainSchema((read) => changesDocument(read, changes))
  const plain: Plain = { schema, rules: new Rules(rules), world, now: new Date(), changes }
  await prepare(clinic)
  const random = seeded(SEED, 'mixed operations')
  const callers = plainCallers(world)
  const drawn = new Changes(schema.schema, changes, world, callers, random)
  const queries = fc.sample(
    fc.record({ caller: fc.constantFrom(...callers), operation: operations(plainSchema(), poolsOf(world, rules)) }),
    { seed: SEED, numRuns: RUNS },
  )
  const answered: MixedAnswer[] = []
  for (const query of queries) {
    const kind = random()
    const asked: DrawnChange = kind < 0.5 ? drawn.change() : ((kind < 0.8 ? drawn.read() : undefined) ?? { ...query })
    answered.push(await agreesOn(running, plain, asked, answered.length))
  }
  return answered
}

/** Opens break-glass for the physician, and records the consents. */
async function prepare({ running, world }: Clinic): Promise<void> {
  const { patients, emergencies, consents } = world.tenants.riverside
  const idOf = (place: number): string => {
    const id = patients[place] ?? ''
    return encodeNodeId({ type: 'Patient' as TypeName, patient: id as PatientId, id: id as RecordId })
  }
  for (const place of EMERGENCIES) {
    const { errors } = await running.ask('physician', BREAK_GLASS, { id: idOf(place) }, { 'x-purpose-of-use': 'BTG' })
    expect(errors).toEqual([])
  }
  emergencies.set('physician', new Set(EMERGENCIES.flatMap((place) => patients[place] ?? [])))
  for (const { place, consent } of CONSENTS) {
    const { effect, label, role } = consent
    const input = { effect, sensitivities: [label], ...(role !== undefined && { roles: [role] }) }
    const { errors } = await running.ask('frontdesk', CONSENT, { id: idOf(place), input })
    expect(errors).toEqual([])
    consents.set(patients[place] ?? '', [consent])
  }
}

async function agreesOn(
  running: Clinic['running'],
  plain: Plain,
  { caller, operation }: DrawnChange,
  place: number,
): Promise<MixedAnswer> {
  const document = parse(operation.text)
  const what = `operation ${place} of seed ${SEED}: ${caller.user} for ${caller.purpose}\n${operation.text}\n${JSON.stringify(operation.variables)}`
  expect(validate(plain.schema.schema, document), what).toEqual([])
  const { variables, passed } = await withCursors(running, caller, operation)
  const answer = await running.ask(caller.user, operation.text, variables, { 'x-purpose-of-use': caller.purpose })
  const entries = await auditOf(running, answer, caller.tenant as string as TenantId)
  if (isTooCostly(document, variables)) {
    expect([answer.status, codesOf(answer)], what).toEqual([400, ['OPERATION_TOO_COSTLY']])
    return { caller, requestId: answer.phi.requestId, entries: [], expected: [], codes: codesOf(answer) }
  }
  const question = { caller, document, variables, passed, newIds: newIdsIn(entries) }
  const expected = foretell(plain, question)
  const isRefused = expected.errors.some((error) => error.startsWith('BAD_USER_INPUT'))
  if (isRefused) {
    expect([answer.status, codesOf(answer), answer.data], what).toEqual([400, ['BAD_USER_INPUT'], undefined])
    expect(accountOf(answer, entries, 0, undefined, CURSOR).audit, what).toEqual(expected.audit)
  } else {
    expect(answer.status, `${what}\n${answer.text}`).toBe(200)
    // the values that a change opens are counted by tests of their own
    const actual = accountOf(answer, entries, expected.opened, expected.data, CURSOR)
    expect(actual, what).toEqual(expected)
  }
  return { caller, requestId: answer.phi.requestId, entries, expected: expected.audit, codes: codesOf(answer) }
}

const codesOf = ({ errors }: ClinicAnswer): string[] => errors.map(({ extensions }) => String(extensions['code']))

function newIdsIn(entries: readonly AuditEntry[]): ReadonlyMap<string, string[]> {
  const created = entries.filter(({ action, outcome }) => action === 'CREATE' && outcome === 'WRITTEN')
  const ids = Map.groupBy(created, ({ recordType = '' }) => recordType)
  return new Map([...ids].map(([type, of]) => [type, [...new Set(of.map(({ recordId = '' }) => recordId))]]))
}
