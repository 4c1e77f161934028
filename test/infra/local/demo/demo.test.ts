import { describe, expect, it, vi } from 'vitest'
import { demoBundles } from '../../../../infra/local/demo/bundles.ts'
import { NO_CHANGES } from '../../../../gateway/model/source-result.ts'
import { seedDemo, type SeedStore } from '../../../../infra/local/demo/seed.ts'
import { mapBundle } from '../../../../fhir/map-bundle.ts'
import type { MappedPatient } from '../../../../fhir/mapped-bundle.ts'
import type { SchemaPath } from '../../../../directives/coordinates.ts'
import type { TenantId } from '../../../../gateway/model/ids.ts'
import { StageRefused } from '../../../../gateway/model/stage.ts'
import { clinicLabels, idFor, now, riverside } from '../../../fhir/clinic.ts'

const mapped = (tenant: 'riverside' | 'lakeside', count: number): MappedPatient[] =>
  [...demoBundles({ tenant, count })].flatMap((bundle) => {
    const { patients, faults, unknown } = mapBundle(bundle, {
      tenant: riverside,
      idFor,
      now,
      assign: new Map(),
      labels: clinicLabels,
    })
    expect(faults).toEqual([])
    expect([...unknown]).toEqual([])
    return [...patients]
  })

const texts = (patients: readonly MappedPatient[], path: string): string[] =>
  patients.map(({ records }) => records[0]?.values.get(path as SchemaPath)).filter((value) => typeof value === 'string')

const PATHS = [
  ...[
    'mrn',
    'ssn',
    'familyName',
    'givenName',
    'birthDate',
    'gender',
    'phone',
    'email',
    'maritalStatus',
    'language',
    'race',
    'ethnicity',
  ],
  ...['line', 'city', 'district', 'state', 'postalCode', 'country'].map((leaf) => `address.${leaf}`),
].map((field) => `Patient.${field}`)

const FIELDS = {
  Encounter: 'status class type period reasonCode serviceProvider practitioner',
  Condition: 'code clinicalStatus onsetDateTime abatementDateTime recordedDate',
  MedicationRequest: 'medication status authoredOn dosageInstruction requester',
  AllergyIntolerance: 'code criticality clinicalStatus recordedDate reaction',
  Immunization: 'vaccineCode occurrenceDateTime status',
  Procedure: 'code performedPeriod status',
  DocumentReference: 'type date author text',
  Coverage: 'payor subscriberId type period',
  Claim: 'status created total currency diagnosis',
}

