import { Notices } from '../../../gateway/disclosure/notices.ts'
import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import type { Relationship } from '../../../directives/policy.ts'
import { AttributeLoader, type ConsentSource, type ConsentAnswer } from '../../../gateway/access/attribute-loader.ts'
import { authorRelationship } from '../../../gateway/access/author.ts'
import { NODE_IDS } from '../../../gateway/access/public-ids.ts'
import type { RelationshipAnswer, RelationshipSource } from '../../../gateway/access/relationships.ts'
import type { ItemDraft } from '../../../gateway/audit/item-draft.ts'
import { Trail } from '../../../gateway/audit/trail.ts'
import { maxFieldBytes } from '../../../gateway/crypto/sealed-field.ts'
import { type SealedBytes, SealedRecord, sealRecord } from '../../../gateway/crypto/sealed-record.ts'
import { AccessRecorder } from '../../../gateway/disclosure/access-recorder.ts'
import { newDisclosureCounter } from '../../../gateway/disclosure/disclosure-counter.ts'
import { BudgetLeases } from '../../../gateway/disclosure/budget-leases.ts'
import { FailureReasons } from '../../../gateway/disclosure/failure-reasons.ts'
import { PhiBudget } from '../../../gateway/disclosure/phi-budget.ts'
import { RecordVisibility } from '../../../gateway/disclosure/record-visibility.ts'
import { ResponseSize } from '../../../gateway/disclosure/response-size.ts'
import type { AccessRecord } from '../../../gateway/model/access-record.ts'
import { Deadline } from '../../../gateway/model/deadline.ts'
import type { Caller } from '../../../gateway/model/decision.ts'
import { Failure, IntegrityFailure, KeyUnavailable } from '../../../gateway/model/failures.ts'
import { type PatientId, type RecordId, recordKey, type RecordRef, type RequestId } from '../../../gateway/model/ids.ts'
import type { Json, RecordMetadata } from '../../../gateway/model/record.ts'
import { DEFAULT_LIMITS } from '../../../gateway/operations/value-limits.ts'
import type { FoundRecord, RecordSource } from '../../../gateway/store/record-source.ts'
import type { GatewayEvent } from '../../../gateway/telemetry/events.ts'
import { compile } from '../../directives/clinic-fixture.ts'
import { KeyHouse, RIVERSIDE } from '../crypto/key-fixtures.ts'
import { callerWith, NOW } from '../decide/clinic-policy.ts'
import { draftedAccesses } from '../drafted-accesses.ts'
import { BudgetModel } from './budget-world.ts'

/** The patient type, records with labels, and notes that their author may open too. */
export const { policy } = compile(`type Query {
  person(id: ID!): Person
  people(phone: String @reads(field: "Person.phone")): Person
}
type Person @record(patient: "id") {
  id: ID! @notPhi(because: "for a test")
  name: String @phi(category: IDENTITY, identifier: NAME) @minimumNecessary(roles: [NURSE, PHYSICIAN])
    @minimumNecessary(roles: [PATIENT], purposes: [PATRQT], relationship: SELF)
    @minimumNecessary(roles: [FRONT_DESK], purposes: [HOPERAT], relationship: ORGANIZATION)
  phone: String @phi(category: CONTACT, identifier: PHONE) @searchable(normalize: DIGITS)
    @minimumNecessary(roles: [NURSE, PHYSICIAN])
    @minimumNecessary(roles: [PATIENT], purposes: [PATRQT], relationship: SELF)
    @minimumNecessary(roles: [FRONT_DESK], purposes: [HOPERAT], relationship: ORGANIZATION, view: LAST4)
}
type Note @record {
  id: ID! @notPhi(because: "for a test")
  text: String @phi(category: NOTE) @minimumNecessary(roles: [PHYSICIAN])
    @minimumNecessary(roles: [PARTNER], purposes: [HPAYMT], relationship: AUTHOR)
}`)

export const path = (text: string): SchemaPath => text as SchemaPath
export const names = (...all: string[]): ReadonlySet<Relationship> => new Set(all as Relationship[])

