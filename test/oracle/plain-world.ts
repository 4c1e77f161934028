import { demoBundles } from '../../infra/local/demo/bundles.ts'
import { DEMO_CARE_TEAMS, DEMO_USERS, type DemoUser } from '../../infra/local/users.ts'
import { codeLabels } from '../../fhir/labels.ts'
import { mapBundle } from '../../fhir/map-bundle.ts'
import type { IdFor } from '../../fhir/record.ts'
import type { RecordRef, TenantId } from '../../gateway/model/ids.ts'
import { decodeNodeId, encodeNodeId } from '../../gateway/model/node-id.ts'
import type { NewRecord } from '../../gateway/model/record.ts'

export type Tenant = DemoUser['tenant']

/** The ids by which a caller names records. */
/** How a caller knows records. */
export interface PlainIds {
  encode(ref: RecordRef): string
  decode(text: string): RecordRef | undefined
}

export interface PlainWorld {
  /** The pseudonyms of the demo's study. Their key comes from the running clinic. */
  readonly pseudonyms: PlainIds
  readonly tenants: Readonly<Record<Tenant, PlainTenant>>
}

/** The data of a tenant. A predicted change changes it. */
export interface PlainTenant {
  readonly records: Map<string, NewRecord>
  /** The ids of the patients in the order of the demo: the first one is patient 1. Registered ones follow. */
  readonly patients: string[]
  /** The versions of changed records, by `recordKey`. An unchanged one has version 1. */
  readonly versions: Map<string, number>
  /** The records that a client created. The others are imported. */
  readonly created: Set<string>
  /** The changes with an idempotency key, by user, mutation and key. */
  readonly done: Map<string, { readonly ref: RecordRef; readonly version: number; readonly args: string }>
  /** The consents of patients, by the id of the patient. */
  readonly consents: Map<string, PlainConsent[]>
  /** The patients with open break-glass, by user. */
  readonly emergencies: Map<string, Set<string>>
}

/** A consent about one label. */
export interface PlainConsent {
  readonly effect: 'PERMIT' | 'DENY'
  readonly label: string
  /** Undefined for every role. */
  readonly role?: string
}

export const recordKey = ({ type, patient, id }: RecordRef): string => `${type}/${patient}/${id}`

/** The sensitivities of the clinic, as its documentation lists them. */
const SENSITIVITIES = new Set<string>(['PSY', 'PSYTHPN', 'ETH', 'HIV', 'GDIS', 'SDV', 'SEX']) as ReadonlySet<string> as Parameters<
  typeof codeLabels
>[0]

/** @param idFor by tenant: the id under which a record of the demo is stored */
export function plainWorld(
  counts: Readonly<Record<Tenant, number>>,
  idFor: Readonly<Record<Tenant, IdFor>>,
  pseudonyms: PlainIds,
): PlainWorld {
  const labels = codeLabels(SENSITIVITIES)
  const tenant = (name: Tenant): PlainTenant => {
    const records = new Map<string, NewRecord>()
    const patients: string[] = []
    for (const bundle of demoBundles({ tenant: name, count: counts[name] })) {
      const mapped = mapBundle(bundle, {
        tenant: name as string as TenantId,
        idFor: idFor[name],
        now: new Date().toISOString(),
        assign: new Map(),
        labels,
      })
      for (const patient of mapped.patients) {
        patients.push(patient.patient)
        for (const record of patient.records) records.set(recordKey(record.ref), record)
      }
    }
    return {
      records,
      patients,
      versions: new Map(),
      created: new Set(),
      done: new Map(),
      consents: new Map(),
      emergencies: new Map(),
    }
  }
  return { pseudonyms, tenants: { riverside: tenant('riverside'), lakeside: tenant('lakeside') } }
}

/** The number of patients in the demo's study. A researcher has a relationship to these only. */
const IN_STUDY = 12

/** The rights of a role other than fields: the purposes that it may claim, and whether it sees existence. */
const ROLES: Readonly<Record<string, { readonly purposes: readonly string[]; readonly seesExistence?: true }>> = {
  PHYSICIAN: { purposes: ['TREAT', 'ETREAT', 'BTG'], seesExistence: true },
  NURSE: { purposes: ['TREAT', 'ETREAT', 'BTG'], seesExistence: true },
  FRONT_DESK: { purposes: ['HOPERAT'], seesExistence: true },
  BILLING: { purposes: ['HPAYMT'], seesExistence: true },
  RESEARCHER: { purposes: ['HRESCH'] },
  PATIENT: { purposes: ['PATRQT'] },
  PROXY: { purposes: ['PATRQT'] },
  PARTNER: { purposes: ['HPAYMT'] },
  PRIVACY_OFFICER: { purposes: ['HOPERAT'] },
  AUDITOR: { purposes: ['HOPERAT'] },
  ADMIN: { purposes: ['HOPERAT'] },
}

export interface PlainCaller {
  readonly user: string
  readonly tenant: Tenant
  readonly role: string
  readonly purpose: string
  readonly mayClaim: readonly string[]
  readonly seesExistence: boolean
  readonly ids: PlainIds
  /** The caller's relationships to a patient of the own tenant. */
  readonly relationships: (patient: string) => ReadonlySet<string>
  /** Whether the caller has open break-glass for a patient, and uses it. */
  readonly emergency: (patient: string) => boolean
}

/** Every demo user under every purpose that the user's role may claim. */
export function plainCallers({ tenants, pseudonyms }: PlainWorld): PlainCaller[] {
  return DEMO_USERS.flatMap(({ name, tenant, role, fhirUser }) => {
    const { purposes, seesExistence = false } = ROLES[role] ?? { purposes: [] }
    const numbers = new Map(tenants[tenant].patients.map((patient, index) => [patient, index + 1]))
    const team = DEMO_CARE_TEAMS.find(({ user }) => user === name)?.patients ?? 0
    const relationships = (patient: string): ReadonlySet<string> => {
      // a registered patient is on no team and in no study
      const number = numbers.get(patient) ?? (tenants[tenant].patients.includes(patient) ? Number.MAX_SAFE_INTEGER : undefined)
      if (number === undefined || (role === 'RESEARCHER' && number > IN_STUDY)) return new Set()
      return new Set([
        'ORGANIZATION',
        ...(number <= team ? ['CARE_TEAM'] : []),
        ...(fhirUser === `Patient/${tenant}-${number}` ? ['SELF'] : []),
      ])
    }
    const ids = role === 'RESEARCHER' ? pseudonyms : { encode: encodeNodeId, decode: decodeNodeId }
    const who = { ids, user: name, tenant, role, mayClaim: purposes, seesExistence, relationships }
    return purposes.map((purpose) => ({
      ...who,
      purpose,
      emergency: (patient) => purpose === 'BTG' && tenants[tenant].emergencies.get(name)?.has(patient) === true,
    }))
  })
}
