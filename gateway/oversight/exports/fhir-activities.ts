import type { Activity } from './access-event.ts'
import { APPLICATION, AUTHOR, type Coding, CUSTODIAN, dicom, DISCLOSE, interaction, RECIPIENT, REST } from './fhir-codes.ts'

const SOURCE = dicom('110153', 'Source Role ID')
const DESTINATION = dicom('110152', 'Destination Role ID')

/** The codes of an activity, as its profile of IHE BALP has them. */
export interface FhirActivity {
  /** The end of the name of the profile. Absent if BALP has none. */
  readonly profile?: 'Read' | 'Query' | 'Create' | 'Update' | 'Delete' | 'PrivacyDisclosure.Source'
  readonly type: Coding
  readonly subtype: readonly Coding[]
  readonly action: 'C' | 'R' | 'U' | 'D' | 'E'
  readonly client: Coding
  readonly server: Coding
  readonly user: Coding
}

const READ = interaction('read', 'read')
/** The gateway sends the data. */
const OUT = { client: DESTINATION, server: SOURCE, user: RECIPIENT } as const
/** The gateway receives the data. */
const IN = { client: SOURCE, server: DESTINATION, user: AUTHOR } as const

/** @source https://profiles.ihe.net/ITI/BALP/1.1.4/content.html */
export const FHIR_ACTIVITIES: Readonly<Record<Activity, FhirActivity>> = {
  READ: { profile: 'Read', type: REST, subtype: [READ], action: 'R', ...OUT },
  // in BALP the client is the source of a query, because it sends the parameters
  QUERY: {
    profile: 'Query',
    type: REST,
    subtype: [interaction('search-type', 'search-type')],
    action: 'E',
    ...IN,
    user: RECIPIENT,
  },
  CREATE: { profile: 'Create', type: REST, subtype: [interaction('create', 'create')], action: 'C', ...IN },
  UPDATE: { profile: 'Update', type: REST, subtype: [interaction('update', 'update')], action: 'U', ...IN },
  DELETE: {
    profile: 'Delete',
    type: REST,
    subtype: [interaction('delete', 'delete')],
    action: 'D',
    client: APPLICATION,
    server: CUSTODIAN,
    user: AUTHOR,
  },
  DISCLOSE: {
    profile: 'PrivacyDisclosure.Source',
    type: dicom('110106', 'Export'),
    subtype: [DISCLOSE, READ],
    action: 'R',
    ...OUT,
  },
  EXPORT: { type: dicom('110106', 'Export'), subtype: [], action: 'R', ...OUT },
  REVIEW: { type: dicom('110101', 'Audit Log Used'), subtype: [], action: 'R', ...OUT },
  OTHER: { type: REST, subtype: [], action: 'E', ...OUT },
}
