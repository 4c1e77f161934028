import type { GraphQLResolveInfo } from 'graphql'
import type { PatientId, RecordId, RecordRef } from '../../gateway/model/ids.ts'
import type { TypeName } from '../../directives/coordinates.ts'
import type { Json, NewRecord } from '../../gateway/model/record.ts'
import { line } from './account.ts'
import { type Change, type ChangeRules, mutationOf } from './plain-changes.ts'
import { concernsFacts, plainFacts, requiredOf, unfit } from './plain-facts.ts'
import { type PlainCaller, type PlainTenant, recordKey } from './plain-world.ts'

/** A changed record, as the payload of its mutation has it. */
export class Changed {
  readonly ref: RecordRef
  readonly version: number

  constructor(ref: RecordRef, version: number) {
    this.ref = ref
    this.version = version
  }
}

/** The part of the oracle that changes need: it knows records as reads do. */
export interface Knowing {
  readonly caller: PlainCaller
  readonly tenant: PlainTenant
  /** The target of a change, after its audit; undefined after its error. */
  readonly target: (ref: RecordRef, info: GraphQLResolveInfo) => NewRecord | undefined
  readonly refuse: (coordinate: string, reason: string, record: string, info: GraphQLResolveInfo) => void
  /** Audits a denial once. */
  readonly deny: (key: string, text: string) => void
  readonly audit: (key: string, text: string) => void
  /** An error of the mutation as a whole. */
  readonly fail: (code: 'BAD_USER_INPUT' | 'VERSION_CONFLICT', info: GraphQLResolveInfo) => void
  /** The basis of a permitted change, with the consents of the patient. */
  readonly basisOf: (basis: string, ref: RecordRef, record: NewRecord | undefined) => string
  /** The id of the next new record of a type. */
  readonly newId: (type: string) => string
}

type Args = Readonly<Record<string, unknown>>
type Given = ReadonlyMap<string, Json | null>

const ACTIONS: readonly Change[] = ['CREATE', 'UPDATE', 'DELETE']

/** Predicts changes of records, and makes them in the plain world. */
export class PlainMutations {
  readonly #rules: ChangeRules
  readonly #knowing: Knowing
  readonly #changed = new Set<string>()

  constructor(rules: ChangeRules, knowing: Knowing) {
    this.#rules = rules
    this.#knowing = knowing
  }

  root(args: Args, info: GraphQLResolveInfo): Changed | { id: string; version: number } | null {
    const [type, action] = this.#named(info.fieldName)
    const { caller } = this.#knowing
    if (!this.#rules.mayCall(type, action, caller.role)) return this.#closed(args, info)
    if (action === 'CREATE') return this.#create(type, args, info)
    return action === 'UPDATE' ? this.#update(type, args, info) : this.#retract(type, args, info)
  }

  #named(field: string): [string, Change] {
    for (const action of ACTIONS)
      for (const type of this.#rules.types(action)) if (mutationOf(type, action) === field) return [type, action]
    throw new Error(`the oracle does not know the mutation ${field}`)
  }

  #closed(args: Args, info: GraphQLResolveInfo): null {
    const coordinate = `Mutation.${info.fieldName}`
    const id = args['id'] ?? args['patientId']
    const patient = typeof id === 'string' ? this.#knowing.caller.ids.decode(id)?.patient : undefined
    this.#knowing.refuse(coordinate, 'ROLE', coordinate, info)
    this.#knowing.deny(`${coordinate} ${patient ?? ''}`, line(patient, '', coordinate, 'UPDATE', 'DENIED', 'ROLE'))
    return null
  }

