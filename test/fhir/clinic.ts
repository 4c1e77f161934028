import { createHash } from 'node:crypto'
import { sensitivities } from '../../directives/sensitivities.ts'
import { codeLabels } from '../../fhir/labels.ts'
import { mapBundle } from '../../fhir/map-bundle.ts'
import type { MapOptions, MappedBundle } from '../../fhir/mapped-bundle.ts'
import { clinicLock } from '../../schema/clinic.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { RecordId, TenantId } from '../../gateway/model/ids.ts'
import type { Json, NewRecord } from '../../gateway/model/record.ts'

// A small clinic in FHIR. Each test changes the part that it needs.

export type Resource = { resourceType: string; id?: string } & Record<string, unknown>

export const riverside = 'riverside' as TenantId

/** The shipped code lists, with the sensitivities of the shipped clinic. */
export const clinicLabels = codeLabels(sensitivities(clinicLock()))

/** The instant of every import of these tests. */
export const now = '2024-06-01T12:00:00.000Z'

/** A stand-in for the keyed derivation of the store: equal inputs yield equal ids. */
export const idFor = (type: string, sourceId: string): RecordId =>
  createHash('sha256').update(`${type}/${sourceId}`).digest().subarray(0, 16).toString('base64url') as RecordId

export const patient = (changes: Record<string, unknown> = {}): Resource => ({
  resourceType: 'Patient',
  id: 'ada',
  name: [{ use: 'official', family: 'Byron', given: ['Ada'] }],
  birthDate: '1975-12-10',
  ...changes,
})

export const observation = (changes: Record<string, unknown> = {}): Resource => ({
  resourceType: 'Observation',
  id: 'o1',
  status: 'final',
  code: { coding: [{ system: 'http://loinc.org', code: '4548-4', display: 'HbA1c' }] },
  subject: { reference: 'Patient/ada' },
  effectiveDateTime: '2024-03-01T09:30:00+02:00',
  valueQuantity: { value: 6.1, unit: '%', system: 'http://unitsofmeasure.org', code: '%' },
  ...changes,
})

export const careTeam = (changes: Record<string, unknown> = {}): Resource => ({
  resourceType: 'CareTeam',
  id: 't1',
  status: 'active',
  subject: { reference: 'Patient/ada' },
  participant: [{ role: [{ text: 'Physician' }], member: { reference: 'Practitioner/p1' } }],
  ...changes,
})

export const practitioner = (changes: Record<string, unknown> = {}): Resource => ({
  resourceType: 'Practitioner',
  id: 'p1',
  name: [{ family: 'Hopper', given: ['Grace'], prefix: ['Dr.'] }],
  ...changes,
})

export const bundle = (
  ...resources: readonly unknown[]
): { resourceType: 'Bundle'; type: string; entry: { resource: unknown }[] } => ({
  resourceType: 'Bundle',
  type: 'transaction',
  entry: resources.map((resource) => ({ resource })),
})

export const map = (input: unknown, assign: MapOptions['assign'] = new Map(), at = now): MappedBundle =>
  // converted to text and back, because a file can only contain JSON
  mapBundle(JSON.parse(JSON.stringify(input)), { tenant: riverside, idFor, now: at, assign, labels: clinicLabels })

export const recordsOf = (mapped: MappedBundle, type: string): readonly NewRecord[] =>
  mapped.patients.flatMap(({ records }) => records.filter(({ ref }) => ref.type === type))

export const valuesOf = (record: NewRecord | undefined): Record<string, Json> =>
  Object.fromEntries(record?.values ?? new Map<SchemaPath, Json>())

export const reasonsOf = (mapped: MappedBundle): readonly string[] => mapped.faults.map(({ reason }) => reason)