describe('the demo patients', () => {
  it('are the same for any count', () => {
    expect([...demoBundles({ tenant: 'riverside', count: 5 })]).toEqual(
      [...demoBundles({ tenant: 'riverside', count: 9 })].slice(0, 5),
    )
  })

  it('are different people', () => {
    const all = [...mapped('riverside', 60), ...mapped('lakeside', 10)]
    expect(new Set(texts(all, 'Patient.ssn')).size).toBe(70)
    expect(new Set(all.map(({ patient }) => patient)).size).toBe(70)
  })

  it('pass the import with every field of a patient and all shapes of an observation', () => {
    for (const { records } of mapped('riverside', 10)) {
      expect([...(records[0]?.values.keys() ?? [])].sort()).toEqual([...PATHS].sort())
      const observations = records.filter(({ ref }) => ref.type === 'Observation')
      expect(observations).toHaveLength(12)
      const paths = new Set(observations.flatMap(({ values }) => [...values.keys()]))
      for (const field of ['valueQuantity', 'valueString', 'valueCodeableConcept', 'component']) {
        expect(paths).toContain(`Observation.${field}`)
      }
    }
  })

  it('have a chart of every type, linked to visits, of some thirty records', () => {
    const bounds: Record<string, readonly [number, number]> = {
      Patient: [1, 1],
      CareTeamMember: [1, 3],
      Observation: [12, 12],
      Encounter: [3, 6],
      Condition: [1, 4],
      MedicationRequest: [1, 3],
      AllergyIntolerance: [0, 1],
      Immunization: [1, 3],
      Procedure: [1, 2],
      DocumentReference: [1, 2],
      Coverage: [1, 1],
      Claim: [1, 3],
    }
    const all = [...mapped('riverside', 25), ...mapped('lakeside', 5)]
    const types = new Set<string>()
    for (const { records } of all) {
      const visits = new Set<string>(records.filter(({ ref }) => ref.type === 'Encounter').map(({ ref }) => ref.id))
      for (const [type, [least, most]] of Object.entries(bounds)) {
        const of = records.filter(({ ref }) => ref.type === type)
        expect(of.length).toBeGreaterThanOrEqual(least)
        expect(of.length).toBeLessThanOrEqual(most)
        for (const { metadata } of of) {
          const visit = metadata.references['encounter']
          if (['Condition', 'MedicationRequest', 'Procedure', 'DocumentReference', 'Claim'].includes(type)) {
            expect(visits).toContain(visit)
          } else if (visit !== undefined) {
            expect(visits).toContain(visit)
          }
        }
      }
      for (const { ref } of records) types.add(ref.type)
      // each visit has at least one measurement
      const measured = records.filter(({ ref, metadata }) => ref.type === 'Observation' && metadata.references['encounter'])
      expect(new Set(measured.map(({ metadata }) => metadata.references['encounter'])).size).toBe(visits.size)
    }
    expect([...types].sort()).toEqual(Object.keys(bounds).sort())
    const total = all.reduce((sum, { records }) => sum + records.length, 0)
    expect(total / all.length).toBeLessThan(36)
  })

  it('fill every field of the API', () => {
    const paths = new Set(mapped('riverside', 25).flatMap(({ records }) => records.flatMap(({ values }) => [...values.keys()])))
    for (const [type, fields] of Object.entries(FIELDS)) {
      for (const field of fields.split(' ')) expect(paths).toContain(`${type}.${field}`)
    }
  })

  it('cannot be real persons: no issuable SSN or ITIN, fictional telephone numbers, reserved mail domain', () => {
    const all = [...mapped('riverside', 60), ...mapped('lakeside', 10)]
    for (const ssn of texts(all, 'Patient.ssn')) expect(ssn).toMatch(/^9\d\d-[1-4]\d-\d{4}$/)
    for (const phone of texts(all, 'Patient.phone')) expect(phone).toMatch(/^[2-9]{3}-555-01\d\d$/)
    for (const email of texts(all, 'Patient.email')) expect(email).toMatch(/^[a-z0-9.]+@example\.org$/)
  })

  it('show the views of a researcher: a restricted ZIP prefix and an age over 89', () => {
    const all = mapped('riverside', 5)
    expect(texts(all, 'Patient.address.postalCode').some((zip) => zip.startsWith('036'))).toBe(true)
    expect(texts(all, 'Patient.birthDate').some((date) => date < '1934')).toBe(true)
  })

  it('are on the care teams of the demo users', () => {
    const cared = (patients: readonly MappedPatient[], user: string): number[] =>
      patients.flatMap(({ memberships }, index) => (memberships.some(({ fhirUser }) => fhirUser === user) ? index + 1 : []))
    const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1)
    const here = mapped('riverside', 30)
    expect(cared(here, 'Practitioner/physician')).toEqual(upTo(20))
    expect(cared(here, 'Practitioner/nurse')).toEqual(upTo(10))
    expect(cared(here, 'Practitioner/lakeside-physician')).toEqual([])
    expect(cared(mapped('lakeside', 10), 'Practitioner/lakeside-physician')).toEqual(upTo(10))
    expect(cared(here, 'Patient/riverside-1')).toEqual([1])
    for (const { memberships } of here) expect(memberships.length).toBeGreaterThan(1)
  })
})

describe('seeding', () => {
  it('writes both tenants, each through its own store, and closes them', async () => {
    const written: string[] = []
    const closed: string[] = []
    const studies: string[] = []
    const subjects: unknown[] = []
    const lines: string[] = []
    await seedDemo({
      stage: 'test',
      openImporter: (tenant): Promise<SeedStore> =>
        Promise.resolve({
          idFor,
          write: ({ records, memberships }) => {
            written.push(tenant)
            subjects.push(...memberships.filter(({ relationship }) => relationship === 'STUDY').map(({ fhirUser }) => fhirUser))
            const counts = { created: records.length, updated: 0, unchanged: 0 }
            return Promise.resolve({ ...NO_CHANGES, ...counts, accessChanged: true })
          },
          storedPatients: () => Promise.resolve(new Map()),
          withdraw: () => Promise.resolve(NO_CHANGES),
          writeStudy: ({ protocol }) => Promise.resolve(void studies.push(`${tenant} ${protocol}`)),
          close: () => Promise.resolve(void closed.push(tenant)),
        }),
      riverside: 13,
      lakeside: 3,
      log: (line) => lines.push(line),
    })
    expect(written.filter((tenant) => tenant === 'riverside')).toHaveLength(13)
    expect(written.filter((tenant) => tenant === 'lakeside')).toHaveLength(3)
    expect(studies).toEqual(['riverside RIVERSIDE-A1C'])
    expect(subjects).toEqual(Array.from({ length: 12 }, () => 'ResearchStudy/RIVERSIDE-A1C'))
    expect(closed).toEqual(['riverside', 'lakeside'])
    expect(lines).toEqual(['riverside: 13 patients, 429 records', 'lakeside: 3 patients, 89 records'])
  })

  it.each(['production', 'prod', 'Production', 'elsewhere', '', undefined])(
    'C29: refuses the stage %j before anything is opened',
    async (stage) => {
      const openImporter = vi.fn<(tenant: TenantId) => Promise<SeedStore>>()
      await expect(seedDemo({ stage, openImporter, riverside: 1, lakeside: 1, log: () => undefined })).rejects.toThrow(StageRefused)
      expect(openImporter).not.toHaveBeenCalled()
    },
  )
})
