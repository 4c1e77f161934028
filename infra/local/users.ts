/** A demo user represents a role, never a person. */
export interface DemoUser {
  readonly name: string
  readonly tenant: 'riverside' | 'lakeside'
  readonly role: string
  /** The key of the user's memberships and of the user's own record. */
  readonly fhirUser?: string
  /** A machine client that signs in with client credentials. */
  readonly client?: true
  /** One line for the tour. */
  readonly description: string
  /** For the screen of the stack: the patients that the user may read. */
  readonly patients?: string
  /** For the screen of the stack: a first thing to try. Without it, the screen shows the description. */
  readonly toTry?: string
}

/** A user of the local identity provider, in any tenant. */
export type StackUser = Omit<DemoUser, 'tenant'> & { readonly tenant: string }

export const DEMO_USERS: readonly [DemoUser, ...DemoUser[]] = [
  {
    name: 'physician',
    tenant: 'riverside',
    role: 'PHYSICIAN',
    fhirUser: 'Practitioner/physician',
    description: 'care team of the first 20 patients',
    patients: 'care team of 20',
    toTry: 'names and results; ssn is denied',
  },
  {
    name: 'nurse',
    tenant: 'riverside',
    role: 'NURSE',
    fhirUser: 'Practitioner/nurse',
    description: 'care team of the first 10 patients',
    patients: 'care team of 10',
    toTry: 'results; lists only these patients',
  },
  {
    name: 'frontdesk',
    tenant: 'riverside',
    role: 'FRONT_DESK',
    fhirUser: 'Practitioner/frontdesk',
    description: 'registration: contact data and appointments',
    patients: 'all of riverside',
    toTry: 'phone; patientsByIdentifier',
  },
  {
    name: 'billing',
    tenant: 'riverside',
    role: 'BILLING',
    fhirUser: 'Practitioner/billing',
    description: 'claims: the last four digits of an SSN',
    patients: 'all of riverside',
    toTry: 'the last four digits of ssn',
  },
  {
    name: 'researcher',
    tenant: 'riverside',
    role: 'RESEARCHER',
    fhirUser: 'Practitioner/researcher',
    description: 'the study RIVERSIDE-A1C: the first 12 patients, in years and three-digit ZIP codes',
    patients: '12 of a study',
    toTry: 'years for dates, three ZIP digits',
  },
  {
    name: 'patient',
    tenant: 'riverside',
    role: 'PATIENT',
    fhirUser: 'Patient/riverside-1',
    description: 'their own record, patient 1',
    patients: 'their own record',
    toTry: 'careTeam, whoSawMyRecord',
  },
  {
    name: 'proxy',
    tenant: 'riverside',
    role: 'PROXY',
    fhirUser: 'RelatedPerson/proxy',
    description: 'acts for patients on their authorization',
    patients: 'by authorization',
    toTry: 'viewer',
  },
  {
    name: 'auditor',
    tenant: 'riverside',
    role: 'AUDITOR',
    description: 'reads the audit log, never a patient record',
    patients: 'none',
    toTry: 'fieldAccesses, for auditors',
  },
  {
    name: 'privacy',
    tenant: 'riverside',
    role: 'PRIVACY_OFFICER',
    description: 'reviews break-glass grants, never reads a patient record',
    patients: 'none',
    toTry: 'fieldAccesses of the auditor',
  },
  {
    name: 'admin',
    tenant: 'riverside',
    role: 'ADMIN',
    description: 'administers users and clients',
    patients: 'none',
    toTry: 'viewer',
  },
  {
    name: 'acme',
    tenant: 'riverside',
    role: 'PARTNER',
    client: true,
    description: 'a payer with its own machine client, which runs registered operations by id',
    patients: 'all of riverside',
    toTry: 'npm run phi -- tour acme',
  },
  {
    name: 'lakeside-physician',
    tenant: 'lakeside',
    role: 'PHYSICIAN',
    fhirUser: 'Practitioner/lakeside-physician',
    description: 'care team of every lakeside patient',
    patients: 'all of lakeside',
    toTry: 'a riverside id: NOT_FOUND',
  },
]

/** A study on the first patients of a tenant. Its user reads these patients only for the study. */
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

/** For each user, the number of patients with this user on their care team, counted from the first patient. */
export const DEMO_CARE_TEAMS: readonly { readonly user: string; readonly patients: number }[] = [
  { user: 'physician', patients: 20 },
  { user: 'nurse', patients: 10 },
  { user: 'lakeside-physician', patients: Number.POSITIVE_INFINITY },
]
