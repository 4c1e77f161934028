import type { GraphQLResolveInfo, GraphQLSchema } from 'graphql'
import { randomBytes } from 'node:crypto'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { Action, PolicyTable, WritePolicy } from '../../directives/policy.ts'
import type { PublicIds } from '../access/public-ids.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { Trail } from '../audit/trail.ts'
import type { ChangeTarget } from '../disclosure/change-targets.ts'
import type { RequestScope } from '../disclosure/request-scope.ts'
import type { Deadline } from '../model/deadline.ts'
import type { Caller, Facts } from '../model/decision.ts'
import { BadUserInput, StoreUnavailable } from '../model/failures.ts'
import { idDetail, textDetail } from '../model/limit-details.ts'
import { type Instant, type PatientId, type RecordId, recordKey, type RecordRef } from '../model/ids.ts'
import type { RecordRules } from '../model/record-rules.ts'
import type { Json } from '../model/record.ts'
import type { AccessTable } from '../store/access.ts'
import type { IdempotencyTable } from '../store/idempotency.ts'
import type { RecordChange, RecordChangePort } from '../store/record-changes.ts'
import type { ChangedRecord } from './changed-record.ts'
import { orUnavailable } from './change-attempts.ts'
import { ChangeRights } from './change-rights.ts'
import type { ChangeTurns } from './change-turns.ts'
import { faultyValues } from './faulty-values.ts'
import { type GivenValues, givenValues } from './input-values.ts'
import { newRecord, patchOf } from './new-version.ts'
import { patientTypeOf } from './patient-type.ts'
import { RecordCommit } from './record-commit.ts'
import { valueFaults } from './value-checks.ts'

/** The services that changes of records are written through. */
export interface RecordWriting {
  /** The port of the source of a type. Undefined: its records cannot be changed here. */
  readonly portOf: (type: TypeName) => RecordChangePort | undefined
  readonly idempotency: IdempotencyTable
  readonly rules: RecordRules
  /** The access manifests of the gateway's own store. Undefined: care teams and consents cannot be changed here. */
  readonly access?: AccessTable
}

export interface RecordMutationParts {
  readonly schema: GraphQLSchema
  readonly caller: Caller
  readonly now: Instant
  readonly policy: PolicyTable
  readonly ids: PublicIds
  readonly keyring: Keyring
  readonly trail: Trail
  readonly deadline: Deadline
  readonly turns: ChangeTurns
  readonly records?: RecordWriting
}

type Args = Readonly<Record<string, unknown>>

const MAX_KEY = 128
const MAX_REASON = 2_000
/** Visible ASCII: UUIDs, ULIDs and the like. */
const KEY = /^[\x21-\x7e]{1,128}$/

const TWICE = 'An operation changes a record once. Send the other change in a request of its own.'
const NOTHING_GIVEN = 'The input has no value. Give at least one field.'

/**
 * Creates, changes and retracts records. Each given value needs its grant for the action. A record, its history, its index, its search
 * entries, the idempotency key and the audit records are stored in one transaction.
 *
 * Each method returns null after an error entry: NOT_FOUND, FIELD_UNAVAILABLE, or UNAUTHORIZED_FIELD_OR_TYPE for each denied field.
 * It throws BadUserInput, VersionConflict, Erased and AuditUnavailable.
 */
export class RecordMutations {
  readonly #parts: RecordMutationParts
  readonly #scope: RequestScope
  readonly #rights: ChangeRights
  readonly #commits: RecordCommit
  /** The records that this operation changed or began to change. */
  readonly #changed = new Set<string>()

  constructor(parts: RecordMutationParts, scope: RequestScope) {
    this.#parts = parts
    this.#scope = scope
    this.#rights = new ChangeRights(parts, scope)
    this.#commits = new RecordCommit(parts, scope)
  }

