import { getNamedType, type GraphQLSchema, isObjectType } from 'graphql'
import type { PatientId, RecordId, RecordRef } from '../../gateway/model/ids.ts'
import type { TypeName } from '../../directives/coordinates.ts'
import type { Json, NewRecord } from '../../gateway/model/record.ts'
import { encodeNodeId } from '../../gateway/model/node-id.ts'
import type { Random } from '../hostile/seeded.ts'
import type { Operation } from './operations.ts'
import { type Change, type ChangeRules, mutationOf, OF_ENCOUNTER } from './plain-changes.ts'
import { FAULTY } from './plain-mutations.ts'
import { fieldsOf } from './plain-schema.ts'
import { type PlainCaller, type PlainTenant, type PlainWorld, recordKey } from './plain-world.ts'

const LOINC = 'http://loinc.org'
const ICD = 'http://hl7.org/fhir/sid/icd-10-cm'
const coded = (system: string, code: string, text: string): Json => ({ coding: [{ system, code, display: text }], text })
/** The first one has no label. Then HIV, then ETH. */
const TESTS = [coded(LOINC, '718-7', 'Hemoglobin'), coded(LOINC, '20447-9', 'HIV 1 RNA'), coded(LOINC, '3397-7', 'Cocaine')]
const FINDINGS = [
  coded(ICD, 'I10', 'Hypertension'),
  coded(ICD, 'B20', 'HIV disease'),
  coded(ICD, 'F10.10', 'Alcohol abuse'),
  { coding: [], text: 'Fever' },
]
const DATES = ['2019', '2021-05', '2022-08-14', '2024-02-03T10:15:00Z']
const PERIODS = [{ start: '2023-01-02T08:00:00Z', end: '2023-01-02T09:00:00Z' }, { start: '2022-06-01' }]
const TEXTS = ['first text', 'second text']

/** Values that the clinic accepts, by path below the type or by type and path. */
const VALUES: Readonly<Record<string, readonly Json[]>> = {
  'Observation.code': TESTS,
  'Observation.category': ['laboratory', 'vital-signs'],
  'Observation.valueQuantity': [
    { value: 7.5, unit: 'g/dL', code: 'g/dL' },
    { value: 71, unit: 'beats/minute', code: '/min' },
  ],
  'Observation.valueCodeableConcept': [FINDINGS[0] ?? null, FINDINGS[3] ?? null],
  'Observation.component': [[{ code: TESTS[0] ?? null, valueString: 'clear' }]],
  'Observation.interpretation': ['N', 'H, A'],
  'Encounter.status': ['finished', 'planned'],
  'Encounter.class': ['AMB', 'IMP'],
  'Condition.clinicalStatus': ['active', 'resolved'],
  'MedicationRequest.status': ['active', 'stopped'],
  'AllergyIntolerance.criticality': ['low', 'high'],
  'AllergyIntolerance.clinicalStatus': ['active', 'inactive'],
  'AllergyIntolerance.reaction': [[FINDINGS[3] ?? null]],
  'Immunization.status': ['completed', 'not-done'],
  'Procedure.status': ['completed', 'in-progress'],
  'Coverage.type': ['HMO', 'PPO'],
  'Claim.status': ['active', 'draft'],
  'Claim.total': [120.5, 80],
  'Claim.currency': ['USD', 'EUR'],
  'Claim.diagnosis': [[FINDINGS[0] ?? null], [FINDINGS[2] ?? null, FINDINGS[0] ?? null]],
  'Patient.mrn': ['MRN-70001', 'MRN-70002'],
  'Patient.ssn': ['123-45-6789'],
  'Patient.givenName': [['Ada'], ['Grace', 'M.']],
  'Patient.birthDate': ['1980-02-03', '1931-04-05'],
  'Patient.gender': ['female', 'other'],
  'Patient.phone': ['+1 555 0100', '555-010-2222'],
  'Patient.email': ['ada@example.org'],
  'Patient.address.line': [['1 Main Street']],
  'Patient.address.postalCode': ['62701', '03601'],
  'Patient.address.country': ['US', 'CA'],
  'Patient.maritalStatus': [FINDINGS[3] ?? null],
  'Patient.language': ['en', 'de-CH'],
}
/** By the type of the field, for the others. */
const BY_TYPE: Readonly<Record<string, readonly Json[]>> = {
  CodeableConcept: FINDINGS,
  DateTime: DATES,
  PartialDate: DATES,
  Period: PERIODS,
  String: TEXTS,
}

