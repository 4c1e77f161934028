import type { Consent } from '../model/consent.ts'
import type { PatientId, RecordId } from '../model/ids.ts'

/** The new consents of patients. */
export class ChangedConsents {
  readonly byPatient = new Map<PatientId, { readonly given: Consent[]; readonly withdrawn: string[] }>()
  readonly closed: PatientId[] = []

  give(patient: PatientId, consent: Consent): void {
    this.#of(patient).given.push(consent)
  }

  withdraw(patient: PatientId, statement: string): void {
    this.#of(patient).withdrawn.push(statement)
  }

  /** Closes a patient until the resource with this id is read again: a denial to everybody, except to break-glass. */
  close(patient: PatientId, id: RecordId): void {
    this.closed.push(patient)
    this.give(patient, { id: `${id}.1`, effect: 'DENY', breakGlass: true })
  }

  #of(patient: PatientId): { readonly given: Consent[]; readonly withdrawn: string[] } {
    const known = this.byPatient.get(patient) ?? { given: [], withdrawn: [] }
    this.byPatient.set(patient, known)
    return known
  }
}
