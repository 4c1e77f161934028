import { Faker, base, en } from '@faker-js/faker'
import { demoChart } from './chart.ts'
import { demoObservations } from './observations.ts'
import { demoPatient } from './patient.ts'
import { type Resource, SNOMED, concept } from './resources.ts'
import { DEMO_CARE_TEAMS, DEMO_USERS, type DemoUser } from '../users.ts'

export interface DemoBundle {
  readonly resourceType: 'Bundle'
  readonly type: 'transaction'
  readonly entry: readonly { readonly fullUrl: string; readonly resource: Resource; readonly request: object }[]
}

/** An arbitrary number. A different seed generates different patients. */
const SEED = 20_240_229
const TENANTS: readonly DemoUser['tenant'][] = ['riverside', 'lakeside']
/** Number of practitioners that share the patients without a demo user on their care team. */
const OTHER_PRACTITIONERS = 5

const CLINICS: Readonly<Record<DemoUser['tenant'], Resource>> = {
  riverside: { resourceType: 'Organization', id: 'riverside-clinic', name: 'Riverside Community Clinic' },
  lakeside: { resourceType: 'Organization', id: 'lakeside-clinic', name: 'Lakeside Family Practice' },
}

const PHYSICIAN_ROLE = concept(SNOMED, ['309343006', 'Physician'])
const NURSE_ROLE = concept(SNOMED, ['106292003', 'Professional nurse'])

/**
 * Generates FHIR R4 transaction bundles of synthetic patients, one patient each: `riverside-1`, `riverside-2`, ... The seed of a
 * patient includes the patient's number, so patient 7 is the same person for any count.
 */
export function* demoBundles({ tenant, count }: { tenant: DemoUser['tenant']; count: number }): Generator<DemoBundle> {
  for (let number = 1; number <= count; number++) yield demoBundle(tenant, number)
}

function demoBundle(tenant: DemoUser['tenant'], number: number): DemoBundle {
  const faker = fakerFor(tenant, 'patient', number)
  const patient = demoPatient(faker, tenant, number)
  const practitioners = practitionersOf(tenant, number)
  const clinic = CLINICS[tenant]
  const observations = demoObservations(faker, patient.id)
  const resources = [
    patient,
    clinic,
    ...practitioners.map((id) => practitioner(tenant, id)),
    careTeam(patient.id, practitioners),
    ...demoChart(faker, {
      patient: patient.id,
      observations,
      practitioner: practitioners[0] ?? '',
      organization: clinic.id,
    }),
  ]
  return {
    resourceType: 'Bundle',
    type: 'transaction',
    entry: resources.map((resource) => ({
      fullUrl: `https://${tenant}.example.org/fhir/${resource.resourceType}/${resource.id}`,
      resource,
      request: { method: 'PUT', url: `${resource.resourceType}/${resource.id}` },
    })),
  }
}

/** The ids of the demo users on this patient's care team. If there are none, the id of a practitioner without a user. */
function practitionersOf(tenant: DemoUser['tenant'], number: number): readonly string[] {
  const users = DEMO_USERS.filter((user) => user.tenant === tenant)
  const onTeam = users.flatMap(({ name, fhirUser }) => {
    const patients = DEMO_CARE_TEAMS.find(({ user }) => user === name)?.patients ?? 0
    return number <= patients && fhirUser?.startsWith('Practitioner/') === true ? fhirUser.slice('Practitioner/'.length) : []
  })
  return onTeam.length > 0 ? onTeam : [`${tenant}-practitioner-${(number % OTHER_PRACTITIONERS) + 1}`]
}

function careTeam(patient: string, practitioners: readonly string[]): Resource {
  return {
    resourceType: 'CareTeam',
    id: `${patient}-team`,
    status: 'active',
    subject: { reference: `Patient/${patient}` },
    period: { start: '2020-01-01T00:00:00Z' },
    participant: practitioners.map((id) => ({
      role: [id === 'nurse' ? NURSE_ROLE : PHYSICIAN_ROLE],
      member: { reference: `Practitioner/${id}` },
    })),
  }
}

function practitioner(tenant: DemoUser['tenant'], id: string): Resource {
  const faker = fakerFor(tenant, 'practitioner', ...Buffer.from(id))
  return {
    resourceType: 'Practitioner',
    id,
    active: true,
    name: [{ family: faker.person.lastName(), given: [faker.person.firstName()], ...(id !== 'nurse' && { prefix: ['Dr.'] }) }],
  }
}

function fakerFor(tenant: DemoUser['tenant'], kind: 'patient' | 'practitioner', ...numbers: readonly number[]): Faker {
  const faker = new Faker({ locale: [en, base] })
  faker.seed([SEED, TENANTS.indexOf(tenant), kind === 'patient' ? 0 : 1, ...numbers])
  return faker
}