/** A change that was drawn, by its caller. */
export interface DrawnChange {
  readonly caller: PlainCaller
  readonly operation: Operation
}

/** The fields whose codes give labels. */
const CODES = ['code', 'medication', 'vaccineCode', 'type', 'diagnosis']

const NO_PASSES = { passes: [] } as const

/** Draws changes and reads of what is in the plain world at that moment. */
export class Changes {
  readonly #schema: GraphQLSchema
  readonly #rules: ChangeRules
  readonly #world: PlainWorld
  readonly #callers: readonly PlainCaller[]
  readonly #random: Random
  /** The last records that a change was about. */
  readonly #recent: { readonly tenant: PlainTenant; readonly ref: RecordRef }[] = []
  readonly #sent: DrawnChange[] = []
  #keys = 0

  constructor(schema: GraphQLSchema, rules: ChangeRules, world: PlainWorld, callers: readonly PlainCaller[], random: Random) {
    this.#schema = schema
    this.#rules = rules
    this.#world = world
    this.#callers = callers
    this.#random = random
  }

  /** One or two changes in one operation, or an earlier operation again. */
  change(): DrawnChange {
    const earlier = this.#sent.at(-1 - Math.floor(this.#random() * 5))
    if (earlier !== undefined && this.#random() < 0.08) return earlier
    const relabeled = this.#random() < 0.12 ? this.#relabel() : undefined
    if (relabeled !== undefined) return relabeled
    const [type, action] = this.#kind()
    const able = this.#callers.filter(({ role, purpose }) => purpose !== 'BTG' && this.#rules.mayCall(type, action, role))
    const caller = this.#pick(this.#random() < 0.8 && able.length > 0 ? able : this.#callers)
    const variables: Record<string, unknown> = {}
    const declared: string[] = []
    const roots = [this.#root(type, action, caller, declared, variables)]
    if (this.#random() < 0.15) roots.push(this.#root(...this.#kind(), caller, declared, variables))
    const text = `mutation (${declared.join(', ')}) { ${roots.map((root, place) => `c${place}: ${root}`).join('\n')} }`
    const drawn = { caller, operation: { text, variables, ...NO_PASSES } }
    this.#sent.push(drawn)
    return drawn
  }

  /** Another code for a record whose code gave it a label, by somebody who may change it. */
  #relabel(): DrawnChange | undefined {
    const tenant = this.#world.tenants.riverside
    const labeled = [...tenant.records.values()].flatMap((record) => {
      const field = CODES.find((name) => this.#rules.mayChange(`${record.ref.type}.${name}`, 'UPDATE', 'PHYSICIAN'))
      const isOwn = tenant.created.has(recordKey(record.ref)) && tenant.consents.has(record.ref.patient)
      return field !== undefined && isOwn && (record.metadata.labels ?? []).length > 0 ? [{ record, field }] : []
    })
    const caller = this.#callers.find(({ user, purpose }) => user === 'physician' && purpose === 'TREAT')
    const chosen = labeled[Math.floor(this.#random() * labeled.length)]
    if (caller === undefined || chosen === undefined) return undefined
    const { ref } = chosen.record
    const { field } = chosen
    this.#recent.push({ tenant, ref })
    const variables = {
      id: encodeNodeId(ref),
      version: tenant.versions.get(recordKey(ref)) ?? 1,
      patch: { [field]: this.#value(ref.type, field) },
      key: `key-${++this.#keys}`,
    }
    const text = `mutation ($id: ID!, $version: Int!, $patch: ${ref.type}Patch!, $key: String!) {
      ${mutationOf(ref.type, 'UPDATE')}(id: $id, expectedVersion: $version, patch: $patch, idempotencyKey: $key) { version record { id ${field} { text } } }
    }`
    return { caller, operation: { text, variables, ...NO_PASSES } }
  }

  /** A read of a record that a change was about, or of the lists of its patient. */
  read(): DrawnChange | undefined {
    const recent = this.#recent.at(-1 - Math.floor(this.#random() ** 2 * 12))
    if (recent === undefined) return undefined
    const { tenant, ref } = recent
    const own = this.#callers.filter((one) => this.#world.tenants[one.tenant] === tenant)
    const inUse = own.filter(({ role, purpose }) => purpose !== 'BTG' && this.#rules.isWriter(role))
    const caller = this.#pick(this.#random() < 0.6 ? inUse : this.#random() < 0.9 ? own : this.#callers)
    if (this.#random() < 0.6 || ref.type === ('Patient' as TypeName)) {
      const text = `query ($id: ID!) { node(id: $id) { id ... on ${ref.type} { version ${this.#all(ref.type)} } } }`
      return { caller, operation: { text, variables: { id: caller.ids.encode(ref) }, ...NO_PASSES } }
    }
    const list = `${ref.type.charAt(0).toLowerCase()}${ref.type.slice(1)}s`
    const name = list === 'coverages' || list === 'procedures' ? list : list.replace(/ys$/, 'ies')
    const patient: RecordRef = { type: 'Patient' as TypeName, patient: ref.patient, id: ref.patient as string as RecordId }
    const text = `query ($id: ID!) { patient(id: $id) { ${name}(first: ${this.#pick([1, 3, 20])}) { mayBeIncomplete pageInfo { hasNextPage } edges { node { id version ${this.#some(ref.type)} } } } } }`
    return { caller, operation: { text, variables: { id: caller.ids.encode(patient) }, ...NO_PASSES } }
  }

  #kind(): [string, Change] {
    const action = this.#pick(['CREATE', 'CREATE', 'UPDATE', 'UPDATE', 'UPDATE', 'DELETE'] as const)
    return [this.#pick(this.#rules.types(action)), action]
  }

  #root(type: string, action: Change, caller: PlainCaller, declared: string[], variables: Record<string, unknown>): string {
    const tenant = this.#world.tenants[this.#random() < 0.94 ? caller.tenant : this.#pick(['riverside', 'lakeside'] as const)]
    const declare = (sdl: string, value: unknown): string => {
      const name = `v${declared.length}`
      declared.push(`$${name}: ${sdl}`)
      variables[name] = value
      return `$${name}`
    }
    const patient = this.#labeledPatient(tenant, type, action) ?? this.#patient(tenant)
    const key = action === 'DELETE' ? '' : declare('String!', `key-${++this.#keys}`)
    const encode = (ref: RecordRef): string =>
      this.#random() < 0.04 ? encodeNodeId({ ...ref, id: ref.patient as string as RecordId }) : encodeNodeId(ref)
    if (action === 'CREATE') {
      const input = declare(`${type}Input!`, this.#input(type, action, tenant, patient, caller))
      const payload = `{ version record { id version ${this.#some(type)} } }`
      if (type === 'Patient') return `${mutationOf(type, action)}(input: ${input}, idempotencyKey: ${key}) ${payload}`
      const ref: RecordRef = { type: 'Patient' as TypeName, patient: patient as PatientId, id: patient as RecordId }
      const newest = [...tenant.records.values()].findLast(
        (one) => (one.ref.type as string) === type && tenant.created.has(recordKey(one.ref)),
      )
      if (newest !== undefined) this.#recent.push({ tenant, ref: newest.ref })
      return `${mutationOf(type, action)}(patientId: ${declare('ID!', encode(ref))}, input: ${input}, idempotencyKey: ${key}) ${payload}`
    }
    const records = [...tenant.records.values()].filter(
      ({ ref }) => (ref.type as string) === type && (ref.patient as string) === patient,
    )
    const labeled = records.filter((one) => tenant.created.has(recordKey(one.ref)) && (one.metadata.labels ?? []).length > 0)
    const target: NewRecord | undefined =
      this.#random() < 0.4 && labeled.length > 0 ? this.#pick(labeled) : records.length > 0 ? this.#pick(records) : undefined
    const ref = target?.ref ?? {
      type: type as TypeName,
      patient: patient as PatientId,
      id: Buffer.alloc(16, 9).toString('base64url') as RecordId,
    }
    this.#recent.push({ tenant, ref })
    const current = tenant.versions.get(recordKey(ref)) ?? 1
    const version = declare('Int!', this.#random() < 0.9 ? current : this.#pick([current + 1, Math.max(1, current - 1)]))
    const id = declare('ID!', encode(ref))
    if (action === 'DELETE')
      return `${mutationOf(type, action)}(id: ${id}, expectedVersion: ${version}, reason: "entered for another person") { id version }`
    const patch = declare(`${type}Patch!`, this.#input(type, action, tenant, patient, caller))
    return `${mutationOf(type, action)}(id: ${id}, expectedVersion: ${version}, patch: ${patch}, idempotencyKey: ${key}) { version record { id version ${this.#some(type)} } }`
  }

  /** Mostly values that the caller may write together. */
  #input(type: string, action: Change, tenant: PlainTenant, patient: string, { role }: PlainCaller): Record<string, unknown> {
    const all = this.#rules.fields(type, action)
    const own = all.filter((name) => this.#rules.mayChange(`${type}.${name}`, action, role))
    const from = own.length > 0 && this.#random() < 0.85 ? own : all
    const share = action === 'CREATE' ? 0.85 : 0.35
    const input: Record<string, unknown> = {}
    let kinds = 0
    for (const name of from) {
      // codes decide about labels, so they change more often
      const isCode = CODES.includes(name)
      if (this.#random() > (isCode ? Math.max(share, 0.6) : share)) continue
      // an observation has one value at most: two are drawn rarely
      if (name.startsWith('value') && kinds++ > 0 && this.#random() < 0.9) continue
      const value = action === 'UPDATE' && this.#random() < 0.12 ? null : this.#value(type, name)
      const [outer = '', inner] = name.split('.')
      if (inner === undefined) input[outer] = value
      else input[outer] = { ...(input[outer] ?? {}), [inner]: value }
    }
    if (OF_ENCOUNTER.includes(type) && this.#random() < 0.3) {
      const of = this.#random() < 0.9 ? patient : this.#patient(tenant)
      const visits = [...tenant.records.values()].filter(
        ({ ref }) => (ref.type as string) === 'Encounter' && (ref.patient as string) === of,
      )
      const visit = visits[Math.floor(this.#random() * visits.length)]
      if (visit !== undefined) input['encounterId'] = encodeNodeId(visit.ref)
    }
    return input
  }

  #value(type: string, name: string): Json {
    const path = `${type}.${name}`
    if (this.#random() < 0.01 && (name.endsWith('tatus') || name === 'text' || name === 'birthDate')) {
      return name === 'birthDate' ? (FAULTY[1] ?? null) : name === 'text' ? (FAULTY[2] ?? null) : (FAULTY[0] ?? null)
    }
    const [outer = '', inner] = name.split('.')
    const target = getNamedType(fieldsOf(this.#schema, type)[outer]?.type ?? fail(path))
    const leaf = inner === undefined ? target : getNamedType(fieldsOf(this.#schema, target.name)[inner]?.type ?? fail(path))
    return this.#pick(VALUES[path] ?? BY_TYPE[leaf.name] ?? fail(path))
  }

  /** Some changes are about a patient with a created record that has a label and that somebody may change. */
  #labeledPatient(tenant: PlainTenant, type: string, action: Change): string | undefined {
    if (action === 'CREATE' || this.#random() < 0.4) return undefined
    const labeled = [...tenant.records.values()].filter(
      ({ ref, metadata }) =>
        (ref.type as string) === type &&
        tenant.created.has(recordKey(ref)) &&
        (metadata.labels ?? []).length > 0 &&
        tenant.consents.has(ref.patient),
    )
    return labeled[Math.floor(this.#random() * labeled.length)]?.ref.patient
  }

  #patient(tenant: PlainTenant): string {
    const { patients } = tenant
    // the user's own record, patients on both teams, on one team, on none, and registered ones
    const places = [0, 1, 1, 1, 2, 2, 3, 4, 4, 14, 20, 21, patients.length - 1]
    return patients[this.#pick(places)] ?? patients[0] ?? ''
  }

  /** Every field of a type in full, with the encounter and the patient. */
  #all(type: string): string {
    return this.#fields(type)
      .map(({ text }) => text)
      .join(' ')
  }

  #some(type: string): string {
    return this.#fields(type)
      .filter(() => this.#random() < 0.4)
      .map(({ text }) => text)
      .join(' ')
  }

  #fields(type: string): { readonly name: string; readonly text: string }[] {
    return Object.values(fieldsOf(this.#schema, type)).flatMap((field) => {
      const target = getNamedType(field.type)
      if (target.name.endsWith('Connection') || field.name === 'id' || field.name === 'version') return []
      if (target.name === 'Encounter') return [{ name: field.name, text: `${field.name} { id class status }` }]
      if (target.name === 'Patient') return [{ name: field.name, text: `${field.name} { id familyName }` }]
      return [{ name: field.name, text: `${field.name}${this.#inside(target.name)}` }]
    })
  }

  #inside(type: string): string {
    if (!isObjectType(this.#schema.getType(type))) return ''
    const members = Object.values(fieldsOf(this.#schema, type)).map(
      ({ name, type: of }) => `${name}${this.#inside(getNamedType(of).name)}`,
    )
    return ` { ${members.join(' ')} }`
  }

  #pick<T>(from: readonly T[]): T {
    const one = from[Math.floor(this.#random() * from.length)]
    if (one === undefined) throw new Error('there is nothing to choose from')
    return one
  }
}

function fail(path: string): never {
  throw new Error(`there is no value for ${path}`)
}