  /** Creates a record of a patient. */
  async create(
    write: WritePolicy,
    { patientId, input, idempotencyKey }: Args,
    info: GraphQLResolveInfo,
  ): Promise<ChangedRecord | null> {
    const { policy } = this.#parts
    const intended = { type: write.type, action: 'CREATE' } as const
    return await orUnavailable(this.#scope, write.type, info, async () => {
      const key = keyOf(idempotencyKey)
      const patientRef = this.#scope.placeOf(textOf(patientId, 'patientId'), patientTypeOf(policy))
      const patient = await this.#scope.targets.targetOf(patientRef, intended, info)
      if (patient === null) return null
      const ref = { type: write.type, patient: patient.ref.patient, id: newId() }
      return await this.#creation(write, { ref, facts: patient.facts, isNew: false, key, args: { patientId, input } }, info)
    })
  }

  /** Registers a new patient. */
  async register(write: WritePolicy, { input, idempotencyKey }: Args, info: GraphQLResolveInfo): Promise<ChangedRecord | null> {
    return await orUnavailable(this.#scope, write.type, info, async () => {
      const key = keyOf(idempotencyKey)
      const id = newId()
      const ref = { type: write.type, patient: id as string as PatientId, id }
      const facts = await this.#scope.targets.factsOfNew(ref, { type: write.type, action: 'CREATE' })
      return await this.#creation(write, { ref, facts, isNew: true, key, args: { input } }, info)
    })
  }

  async #creation(
    write: WritePolicy,
    { ref, facts, isNew, key, args }: { ref: RecordRef; facts: Facts; isNew: boolean; key: string; args: Args },
    info: GraphQLResolveInfo,
  ): Promise<ChangedRecord | null> {
    const { caller, now } = this.#parts
    const given = this.#given(write, 'CREATE', args['input'])
    const permits = this.#rights.decide(given, { ref, facts, action: 'CREATE', isNew }, info)
    if (permits === null) return null
    const rules = this.#writing().rules.get(write.type)
    const values = new Map([...given.values].flatMap(([path, value]) => (value === null ? [] : [[path, value] as const])))
    this.#check(write, values, new Set((rules?.required ?? []).filter((path) => !values.has(path))))
    const references = this.#references(write, given, ref.patient)
    const record = newRecord({ ref, values, references, rules, caller, now })
    const change = { kind: 'CREATE', record } as const
    const chart = { patient: ref.patient, isNew, records: [change], references: referred(references) }
    return await this.#commits.commit(
      this.#services(write),
      { chart, ref, written: permits, once: await this.#commits.once(key, args, info) },
      info,
    )
  }

  /** Changes values of a record. A field that is left out stays as it is, and null clears a field. */
  async update(write: WritePolicy, args: Args, info: GraphQLResolveInfo): Promise<ChangedRecord | null> {
    const { id, expectedVersion, patch, idempotencyKey } = args
    return await orUnavailable(this.#scope, write.type, info, async () => {
      const key = keyOf(idempotencyKey)
      const target = await this.#target(write, 'UPDATE', id, info)
      if (target === null) return null
      const { ref } = target
      const given = this.#given(write, 'UPDATE', patch)
      const permits = this.#rights.decide(given, { ...target, action: 'UPDATE', isNew: false }, info)
      if (permits === null) return null
      const rules = this.#writing().rules.get(write.type)
      const values = new Map([...given.values].flatMap(([path, value]) => (value === null ? [] : [[path, value] as const])))
      this.#check(write, values, new Set((rules?.required ?? []).filter((path) => given.values.get(path) === null)))
      const references = this.#references(write, given, ref.patient)
      const { caller, now } = this.#parts
      const change: RecordChange = {
        kind: 'UPDATE',
        expected: versionOf(expectedVersion),
        patch: patchOf({ ref, given: given.values, references, rules, caller, now }),
      }
      const chart = { patient: ref.patient, isNew: false, records: [change], references: referred(references) }
      const once = await this.#commits.once(key, { id, expectedVersion, patch }, info)
      return await this.#commits.commit(this.#services(write), { chart, ref, written: permits, once }, info)
    })
  }

  /** Retracts a record that was entered in error: it leaves all lists, and its history stays. */
  async retract(write: WritePolicy, args: Args, info: GraphQLResolveInfo): Promise<{ id: string; version: number } | null> {
    const { id, expectedVersion, reason } = args
    return await orUnavailable(this.#scope, write.type, info, async () => {
      const retracted = textOf(reason, 'reason').trim()
      if (retracted === '' || retracted.length > MAX_REASON || !retracted.isWellFormed())
        throw new BadUserInput({ detail: textDetail('reason', MAX_REASON) })
      const target = await this.#target(write, 'DELETE', id, info)
      if (target === null) return null
      const { ref } = target
      // the right to every value, whether or not the record has it: a denial must not tell which values exist
      const all: GivenValues = { values: new Map(write.paths.map((path) => [path, null])), references: new Map() }
      const permits = this.#rights.decide(all, { ...target, action: 'DELETE', isNew: false }, info)
      if (permits === null) return null
      const { caller, now } = this.#parts
      const made = { user: caller.user, at: new Date(now).toISOString(), retracted }
      const change: RecordChange = { kind: 'RETRACT', ref, expected: versionOf(expectedVersion), change: made }
      const chart = { patient: ref.patient, isNew: false, records: [change], references: [] }
      const done = await this.#commits.commit(
        this.#services(write),
        { chart, ref, written: [this.#rights.retraction(ref, permits)] },
        info,
      )
      return done && { id: this.#parts.ids.encode(ref), version: done.version }
    })
  }

  async #target(
    write: WritePolicy,
    action: 'UPDATE' | 'DELETE',
    id: unknown,
    info: GraphQLResolveInfo,
  ): Promise<ChangeTarget | null> {
    const ref = this.#scope.placeOf(textOf(id, 'id'), write.type)
    const name = recordKey(ref)
    if (this.#changed.has(name)) throw new BadUserInput({ detail: TWICE })
    this.#changed.add(name)
    return await this.#scope.targets.targetOf(ref, { type: write.type, action }, info)
  }

  #given(write: WritePolicy, action: Action, input: unknown): GivenValues {
    const { policy } = this.#parts
    const canWrite = (path: SchemaPath): boolean => policy.phi.get(path)?.grants.some(({ actions }) => actions.has(action)) === true
    const given = givenValues(typeof input === 'object' && input !== null ? (input as Args) : {}, write, canWrite)
    if (given.values.size === 0) throw new BadUserInput({ detail: NOTHING_GIVEN })
    return given
  }

  /** @throws BadUserInput with the fields, and never a value */
  #check(write: WritePolicy, values: ReadonlyMap<SchemaPath, Json>, missing: ReadonlySet<SchemaPath>): void {
    const { schema, now } = this.#parts
    const rules = this.#writing().rules.get(write.type)
    const lacking = [...missing].map((path) => ({ path, detail: `\`${path}\` is required.` }))
    const faults = [...lacking, ...valueFaults(schema, write.type, values), ...(rules?.check(values, now) ?? [])]
    if (faults.length > 0) throw faultyValues(faults)
  }

  /** The references of a change, each to a record of the same patient. @throws BadUserInput for an id that is none */
  #references({ references }: WritePolicy, given: GivenValues, patient: PatientId): ReadonlyMap<string, RecordRef | null> {
    const types = new Map([...references.values()].map(({ edge, type }) => [edge, type]))
    return new Map(
      [...given.references].map(([edge, id]) => {
        if (id === null) return [edge, null]
        const ref = this.#parts.ids.decode(id)
        // an id of another patient and one without a record are answered alike
        if (ref === undefined || ref.type !== types.get(edge) || ref.patient !== patient)
          throw new BadUserInput({ detail: idDetail(`${edge}Id`) })
        return [edge, ref]
      }),
    )
  }

  #services({ type }: WritePolicy): { readonly port: RecordChangePort; readonly idempotency: IdempotencyTable } {
    const { portOf, idempotency } = this.#writing()
    const port = portOf(type)
    if (port === undefined) throw new StoreUnavailable()
    return { port, idempotency }
  }

  #writing(): RecordWriting {
    const { records } = this.#parts
    if (records === undefined) throw new StoreUnavailable()
    return records
  }
}

const newId = (): RecordId => randomBytes(16).toString('base64url') as RecordId

const referred = (references: ReadonlyMap<string, RecordRef | null>): RecordRef[] =>
  [...references.values()].filter((ref) => ref !== null)

function keyOf(key: unknown): string {
  if (typeof key !== 'string' || !KEY.test(key)) throw new BadUserInput({ detail: textDetail('idempotencyKey', MAX_KEY) })
  return key
}

function textOf(value: unknown, argument: string): string {
  if (typeof value !== 'string') throw new BadUserInput({ detail: idDetail(argument) })
  return value
}

/** @throws BadUserInput for an `expectedVersion` that is none */
export function versionOf(version: unknown): number {
  if (typeof version !== 'number' || !Number.isInteger(version) || version < 1)
    throw new BadUserInput({ detail: '`expectedVersion` is no version. Take it from the field `version` of the record.' })
  return version
}