  #create(type: string, args: Args, info: GraphQLResolveInfo): Changed | null {
    const { caller, tenant, newId } = this.#knowing
    const isNew = type === 'Patient'
    let patient: string | undefined
    if (!isNew) {
      const target = this.#placeOf(args['patientId'], 'Patient')
      if (this.#knowing.target(target, info) === undefined) return null
      patient = target.patient
    }
    const given = this.#given(type, 'CREATE', args['input'])
    if (given.size === 0) return this.#fail(info)
    const where = line(patient, `${type} `)
    const relationships = isNew ? new Set(['ORGANIZATION']) : caller.relationships(patient ?? '')
    const bases = this.#rights(type, 'CREATE', given.keys(), relationships, { where, key: `new ${type}`, patient }, info)
    if (bases === undefined) return null
    const values = new Map([...given].flatMap(([path, value]) => (value === null ? [] : [[path, value] as const])))
    if (requiredOf(type).some((path) => !values.has(path)) || isFaulty(type, values)) return this.#fail(info)
    const references = this.#references(args['input'], patient)
    if (references === undefined) return this.#fail(info)
    const earlier = this.#earlier(args, info)
    if (earlier !== undefined) return earlier
    if (this.#isDangling(references, patient)) return this.#fail(info)
    const id = newId(type)
    const ref: RecordRef = { type: type as TypeName, patient: (patient ?? id) as PatientId, id: id as RecordId }
    const facts = plainFacts(type, values)
    const metadata = { open: {}, references: references as Record<string, RecordId>, ...facts } as unknown as NewRecord['metadata']
    tenant.records.set(recordKey(ref), { ref, values: values as unknown as NewRecord['values'], metadata })
    tenant.created.add(recordKey(ref))
    if (isNew) tenant.patients.push(id)
    return this.#written(ref, 1, 'CREATE', bases, args, info)
  }

  #update(type: string, args: Args, info: GraphQLResolveInfo): Changed | null {
    const { tenant } = this.#knowing
    const found = this.#existing(type, args['id'], info)
    if (found === null) return null
    const { ref, values: stored } = found
    const given = this.#given(type, 'UPDATE', args['patch'])
    if (given.size === 0) return this.#fail(info)
    const bases = this.#recordRights(found, 'UPDATE', given.keys(), info)
    if (bases === undefined) return null
    const values = new Map([...given].flatMap(([path, value]) => (value === null ? [] : [[path, value] as const])))
    if (requiredOf(type).some((path) => given.get(path) === null) || isFaulty(type, values)) return this.#fail(info)
    const references = this.#references(args['patch'], ref.patient)
    if (references === undefined || Number(args['expectedVersion']) < 1) return this.#fail(info)
    const earlier = this.#earlier(args, info)
    if (earlier !== undefined) return earlier
    const key = recordKey(ref)
    const version = tenant.versions.get(key) ?? 1
    if (args['expectedVersion'] !== version) return this.#fail(info, 'VERSION_CONFLICT')
    if (this.#isDangling(references, ref.patient)) return this.#fail(info)
    const before = stored as ReadonlyMap<string, Json>
    const after = new Map(before)
    for (const [path, value] of given) {
      if (value === null) after.delete(path)
      else after.set(path, value)
    }
    const misfit = unfit(type, after)
    if (misfit !== undefined && misfit !== unfit(type, before)) return this.#fail(info)
    const kept = { ...found.metadata, references: merged(found.metadata.references, references) } as NewRecord['metadata']
    const metadata = concernsFacts(type, given.keys())
      ? withFacts(kept, plainFacts(type, before), plainFacts(type, after), !tenant.created.has(key))
      : kept
    tenant.records.set(key, { ref, values: after as unknown as NewRecord['values'], metadata })
    tenant.versions.set(key, version + 1)
    return this.#written(ref, version + 1, 'UPDATE', bases, args, info)
  }

  #retract(type: string, args: Args, info: GraphQLResolveInfo): { id: string; version: number } | null {
    const { tenant, audit, caller } = this.#knowing
    const found = this.#existing(type, args['id'], info)
    if (found === null) return null
    const { ref } = found
    const paths = this.#rules.fields(type, 'DELETE').map((name) => `${type}.${name}`)
    const bases = this.#recordRights(found, 'DELETE', paths, info)
    if (bases === undefined) return null
    const key = recordKey(ref)
    const version = tenant.versions.get(key) ?? 1
    if (args['expectedVersion'] !== version) return this.#fail(info, 'VERSION_CONFLICT')
    tenant.records.delete(key)
    audit(`${key} DELETE`, line(ref.patient, `${type} ${ref.id}`, type, 'DELETE', 'WRITTEN', [...bases.values()][0]))
    return { id: caller.ids.encode(ref), version: version + 1 }
  }

  #existing(type: string, id: unknown, info: GraphQLResolveInfo): NewRecord | null {
    const ref = this.#placeOf(id, type)
    if (this.#changed.has(recordKey(ref))) return this.#fail(info)
    this.#changed.add(recordKey(ref))
    return this.#knowing.target(ref, info) ?? null
  }

