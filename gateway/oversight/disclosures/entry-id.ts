import { idDetail } from '../../model/limit-details.ts'
import { BadUserInput, Failure } from '../../model/failures.ts'
import { decodeNodeId } from '../../model/node-id.ts'

/** The place of an entry: the patient, and the number in the patient's ledger. It grants nothing, and never names the tenant. */
export interface EntryPlace {
  readonly patient: string
  readonly number: number
}

/** An id leads to nothing: there is no such entry in the caller's tenant, or it is one of another kind. */
export class UnknownEntry extends Failure {
  override readonly name = 'UnknownEntry'
  readonly code = 'NOT_FOUND'
  constructor(options?: ErrorOptions) {
    super('There is no such entry.', options)
  }
}

const PATIENT = /^[\w-]{22}$/
const ID = /^([\w-]{22})\.([1-9]\d{0,5})$/

export const entryId = ({ patient, number }: EntryPlace): string => `${patient}.${number}`

/** @throws UnknownEntry for a text that is no id */
export function entryPlace(id: string): EntryPlace {
  const [, patient, number] = ID.exec(id) ?? []
  if (patient === undefined || number === undefined) throw new UnknownEntry()
  return { patient, number: Number(number) }
}

/** The patient of an argument: an id as the log has it, or as the clinical endpoint has it. @throws BadUserInput */
export function patientOf(text: string): string {
  const patient = decodeNodeId(text)?.patient ?? text
  if (!PATIENT.test(patient)) throw new BadUserInput({ detail: idDetail('patientId') })
  return patient
}