export const refOf = (type: string, patient: PatientId, id: string = patient): RecordRef => ({
  type: type as TypeName,
  patient,
  id: id as RecordId,
})

/** A relationship to these patients. */
export const relatedTo = (periods: Readonly<Record<string, RelationshipAnswer | Error>>): RelationshipSource => ({
  periods: (_caller, patients) => {
    const answers = patients.map((patient) => [patient, periods[patient]] as const)
    const failure = answers.map(([, answer]) => answer).find((answer) => answer instanceof Error)
    if (failure !== undefined) return Promise.reject(failure)
    return Promise.resolve(
      new Map(answers.flatMap(([patient, answer]) => (answer === undefined ? [] : [[patient, answer]])) as never),
    )
  },
  panel: () => Promise.resolve(Object.keys(periods) as PatientId[]),
})

/** The consents of these patients. A patient without an entry gave none. */
const consentsOf = (known: Readonly<Record<string, ConsentAnswer>>): ConsentSource => ({
  consents: (_tenant, patients) => Promise.resolve(new Map(patients.map((patient) => [patient, known[patient] ?? []]))),
})

/** Sealed records in memory. Returns every existing record, regardless of the caller. */
class SealedMemory implements RecordSource {
  readonly #house: KeyHouse
  readonly #records = new Map<string, SealedBytes | Failure>()
  readonly #outdated = new Map<string, number>()
  /** The records that `load` was called for, and the opened records. */
  readonly loaded: string[] = []
  readonly opened: string[] = []

  constructor(house: KeyHouse) {
    this.#house = house
  }