  #recordRights(found: NewRecord, action: Change, paths: Iterable<string>, info: GraphQLResolveInfo) {
    const { ref } = found
    const of = { where: line(ref.patient, `${ref.type} ${ref.id}`), key: recordKey(ref), patient: ref.patient, record: found }
    return this.#rights(ref.type, action, paths, this.#knowing.caller.relationships(ref.patient), of, info)
  }

  /** The basis of each value; undefined after an error for each refused one. */
  #rights(
    type: string,
    action: Change,
    paths: Iterable<string>,
    relationships: ReadonlySet<string>,
    { where, key, patient, record }: { where: string; key: string; patient: string | undefined; record?: NewRecord },
    info: GraphQLResolveInfo,
  ): ReadonlyMap<string, string> | undefined {
    const { caller, refuse, deny, basisOf } = this.#knowing
    const bases = new Map<string, string>()
    let isRefused = false
    const attempt = `${key} ${info.path.key}`
    for (const path of paths) {
      const verdict = this.#rules.of(path, action, caller, relationships)
      if ('basis' in verdict) {
        const ref = record?.ref ?? { type: type as TypeName, patient: patient as PatientId, id: '' as RecordId }
        bases.set(path, basisOf(verdict.basis, ref, record))
        continue
      }
      isRefused = true
      refuse(path, verdict.reason, attempt, info)
      deny(`${path} ${action} ${action === 'CREATE' ? attempt : key}`, line(where, path, action, 'DENIED', verdict.reason))
    }
    return isRefused ? undefined : bases
  }

  #written(
    ref: RecordRef,
    version: number,
    action: Change,
    bases: ReadonlyMap<string, string>,
    args: Args,
    info: GraphQLResolveInfo,
  ): Changed {
    const { tenant, audit } = this.#knowing
    for (const [path, basis] of bases)
      audit(`${recordKey(ref)} ${path} ${action}`, line(ref.patient, `${ref.type} ${ref.id}`, path, action, 'WRITTEN', basis))
    tenant.done.set(this.#once(args, info), { ref, version, args: JSON.stringify(args) })
    return new Changed(ref, version)
  }

  /** The result of an earlier call with the same key. */
  #earlier(args: Args, info: GraphQLResolveInfo): Changed | null | undefined {
    const earlier = this.#knowing.tenant.done.get(this.#once(args, info))
    if (earlier === undefined) return undefined
    if (earlier.args !== JSON.stringify(args)) return this.#fail(info)
    const { ref, version } = earlier
    const path = `Mutation.${info.fieldName}`
    this.#knowing.audit(`${path} ${recordKey(ref)}`, line(ref.patient, `${ref.type} ${ref.id}`, path, 'UPDATE', 'ABSENT'))
    return new Changed(ref, version)
  }

  #once(args: Args, info: GraphQLResolveInfo): string {
    return JSON.stringify([this.#knowing.caller.user, info.fieldName, args['idempotencyKey']])
  }

  #given(type: string, action: Change, input: unknown): Given {
    const given = new Map<string, Json | null>()
    for (const name of this.#rules.fields(type, action)) {
      let at = input
      for (const part of name.split('.')) {
        if (at === null || at === undefined) break
        at = (at as Record<string, unknown>)[part]
      }
      if (at !== undefined) given.set(`${type}.${name}`, at as Json | null)
    }
    return given
  }

  /** The references of an input; undefined for an id of another patient or of no encounter. */
  #references(input: unknown, patient: string | undefined): Readonly<Record<string, string | null>> | undefined {
    const id = (input as Record<string, unknown>)['encounterId']
    if (id === undefined) return {}
    if (typeof id !== 'string') return { encounter: null }
    const ref = this.#knowing.caller.ids.decode(id)
    return ref?.type === ('Encounter' as TypeName) && (ref.patient as string) === patient ? { encounter: ref.id } : undefined
  }

  #isDangling({ encounter }: Readonly<Record<string, string | null>>, patient: string | undefined): boolean {
    if (typeof encounter !== 'string') return false
    const ref: RecordRef = { type: 'Encounter' as TypeName, patient: patient as PatientId, id: encounter as RecordId }
    return !this.#knowing.tenant.records.has(recordKey(ref))
  }

  #placeOf(id: unknown, type: string): RecordRef {
    const decoded = this.#knowing.caller.ids.decode(String(id))
    if (decoded !== undefined && (decoded.type as string) === type) return decoded
    return { type: type as TypeName, patient: String(id) as PatientId, id: String(id) as RecordId }
  }

  #fail(info: GraphQLResolveInfo, code: 'BAD_USER_INPUT' | 'VERSION_CONFLICT' = 'BAD_USER_INPUT'): null {
    this.#knowing.fail(code, info)
    return null
  }
}

/** The generated values are valid but for some statuses and dates, and values that do not go together. */
function isFaulty(type: string, values: ReadonlyMap<string, Json>): boolean {
  return [...values.values()].some((value) => FAULTY.includes(value)) || unfit(type, values) !== undefined
}

/** Values that no field accepts. */
export const FAULTY: readonly Json[] = ['entered-in-error', '2099-01-01', ' ']

function merged(
  former: Readonly<Record<string, RecordId>>,
  given: Readonly<Record<string, string | null>>,
): Record<string, string> {
  return Object.fromEntries(Object.entries({ ...former, ...given }).flatMap(([edge, id]) => (id === null ? [] : [[edge, id]])))
}

/** A fact that its values do not change stays. A corrected code takes the labels of the old code away, but not those of an import. */
function withFacts(
  former: NewRecord['metadata'],
  before: ReturnType<typeof plainFacts>,
  after: ReturnType<typeof plainFacts>,
  isImported: boolean,
): NewRecord['metadata'] {
  const metadata = new Map<string, unknown>(Object.entries(former))
  for (const fact of ['date', 'datePrecision', 'codes', 'categories'] as const) {
    if (JSON.stringify(before[fact]) === JSON.stringify(after[fact])) continue
    if (after[fact] === undefined) metadata.delete(fact)
    else metadata.set(fact, after[fact])
  }
  const staying = (former.labels ?? []).filter((label) => isImported || !before.labels.includes(label))
  return {
    ...Object.fromEntries(metadata),
    labels: [...new Set([...staying, ...after.labels])],
  } as unknown as NewRecord['metadata']
}
