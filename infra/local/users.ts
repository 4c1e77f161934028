/** A demo user stands for a role, never for a person. */
export interface DemoUser {
  readonly name: string
  readonly tenant: 'riverside' | 'lakeside'
  readonly role: string
  /** What memberships and the own record are keyed by. */
  readonly fhirUser?: string
  /** A machine client that signs in by itself, with client credentials. */
  readonly client?: true
  /** One line for people. */
  readonly says: string
}

/** Anybody whom an identity provider of one machine can know. */
export type StackUser = Omit<DemoUser, 'tenant'> & { readonly tenant: string }

export const DEMO_USERS: readonly DemoUser[] = [
  {
    name: 'physician',
    tenant: 'riverside',
    role: 'PHYSICIAN',
    fhirUser: 'Practitioner/physician',
    says: 'care team of the first 20 patients',
  },
  { name: 'nurse', tenant: 'riverside', role: 'NURSE', fhirUser: 'Practitioner/nurse', says: 'care team of the first 10 patients' },
  {
    name: 'frontdesk',
    tenant: 'riverside',
    role: 'FRONT_DESK',
    fhirUser: 'Practitioner/frontdesk',
    says: 'registration: contact data and appointments',
  },
  {
    name: 'billing',
    tenant: 'riverside',
    role: 'BILLING',
    fhirUser: 'Practitioner/billing',
    says: 'claims: the last four digits of an SSN',
  },
  {
    name: 'researcher',
    tenant: 'riverside',
    role: 'RESEARCHER',
    fhirUser: 'Practitioner/researcher',
    says: 'the study RIVERSIDE-A1C: the first 12 patients, in years and three-digit ZIP codes',
  },
  { name: 'patient', tenant: 'riverside', role: 'PATIENT', fhirUser: 'Patient/riverside-1', says: 'the own record, patient 1' },
  { name: 'proxy', tenant: 'riverside', role: 'PROXY', fhirUser: 'RelatedPerson/proxy', says: 'acts for patients who said so' },
  { name: 'auditor', tenant: 'riverside', role: 'AUDITOR', says: 'reads the audit, never a patient' },
  { name: 'privacy', tenant: 'riverside', role: 'PRIVACY_OFFICER', says: 'reviews emergencies, never a patient' },
  { name: 'admin', tenant: 'riverside', role: 'ADMIN', says: 'administers users and clients' },
  { name: 'acme', tenant: 'riverside', role: 'PARTNER', client: true, says: 'a payer with a client of its own' },
  {
    name: 'lakeside-physician',
    tenant: 'lakeside',
    role: 'PHYSICIAN',
    fhirUser: 'Practitioner/lakeside-physician',
    says: 'care team of every lakeside patient',
  },
]

/** Research on the first patients of a tenant, by a user who is given them for it alone. */
export interface DemoStudy {
  readonly protocol: string
  readonly tenant: DemoUser['tenant']
  readonly user: string
  readonly patients: number
  /** ISO 8601. */
  readonly until: string
}

export const DEMO_STUDIES: readonly DemoStudy[] = [
  { protocol: 'RIVERSIDE-A1C', tenant: 'riverside', user: 'researcher', patients: 12, until: '2040-01-01T00:00:00.000Z' },
]

/** How many patients of the first are on the care team of whom. */
export const DEMO_CARE_TEAMS: readonly { readonly user: string; readonly patients: number }[] = [
  { user: 'physician', patients: 20 },
  { user: 'nurse', patients: 10 },
  { user: 'lakeside-physician', patients: Number.POSITIVE_INFINITY },
]
