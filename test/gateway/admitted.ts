import { randomBytes } from 'node:crypto'
import type { TransactWriteItem } from '@aws-sdk/client-dynamodb'
import { ItemPacker } from '../../gateway/audit/item-packer.ts'
import { newRequestId } from '../../gateway/audit/request-id.ts'
import type { Services } from '../../gateway/compose.ts'
import type { SealedStore } from '../../gateway/admin/open-store.ts'
import type { Consent } from '../../gateway/model/consent.ts'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { Instant, PatientId, RecordRef } from '../../gateway/model/ids.ts'
import { encodeNodeId } from '../../gateway/model/node-id.ts'
import type { Json, Membership, NewRecord, RecordMetadata } from '../../gateway/model/record.ts'
import { RIVERSIDE } from './asking.ts'

/** Patients of one test, under its own names. */
export class Admissions {
  readonly #store: SealedStore

  constructor(store: SealedStore) {
    this.#store = store
  }

  ref(patient: string, type = 'Patient', name = ''): RecordRef {
    const whose = this.#store.idFor('Patient', patient)
    const id = type === 'Patient' ? whose : this.#store.idFor(type, `${patient}/${name}`)
    return { type: type as TypeName, patient: whose as string as PatientId, id }
  }

  id(patient: string, type = 'Patient', name = ''): string {
    return encodeNodeId(this.ref(patient, type, name))
  }

  record(
    patient: string,
    type: string,
    name: string,
    values: Readonly<Record<string, Json>>,
    metadata: Partial<RecordMetadata> = {},
  ): NewRecord {
    return {
      ref: this.ref(patient, type, name),
      values: new Map(Object.entries(values).map(([field, value]) => [`${type}.${field}` as SchemaPath, value])),
      metadata: { open: {}, references: {}, ...metadata },
    }
  }

  /** @param team ids of the users on the care team, for example `physician` */
  async write(
    patient: string,
    records: readonly NewRecord[],
    team: readonly string[] = [],
    given: readonly Consent[] = [],
  ): Promise<string> {
    const memberships = team.map((user) => this.membership(patient, 'CARE_TEAM', `Practitioner/${user}`))
    const consents = { given, withdrawn: [] }
    await this.#store.write({ patient: this.ref(patient).patient, records, memberships, ...(given.length > 0 && { consents }) })
    return this.id(patient)
  }

  /** Sets the periods of a membership. An empty list ends it. */
  async change(membership: Membership): Promise<void> {
    await this.#store.write({ patient: membership.patient, records: [], memberships: [membership] })
  }

  membership(
    patient: string,
    relationship: Membership['relationship'],
    fhirUser: string,
    periods: Membership['periods'] = [{}],
  ): Membership {
    return { patient: this.ref(patient).patient, relationship, fhirUser, periods }
  }
}

/** Commits the writes of a test with an audit record, like an operator's command. */
export async function commit(
  { audit, process, now }: Services,
  items: readonly TransactWriteItem[],
  patient: PatientId,
): Promise<void> {
  const context = {
    tenant: RIVERSIDE,
    requestId: newRequestId(process, now(), randomBytes),
    user: 'os:test',
    roles: [],
    purpose: 'HOPERAT',
    persisted: false,
    policy: '0'.repeat(64),
  } as const
  const record = {
    patient,
    path: '#patient-key' as SchemaPath,
    action: 'DELETE',
    outcome: 'WRITTEN',
    at: now() as Instant,
  } as const
  await audit.commit([...items], new ItemPacker(context).ofWrite([record]), now() + 30_000)
}
