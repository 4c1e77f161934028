import type { Deadline } from '../../model/deadline.ts'

/**
 * SELF: the user is the patient. FAMILY: the patient has the address or the telephone number of the user. NEIGHBOR: the patient lives in
 * the street of the user.
 */
export type RelationKind = 'SELF' | 'FAMILY' | 'NEIGHBOR'

/** A user of the workforce who knows a patient. */
export interface Relation {
  readonly user: string
  readonly patient: string
  /** The closest one: SELF, then FAMILY, then NEIGHBOR. */
  readonly kind: RelationKind
  /** What the two have in common, as equal tokens. */
  readonly shared: ReadonlySet<'PATIENT' | 'FAMILY_NAME' | 'ADDRESS' | 'STREET' | 'PHONE'>
}

export interface Relations {
  readonly relations: readonly Relation[]
  /** Patients who are users of the workforce. Every other user is their colleague, so these are no pairs. */
  readonly workers: ReadonlySet<string>
  /** Patients of public interest. */
  readonly vips: ReadonlySet<string>
}

/** The relations of a tenant's workforce to its patients, by keyed comparison tokens. Nothing is opened. */
export interface WorkforceRelations {
  /**
   * The relations of users. Users without an entry in the list of the workforce have none.
   *
   * @throws StoreUnavailable
   */
  of(users: ReadonlySet<string>, deadline: Deadline): Promise<Relations>
}
