import type { SchemaPath, TypeName } from '../../../../../directives/coordinates.ts'
import type { PurposeOfUse } from '../../../../../directives/policy.ts'
import type { AccessRecord } from '../../../../../gateway/model/access-record.ts'
import type { Instant } from '../../../../../gateway/model/ids.ts'

/** A person or partner of the simulated clinic. */
export interface Member {
  readonly user: string
  readonly role: 'PHYSICIAN' | 'NURSE' | 'FRONT_DESK' | 'BILLING' | 'RESEARCHER' | 'PRIVACY_OFFICER' | 'PARTNER' | 'PATIENT'
  readonly purpose: PurposeOfUse
  /** The digest of a partner's contract. */
  readonly contract?: string
}

/** One request and the accesses that it leaves. */
export interface Request {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly member: Member
  readonly operation: string
  readonly accesses: readonly AccessRecord[]
}

/** The grounds of an access. */
export type Grounds = Pick<AccessRecord, 'basis' | 'basisId' | 'since'>

/** A membership of a care team. @param since milliseconds since the epoch */
export const membershipOf = (member: Member, patient: string, since: number): Grounds => ({
  basis: 'CARE_TEAM',
  basisId: `${member.user}/${patient}`,
  since: since as Instant,
})
export const BY_ORGANIZATION: Grounds = { basis: 'ORGANIZATION' }

/** Disclosed values of one patient. @param fields paths with the number of their grant: `Patient.birthDate#1` */
export function disclosed(patient: string, fields: readonly string[], grounds: Grounds): AccessRecord[] {
  return fields.map((rule, at): AccessRecord => {
    const [path = ''] = rule.split('#')
    const [type = ''] = path.split('.')
    return {
      patient,
      recordType: type as TypeName,
      recordId: type === 'Patient' ? patient : `${patient.slice(0, 12)}${type}${at % 4}`,
      recordVersion: 1,
      listed: type !== 'Patient',
      path: path as SchemaPath,
      action: 'READ',
      view: 'FULL',
      outcome: 'DISCLOSED',
      rule,
      ...grounds,
    }
  })
}

/** A patient to whom the caller has no relationship. */
export const stranger = (patient: string): AccessRecord[] =>
  ['Patient.familyName', 'Patient.birthDate'].map((path) => ({
    patient,
    recordType: 'Patient' as TypeName,
    recordId: patient,
    path: path as SchemaPath,
    action: 'READ',
    outcome: 'DENIED',
    reason: 'RELATIONSHIP',
    rule: `${path}#1`,
  }))

/** A value that the caller's role does not open. */
export const closed = (patient: string, path: string): AccessRecord => ({
  patient,
  recordType: 'Patient' as TypeName,
  recordId: patient,
  path: path as SchemaPath,
  action: 'READ',
  outcome: 'DENIED',
  reason: 'ROLE',
})

/** A requested id that leads to nothing. @param id its keyed hash */
export const missing = (id: string): AccessRecord => ({
  patient: id,
  path: 'Query.patient' as SchemaPath,
  action: 'READ',
  outcome: 'DENIED',
  reason: 'NOT_FOUND',
})

/** A search. Each leaves one record of the patients that it does not find. @param hash the keyed hash of the searched values */
export function search(hash: string, found?: string): AccessRecord[] {
  const paths = ['Patient.familyName', 'Patient.birthDate'] as SchemaPath[]
  const at = { path: 'Query.patientByNameAndBirthDate' as SchemaPath, paths, action: 'SEARCH' } as const
  const hits =
    found === undefined
      ? []
      : paths.map(
          (path): AccessRecord => ({
            patient: found,
            path,
            action: 'SEARCH',
            outcome: 'DISCLOSED',
            view: 'FULL',
            basis: 'ORGANIZATION',
          }),
        )
  return [{ ...at, patient: hash, outcome: 'ABSENT' }, ...hits]
}

export const overBudget = (): AccessRecord => ({
  path: 'Query.patientByNameAndBirthDate' as SchemaPath,
  paths: ['Patient.familyName', 'Patient.birthDate'] as SchemaPath[],
  action: 'SEARCH',
  outcome: 'DENIED',
  reason: 'BUDGET',
})

/** The review of a break-glass grant. */
export const review = (patient: string, grant: string, finding?: string): AccessRecord => ({
  patient,
  recordType: 'BreakGlassGrant' as TypeName,
  recordId: grant,
  path: 'Mutation.reviewBreakGlass' as SchemaPath,
  action: 'UPDATE',
  outcome: 'WRITTEN',
  basis: 'BREAK_GLASS',
  basisId: grant,
  ...(finding !== undefined && { finding }),
})
