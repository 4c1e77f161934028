import { type DocumentNode, execute, getNamedType, type GraphQLResolveInfo } from 'graphql'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { PatientId, RecordId, RecordRef } from '../../gateway/model/ids.ts'
import type { Json, NewRecord } from '../../gateway/model/record.ts'
import { NEEDED, type Rules, shown, type Verdict, withoutText } from './plain-rules.ts'
import { connectionTarget, fieldsOf, type PlainSchema } from './plain-schema.ts'
import { type PlainCaller, type PlainTenant, type PlainWorld, recordKey } from './plain-world.ts'
import { type Account, accountOfErrors, line } from './account.ts'

/** Replaces every cursor, because the content of a cursor is opaque. */
export const CURSOR = '(a cursor)'

export interface Question {
  readonly caller: PlainCaller
  readonly document: DocumentNode
  readonly variables: Readonly<Record<string, unknown>>
  /** The number of records before each given cursor. */
  readonly passed: ReadonlyMap<string, number>
}

/** Schema, rules and data in plain text. */
export interface Plain {
  readonly schema: PlainSchema
  readonly rules: Rules
  readonly world: PlainWorld
  readonly now: Date
}

/** Predicts the correct answer to a question and its audit, only from plain data and a table of rules. */
export function foretell(plain: Plain, question: Question): Account {
  return new Oracle(plain, question).account()
}

/** The place of a selection: a record, or one that is hidden from this caller. `at` is its type or embedded path. */
class Place {
  readonly ref: RecordRef
  readonly record: NewRecord | undefined
  readonly at: string
  /** PHI paths selected at this place. */
  readonly selected: Set<string>
  readonly hidden: { readonly exists: boolean } | undefined

  constructor(ref: RecordRef, record: NewRecord | undefined, hidden?: { readonly exists: boolean }, within?: Place, at?: string) {
    this.ref = ref
    this.record = record
    this.hidden = hidden
    this.at = at ?? ref.type
    this.selected = within?.selected ?? new Set()
  }
}

type ResponsePath = GraphQLResolveInfo['path']
type Told = { readonly code: string; readonly coordinate: string; readonly reason: string; records: Set<string>; places: string[] }

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
      errors: accountOfErrors(this.#errors.values(), this.#notFound),
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
    if (info.fieldName === 'version') return 1
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
    const record = this.#tenant.records.get(recordKey(ref))
    const told = record !== undefined && (this.#related(ref) || (caller.seesExistence && ref.type === 'Patient'))
    const place = told ? new Place(ref, record) : this.#hide(ref, record, info)
    this.#byId.push(place)
    return place
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
    const record = this.#tenant.records.get(recordKey(ref))
    return record !== undefined && this.#related(ref) ? new Place(ref, record) : this.#hide(ref, record, info)
  }

  /** The fields of a hidden record are denied and recorded too. The answer is null. */
  #hide(ref: RecordRef, record: NewRecord | undefined, info: GraphQLResolveInfo): Place {
    this.#notFound.push(JSON.stringify(flat(info.path)))
    this.#nullPlaces.push(info.path)
    return new Place(ref, undefined, { exists: record !== undefined })
  }

  #related({ type, patient }: RecordRef): boolean {
    const relationships = this.#question.caller.relationships(patient)
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
    let verdict: Verdict & { readonly value?: unknown } = rules.of(path, caller, caller.relationships(ref.patient))
    const note = (...rest: readonly (string | number | undefined)[]): void =>
      void this.#audit.set(key, line(...where(ref), path, 'READ', ...rest))
    if (hidden !== undefined) {
      this.#denied++
      if (hidden.exists) note('DENIED', 'RELATIONSHIP')
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
    const told = hidden.exists ? line(...where(ref), path, 'READ', 'DENIED', 'RELATIONSHIP') : undefined
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
    const page = this.#page(
      records.map(({ ref }) => ref),
      args,
    )
    const edge = this.#edges.get(`${key} ${path}`) ?? {
      given: new Set<string>(),
      tell: (count) => line(...where(patient.ref), path, 'READ', 'DISCLOSED', 'FULL', outcome.basis, count),
    }
    this.#edges.set(`${key} ${path}`, edge)
    for (const { node } of page.edges) edge.given.add(recordKey(node.ref))
    return page
  }

  /** A filter reads its field. Without access to the field in full, the filter and the whole list are denied. */
  #mayFilter({ ref }: Place, args: Record<string, unknown>, info: GraphQLResolveInfo): boolean {
    const { caller } = this.#question
    let may = true
    for (const [name, value] of Object.entries(args)) {
      const field = this.#plain.schema.filters.get(`${info.parentType.name}.${info.fieldName}(${name}:)`)
      if (field === undefined || value === null) continue
      const verdict = this.#plain.rules.of(field, caller, caller.relationships(ref.patient))
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

function gather(into: Map<string, Told>, told: Omit<Told, 'records' | 'places'>, record: string, place: ResponsePath): void {
  const key = `${told.coordinate} ${told.reason}`
  const known = into.get(key) ?? { ...told, records: new Set(), places: [] }
  into.set(key, known)
  known.records.add(record)
  known.places.push(JSON.stringify(flat(place)))
}

const where = ({ type, patient, id }: RecordRef): readonly [string, string] => [patient, `${type} ${id}`]

/** An unreadable id counts as a patient that does not exist. */
const nowhere = (id: string): RecordRef => ({ type: 'Patient' as TypeName, patient: id as PatientId, id: id as RecordId })

function matches(
  { metadata: { date, datePrecision, codes, categories } }: NewRecord,
  { since, until, code, category }: Record<string, unknown>,
): boolean {
  if (typeof code === 'string' && codes?.includes(code) !== true) return false
  if (typeof category === 'string' && categories?.includes(category) !== true) return false
  const dated = datePrecision === undefined ? date : date?.slice(0, { YEAR: 4, MONTH: 7, DAY: 10 }[datePrecision])
  // a missing date is neither before nor after another
  if (typeof since === 'string' && (dated === undefined || isBefore(dated, since))) return false
  return !(typeof until === 'string' && (dated === undefined || isBefore(until, dated)))
}

/** Compares two dates of any precision as far as both go: a day is neither before nor after its month. */
function isBefore(a: string, b: string): boolean {
  const length = Math.min(a.length, b.length)
  return a.slice(0, length) < b.slice(0, length)
}

function newestFirst(a: NewRecord, b: NewRecord): number {
  const [dateA, dateB] = [a.metadata.date ?? '', b.metadata.date ?? '']
  if (dateA !== dateB) return dateA < dateB ? 1 : -1
  return a.ref.id < b.ref.id ? -1 : 1
}

function flat(place: ResponsePath | undefined): (string | number)[] {
  return place === undefined ? [] : [...flat(place.prev), place.key]
}

function setNull(data: unknown, path: readonly (string | number)[]): void {
  const [key, ...rest] = path
  if (key === undefined || data === null || typeof data !== 'object') return
  const inside = data as Record<string | number, unknown>
  if (rest.length === 0) inside[key] = null
  else setNull(inside[key], rest)
}