  async put(ref: RecordRef, values: Readonly<Record<string, Json>>, metadata: Partial<RecordMetadata> = {}, version = 1) {
    const keys = (await this.#house.ring.patientKeys(RIVERSIDE, [ref.patient], 'cached')).get(ref.patient)
    if (keys === undefined) throw new KeyUnavailable()
    const present = new Map(Object.entries(values).map(([field, value]) => [path(`${ref.type}.${field}`), value]))
    const content = { values: present, metadata: { open: {}, references: {}, ...metadata } }
    this.#records.set(recordKey(ref), sealRecord(keys, { tenant: RIVERSIDE, ...ref }, version, content))
  }

  /** The next loads of the record return a newer access manifest than the decision has. */
  outdate(ref: RecordRef, loads: number): void {
    this.#outdated.set(recordKey(ref), loads)
  }

  /** From now on, opening the record fails with this error. */
  damage(ref: RecordRef, failure: Failure): void {
    this.#records.set(recordKey(ref), failure)
  }

  async load(...[tenant, refs]: Parameters<RecordSource['load']>): Promise<readonly FoundRecord[]> {
    const keys = await this.#house.ring.patientKeys(tenant, [...new Set(refs.map(({ patient }) => patient))], 'cached')
    this.loaded.push(...refs.map(recordKey))
    return refs.flatMap((ref) => {
      const sealed = this.#records.get(recordKey(ref))
      if (sealed === undefined) return []
      const open: FoundRecord['open'] = (counter) => {
        this.opened.push(recordKey(ref))
        const patientKeys = keys.get(ref.patient)
        if (sealed instanceof Failure) throw sealed
        if (patientKeys === undefined) throw new KeyUnavailable()
        const record = SealedRecord.open(patientKeys, { tenant, ...ref }, sealed.manifest, counter)
        return {
          version: record.version,
          metadata: record.metadata,
          maxBytes: (field) => maxFieldBytes(sealed.fields.get(field) ?? new Uint8Array()),
          value: (field) => {
            const attribute = sealed.fields.get(field)
            const verdict = record.verdict(field, attribute)
            if (verdict === 'ABSENT') return undefined
            if (verdict === 'INTEGRITY' || attribute === undefined) throw new IntegrityFailure()
            return record.openField(field, attribute)
          },
        }
      }
      const outdated = this.#outdated.get(recordKey(ref)) ?? 0
      this.#outdated.set(recordKey(ref), outdated - 1)
      const refuse = () => {
        throw new IntegrityFailure()
      }
      return outdated > 0 ? [{ ref, outdated: true, open: refuse }] : [{ ref, open }]
    })
  }

  list(): never {
    throw new TypeError('no test lists')
  }
}

export interface Admitted {
  readonly house: KeyHouse
  readonly source: SealedMemory
  readonly patients: readonly [PatientId, PatientId, PatientId]
}

/** Three patients with keys and without records. */
export async function admitted(): Promise<Admitted> {
  const house = new KeyHouse()
  const patients = (await house.withPatients(3)) as [PatientId, PatientId, PatientId]
  return { house, source: new SealedMemory(house), patients }
}

interface Asking {
  readonly caller?: Caller
  readonly relationships?: Readonly<Record<string, RelationshipSource>>
  readonly consents?: Readonly<Record<string, ConsentAnswer>>
  /** Paths that role and purpose can grant. Default: all. */
  readonly grantable?: ReadonlySet<SchemaPath>
  /** Leases of an earlier request. */
  readonly leases?: BudgetLeases
  /** The size that the answer may have. */
  readonly maxBytes?: number
}

/** The production parts of a request by a physician, over sources in memory. */
export function requestOf({ house, source }: Admitted, asking: Asking = {}) {
  const { caller = PHYSICIAN, relationships = {}, consents = {}, grantable = new Set(policy.phi.keys()) } = asking
  const clocks = { now: () => NOW, monotonic: () => 0 }
  const table = new BudgetModel()
  table.isPrompt = true
  const { leases = new BudgetLeases(table, clocks) } = asking
  const deadline = new Deadline(NOW + 10_000, clocks)
  const records: AccessRecord[] = []
  const events: GatewayEvent[] = []
  const requestId = 'request-1' as RequestId
  const log = {
    append: (items: readonly ItemDraft[]) => {
      records.push(...draftedAccesses(items))
      return Promise.resolve([])
    },
    commit: () => Promise.reject(new TypeError('no test writes')),
  }
  const context = {
    tenant: RIVERSIDE,
    requestId,
    user: caller.user,
    roles: [],
    purpose: caller.purpose,
    persisted: false,
    policy: '',
  }
  const trail = new Trail({ log, context, now: clocks.now, deadline, roots: [], leftOut: 'POSSIBLE', origins: new Map() })
  const counter = newDisclosureCounter()
  const failures = new FailureReasons({ requestId, tenant: RIVERSIDE, events: (event) => void events.push(event) })
  const reasonOf = (failure: unknown) => failures.classify(failure)
  const registry = new Map(Object.entries({ AUTHOR: authorRelationship, ...relationships }) as [Relationship, RelationshipSource][])
  const shared = { requestId, caller, now: NOW, deadline, policy, relationships: registry }
  const parts = {
    ...shared,
    grantable,
    computed: {},
    sources: new Map([['dynamodb', source]]),
    keyring: house.ring,
    ids: NODE_IDS,
    attributes: new AttributeLoader({ ...shared, consents: consentsOf(consents), reasonOf }),
    visibility: new RecordVisibility(shared),
    trail,
    counter,
    recorder: new AccessRecorder({ trail, counter }),
    failures,
    notices: new Notices(),
    events: (event: GatewayEvent) => void events.push(event),
    leases,
    size: new ResponseSize(asking.maxBytes ?? DEFAULT_LIMITS.answer.bytes, ''),
    links: { begin: () => undefined, show: () => undefined },
    budget: new PhiBudget({ caller, deadline, leases, most: 1_000, reasonOf }),
  }
  /** The audit records of the request, in order. */
  const audit = async (): Promise<AccessRecord[]> => {
    await trail.settle()
    return records
  }
  return { parts, table, events, audit }
}

export const PHYSICIAN = callerWith(['PHYSICIAN'], 'TREAT', { fhirUser: 'Practitioner/1', seesExistence: true })
/** A caller without the right to learn that a patient exists. */
export const PATIENT = callerWith(['PATIENT'], 'PATRQT', { fhirUser: 'Patient/1' })
/** A caller that opens a record only as its author. */
export const AUTHOR = callerWith(['PARTNER'], 'HPAYMT', { fhirUser: 'Practitioner/1' })
