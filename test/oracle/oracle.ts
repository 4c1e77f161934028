import { type DocumentNode, execute, getNamedType, type GraphQLResolveInfo } from 'graphql'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { PatientId, RecordId, RecordRef } from '../../gateway/model/ids.ts'
import type { Json, NewRecord } from '../../gateway/model/record.ts'
import { NEEDED, type Rules, shown, type Verdict, withoutText } from './plain-rules.ts'
import { connectionTarget, fieldsOf, type PlainSchema } from './plain-schema.ts'
import { type PlainCaller, type PlainTenant, type PlainWorld, recordKey } from './plain-world.ts'
import { type Account, accountOfErrors, line } from './account.ts'
import { type Hidden, Place } from './place.ts'
import type { ChangeRules } from './plain-changes.ts'
import { matches, newestFirst } from './plain-lists.ts'
import { Changed, PlainMutations } from './plain-mutations.ts'
import { flat, gather, type ResponsePath, setNull, type Told } from './told.ts'

/** Replaces every cursor, because the content of a cursor is opaque. */
export const CURSOR = '(a cursor)'

export interface Question {
  readonly caller: PlainCaller
  readonly document: DocumentNode
  readonly variables: Readonly<Record<string, unknown>>
  /** The number of records before each given cursor. */
  readonly passed: ReadonlyMap<string, number>
  /** The ids of the records that the gateway created, by type, in their order. An id is random, so the oracle cannot predict it. */
  readonly newIds?: ReadonlyMap<string, string[]>
}

/** Schema, rules and data in plain text. */
export interface Plain {
  readonly schema: PlainSchema
  readonly rules: Rules
  readonly world: PlainWorld
  readonly now: Date
  /** Without it, the oracle knows no mutations. */
  readonly changes?: ChangeRules
}

/** Predicts the correct answer to a question and its audit, only from plain data and a table of rules. */
export function foretell(plain: Plain, question: Question): Account {
  return new Oracle(plain, question).account()
}

class Oracle {
  readonly #plain: Plain
  #hasRoot = false
  readonly #question: Question
  readonly #tenant: PlainTenant
  /** The outcome of each path of each record. A value has one outcome, however often it is reached. */
  readonly #settled = new Map<string, Verdict & { readonly value?: unknown }>()
  readonly #audit = new Map<string, string>()
  readonly #edges = new Map<string, { readonly tell: (count: number) => string; readonly given: Set<string> }>()
  readonly #errors = new Map<string, Told>()
  readonly #masked = new Map<string, Told>()
  readonly #notFound: string[] = []
  readonly #failed: string[] = []
  readonly #mutations: PlainMutations | undefined
  readonly #byId: Place[] = []
  readonly #nullPlaces: ResponsePath[] = []
  /** The values of the answer, each once. */
  readonly #given = new Set<string>()
  #opened = 0
  #denied = 0

  constructor(plain: Plain, question: Question) {
    this.#plain = plain
    this.#question = question
    this.#tenant = plain.world.tenants[question.caller.tenant]
    this.#mutations = plain.changes && new PlainMutations(plain.changes, this.#knowing())
  }

  #knowing(): ConstructorParameters<typeof PlainMutations>[1] {
    const { caller, newIds } = this.#question
    return {
      caller,
      tenant: this.#tenant,
      target: (ref, info) => {
        const place = this.#reach(ref, info)
        this.#existence(place)
        return place.record
      },
      refuse: (coordinate, reason, record, info) => this.#refuse(coordinate, reason, record, info.path),
      deny: (key, text) => this.#deny(key, text),
      audit: (key, text) => void this.#audit.set(key, text),
      fail: (code, info) => void this.#failed.push(line(code, JSON.stringify(flat(info.path)))),
      basisOf: (basis, { patient }, record) => this.#basisOf(basis, patient, record),
      newId: (type) => newIds?.get(type)?.shift() ?? '(a new id)',
    }
  }

  account(): Account {
    const { document, variables } = this.#question
    const result = execute({
      schema: this.#plain.schema.schema,
      document,
      variableValues: variables,
      fieldResolver: (source: unknown, args: Record<string, unknown>, _context, info) => this.#field(source, args, info),
      typeResolver: (source: unknown) => (source instanceof Place ? source.ref.type : undefined),
    })
    if (result instanceof Promise) throw new TypeError('the oracle answers at once')
    if (result.errors !== undefined) throw new Error('the oracle cannot answer', { cause: result.errors[0] })
    const data = JSON.parse(JSON.stringify(result.data)) as unknown
    for (const place of this.#nullPlaces) setNull(data, flat(place))
    // a query for only the id of a record reveals that the record exists
    for (const place of this.#byId) if (place.selected.size === 0) this.#existence(place)
    for (const [key, { tell, given }] of this.#edges) this.#audit.set(key, tell(given.size))
    return {
      data,
      errors: [...accountOfErrors(this.#errors.values(), this.#notFound), ...this.#failed].toSorted(),
      masked: [...this.#masked.values()]
        .map(({ coordinate, reason, records, places }) => line(coordinate, reason, records.size, ...places.toSorted()))
        .toSorted(),
      audit: [...this.#audit.values()].toSorted(),
      resolved: this.#given.size,
      opened: this.#opened,
      denied: this.#denied,
      receipt: this.#hasRoot,
    }
  }

  #field(source: unknown, args: Record<string, unknown>, info: GraphQLResolveInfo): unknown {
    if (info.parentType === info.schema.getQueryType()) return this.#root(args, info)
    if (info.parentType === info.schema.getMutationType()) {
      this.#hasRoot = true
      return this.#mutations?.root(args, info)
    }
    if (source instanceof Changed) return info.fieldName === 'record' ? this.#changed(source, info) : source.version
    if (!(source instanceof Place)) return (source as Record<string, unknown>)[info.fieldName]
    const { rules, schema } = this.#plain
    const path = `${source.at}.${info.fieldName}`
    const target = getNamedType(info.returnType)
    const listed = connectionTarget(target)
    if (listed !== undefined) return this.#list(source, path, listed, args, info)
    if (rules.isPhi(path)) return this.#value(source, path, info)
    if (rules.embeds(path)) return new Place(source.ref, source.record, source.hidden, source, path)
    if (schema.recordTypes.includes(target.name)) return this.#toOne(source, path, target.name, info)
    // a hidden record is left out of the answer, and a made-up id has no form that a study could encode
    if (info.fieldName === 'id') return source.hidden === undefined ? this.#question.caller.ids.encode(source.ref) : ''
    // no operation of the campaign signs
    if (info.fieldName === 'signature') return null
    if (info.fieldName === 'version') return this.#tenant.versions.get(recordKey(source.ref)) ?? 1
    return source.record?.metadata.open[info.fieldName] ?? (source.hidden && '')
  }

  #root(args: Record<string, unknown>, info: GraphQLResolveInfo): unknown {
    // an operation with a root has a receipt, for any answer
    this.#hasRoot = true
    const { caller } = this.#question
    const { rules, schema } = this.#plain
    if (info.fieldName === 'viewer') {
      const { user, tenant, role, purpose, mayClaim } = caller
      return { userId: user, tenant, roles: [role], purpose, mayClaim }
    }
    const id = typeof args['id'] === 'string' ? args['id'] : undefined
    const types = info.fieldName === 'node' ? schema.recordTypes : ['Patient']
    const closed = rules.closed(types, caller)
    if (closed !== undefined) {
      const coordinate = `Query.${info.fieldName}`
      const patient = id === undefined ? undefined : caller.ids.decode(id)?.patient
      this.#refuse(coordinate, closed, coordinate, info.path)
      this.#deny(`${coordinate} ${patient ?? ''}`, line(patient, '', coordinate, 'READ', 'DENIED', closed))
      return null
    }
    return id === undefined ? this.#panel(args) : this.#record(id, types, info)
  }

  #record(id: string, types: readonly string[], info: GraphQLResolveInfo): Place {
    const { caller } = this.#question
    const decoded = caller.ids.decode(id)
    const ref = decoded !== undefined && types.includes(decoded.type) ? decoded : nowhere(id)
    const place = this.#reach(ref, info)
    this.#byId.push(place)
    return place
  }

  /** A record by its id. */
  #reach(ref: RecordRef, info: GraphQLResolveInfo): Place {
    const record = this.#tenant.records.get(recordKey(ref))
    const told = this.#related(ref) || (this.#question.caller.seesExistence && ref.type === 'Patient')
    if (record === undefined || !told) {
      // no record is looked for on behalf of a caller who may not know of the patient: the audit names the patient as soon as it exists
      const isOfPatient = !told && !this.#question.caller.seesExistence && this.#tenant.patients.includes(ref.patient)
      return this.#hide(ref, { exists: record !== undefined || isOfPatient }, info)
    }
    return this.#isClosed(record) ? this.#hide(ref, { exists: true, closed: true }, info) : new Place(ref, record)
  }

  /** The record of a payload is an edge: no error follows from a record that is closed to its writer. */
  #changed({ ref }: Changed, info: GraphQLResolveInfo): Place | null {
    const path = `${info.parentType.name}.${info.fieldName}`
    const closed = this.#plain.rules.closed([ref.type], this.#question.caller)
    if (closed !== undefined) {
      this.#refuse(path, closed, path, info.path)
      this.#deny(path, line('', path, 'READ', 'DENIED', closed))
      return null
    }
    return this.#follow(ref, info)
  }

  #follow(ref: RecordRef, info: GraphQLResolveInfo): Place | null {
    const record = this.#tenant.records.get(recordKey(ref))
    if (!this.#related(ref)) return this.#hide(ref, { exists: record !== undefined }, info)
    if (record === undefined) return null
    if (!this.#isClosed(record)) return new Place(ref, record)
    this.#leaveOut(ref)
    return null
  }

  #leaveOut(ref: RecordRef): void {
    this.#audit.set(`${recordKey(ref)} LEFT_OUT`, line(...where(ref), `${ref.type}.id`, 'READ', 'DENIED', 'CONSENT'))
  }

  /** Whether consents and labels close a record to this caller: `docs/consent.md`. */
  #isClosed({ ref, metadata }: NewRecord): boolean {
    const { caller } = this.#question
    const labels: readonly string[] = metadata.labels ?? []
    const relationships = caller.relationships(ref.patient)
    const footing = [...this.#plain.rules.opening(ref.type, caller)].some((name) => relationships.has(name))
    if (!footing && !caller.emergency(ref.patient)) return false
    if (caller.role === 'PATIENT' || caller.role === 'PROXY') return false
    const own = (this.#tenant.consents.get(ref.patient) ?? []).filter(({ role }) => role === undefined || role === caller.role)
    if (own.some(({ effect, label }) => effect === 'DENY' && labels.includes(label))) return true
    const permits = own.some(({ effect, label }) => effect === 'PERMIT' && label === 'ETH') && caller.role !== 'PARTNER'
    return labels.includes('ETH') && !permits
  }

  /** A permission that a label requires is the basis of the access. */
  #basisOf(basis: string, _patient: string, record: NewRecord | undefined): string {
    const labels: readonly string[] = record?.metadata.labels ?? []
    return labels.includes('ETH') && basis !== 'SELF' && basis !== 'BREAK_GLASS' ? 'CONSENT' : basis
  }

  #toOne(from: Place, path: string, type: string, info: GraphQLResolveInfo): Place | null {
    if (from.hidden !== undefined) return null
    const closed = this.#plain.rules.closed([type], this.#question.caller)
    if (closed !== undefined) {
      this.#refuse(path, closed, recordKey(from.ref), info.path)
      this.#deny(`${recordKey(from.ref)} ${path}`, line(...where(from.ref), path, 'READ', 'DENIED', closed))
      return null
    }
    const { patient } = from.ref
    const id = type === 'Patient' ? (patient as string as RecordId) : from.record?.metadata.references[info.fieldName]
    if (id === undefined) return null
    const ref: RecordRef = { type: type as TypeName, patient, id }
    return this.#follow(ref, info)
  }

  /** The fields of a hidden record are denied and recorded too. The answer is null. */
  #hide(ref: RecordRef, hidden: Hidden, info: GraphQLResolveInfo): Place {
    this.#notFound.push(JSON.stringify(flat(info.path)))
    this.#nullPlaces.push(info.path)
    return new Place(ref, undefined, hidden)
  }

  #related({ type, patient }: RecordRef): boolean {
    const relationships = this.#question.caller.relationships(patient)
    if (this.#question.caller.emergency(patient)) return true
    return [...this.#plain.rules.opening(type, this.#question.caller)].some((name) => relationships.has(name))
  }

  #value(place: Place, path: string, info: GraphQLResolveInfo): unknown {
    const outcome = this.#settle(place, path)
    if (place.hidden !== undefined) return null
    if ('reason' in outcome) {
      this.#refuse(path, outcome.reason, recordKey(place.ref), info.path)
      return null
    }
    if (outcome.value !== undefined && outcome.value !== null) this.#given.add(`${recordKey(place.ref)} ${path}`)
    if (outcome.value !== undefined && outcome.view !== 'FULL') {
      gather(this.#masked, { code: 'MASKED', coordinate: path, reason: outcome.view }, recordKey(place.ref), info.path)
    }
    return outcome.value
  }

  /** Decides a path of a record once: as hidden, denied, absent, or disclosed in a view. */
  #settle(place: Place, path: string): Verdict & { readonly value?: unknown } {
    const { ref, record, hidden } = place
    place.selected.add(path)
    const key = `${recordKey(ref)} ${path}`
    const known = this.#settled.get(key)
    if (known !== undefined) return known
    const { rules, now } = this.#plain
    const { caller } = this.#question
    let verdict: Verdict & { readonly value?: unknown } = rules.of(
      path,
      caller,
      caller.relationships(ref.patient),
      caller.emergency(ref.patient),
    )
    if ('basis' in verdict) verdict = { ...verdict, basis: this.#basisOf(verdict.basis, ref.patient, record) }
    const note = (...rest: readonly (string | number | undefined)[]): void =>
      void this.#audit.set(key, line(...where(ref), path, 'READ', ...rest))
    if (hidden !== undefined) {
      this.#denied++
      if (hidden.exists) note('DENIED', hidden.closed ? 'CONSENT' : 'RELATIONSHIP')
      else this.#audit.set(key, line('(nobody)', '', path, 'READ', 'DENIED', 'NOT_FOUND'))
    } else if ('reason' in verdict) {
      this.#denied++
      note('DENIED', verdict.reason)
    } else if (!this.#isEdge(path)) {
      const value = record?.values.get(path as SchemaPath)
      if (value === undefined) note('ABSENT', verdict.basis)
      else {
        const needed = NEEDED[verdict.view]
        // a view opens the value that it depends on, whether or not it is selected
        const beside = needed === undefined ? undefined : this.#settle(place, `${path.slice(0, path.lastIndexOf('.'))}.${needed}`)
        const given = beside !== undefined && 'value' in beside ? (beside.value as Json) : undefined
        verdict = { ...verdict, value: shown(verdict.view, caller.role === 'RESEARCHER' ? withoutText(value) : value, now, given) }
        this.#opened++
        note(verdict.view === 'FULL' ? 'DISCLOSED' : 'MASKED', verdict.view, verdict.basis)
      }
    }
    this.#settled.set(key, verdict)
    return verdict
  }

  #isEdge(path: string): boolean {
    const [type = '', field = '', inner] = path.split('.')
    const target = inner === undefined ? fieldsOf(this.#plain.schema.schema, type)[field]?.type : undefined
    return target !== undefined && connectionTarget(getNamedType(target)) !== undefined
  }

  #existence({ ref, hidden }: Place): void {
    const path = `${ref.type}.id`
    const key = `${recordKey(ref)} ${path}`
    if (this.#audit.has(key)) return
    if (hidden === undefined) {
      this.#audit.set(key, line(...where(ref), path, 'READ', 'DISCLOSED'))
      return
    }
    this.#denied++
    const told = hidden.exists ? line(...where(ref), path, 'READ', 'DENIED', hidden.closed ? 'CONSENT' : 'RELATIONSHIP') : undefined
    this.#audit.set(key, told ?? line('(nobody)', '', path, 'READ', 'DENIED', 'NOT_FOUND'))
  }

  #panel(args: Record<string, unknown>): unknown {
    const { caller } = this.#question
    const opening = this.#plain.rules.opening('Patient', caller)
    const patients = this.#tenant.patients
      .filter((patient) => [...caller.relationships(patient)].some((name) => opening.has(name)))
      .toSorted()
    const refs = patients.map((id) => ({ type: 'Patient' as TypeName, patient: id as PatientId, id: id as RecordId }))
    return { ...this.#page(refs, args), mayBeIncomplete: false }
  }

  #list(patient: Place, path: string, type: string, args: Record<string, unknown>, info: GraphQLResolveInfo): unknown {
    const outcome = this.#settle(patient, path)
    if (patient.hidden !== undefined) return null
    const key = recordKey(patient.ref)
    if ('reason' in outcome) {
      this.#refuse(path, outcome.reason, key, info.path)
      return null
    }
    if (!this.#mayFilter(patient, args, info)) return null
    const records = [...this.#tenant.records.values()]
      .filter(({ ref }) => ref.type === type && ref.patient === patient.ref.patient)
      .filter((record) => matches(record, args))
      .toSorted(newestFirst)
    const page = this.#page(this.#open(records, args), args)
    const edge = this.#edges.get(`${key} ${path}`) ?? {
      given: new Set<string>(),
      tell: (count) => line(...where(patient.ref), path, 'READ', 'DISCLOSED', 'FULL', outcome.basis, count),
    }
    this.#edges.set(`${key} ${path}`, edge)
    for (const { node } of page.edges) edge.given.add(recordKey(node.ref))
    return page
  }

  /** The records that are not closed. The audit has the closed ones as far as the page was filled, and the one after it. */
  #open(records: readonly NewRecord[], { first, after }: Record<string, unknown>): RecordRef[] {
    const open = records.filter((record) => !this.#isClosed(record))
    const passed = typeof after === 'string' ? (this.#question.passed.get(after) ?? 0) : 0
    const [start, end] = [passed === 0 ? undefined : open[passed - 1], open[passed + Number(first)]]
    const from = start === undefined ? 0 : records.indexOf(start)
    const ahead = records.slice(from, end === undefined ? undefined : records.indexOf(end))
    for (const record of ahead) if (this.#isClosed(record)) this.#leaveOut(record.ref)
    return open.map(({ ref }) => ref)
  }

  /** A filter reads its field. Without access to the field in full, the filter and the whole list are denied. */
  #mayFilter({ ref }: Place, args: Record<string, unknown>, info: GraphQLResolveInfo): boolean {
    const { caller } = this.#question
    let may = true
    for (const [name, value] of Object.entries(args)) {
      const field = this.#plain.schema.filters.get(`${info.parentType.name}.${info.fieldName}(${name}:)`)
      if (field === undefined || value === null) continue
      const verdict = this.#plain.rules.of(field, caller, caller.relationships(ref.patient), caller.emergency(ref.patient))
      if ('view' in verdict && verdict.view === 'FULL') continue
      may = false
      const reason = 'reason' in verdict ? verdict.reason : 'ROLE'
      this.#refuse(field, reason, recordKey(ref), info.path)
      this.#deny(`${recordKey(ref)} SEARCH ${field}`, line(ref.patient, '', field, 'SEARCH', 'DENIED', reason))
    }
    return may
  }

  #page(refs: readonly RecordRef[], { first, after }: Record<string, unknown>) {
    const ahead = typeof after === 'string' ? refs.slice(this.#question.passed.get(after)) : refs
    const edges = ahead.slice(0, first as number).map((ref) => ({
      cursor: CURSOR,
      node: new Place(ref, this.#tenant.records.get(recordKey(ref))),
    }))
    const cursor = edges.length > 0 ? CURSOR : null
    return {
      edges,
      // the records of a patient can be closed by labels, patients cannot
      mayBeIncomplete: true,
      pageInfo: {
        hasNextPage: ahead.length > edges.length,
        hasPreviousPage: typeof after === 'string',
        startCursor: cursor,
        endCursor: cursor,
      },
    }
  }

  #refuse(coordinate: string, reason: string, record: string, place: ResponsePath): void {
    gather(this.#errors, { code: 'UNAUTHORIZED_FIELD_OR_TYPE', coordinate, reason }, record, place)
  }

  #deny(key: string, text: string): void {
    if (this.#audit.has(key)) return
    this.#denied++
    this.#audit.set(key, text)
  }
}

const where = ({ type, patient, id }: RecordRef): readonly [string, string] => [patient, `${type} ${id}`]

/** An unreadable id counts as a patient that does not exist. */
const nowhere = (id: string): RecordRef => ({ type: 'Patient' as TypeName, patient: id as PatientId, id: id as RecordId })
