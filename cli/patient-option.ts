import type { PatientId } from '../gateway/model/ids.ts'
import { decodeNodeId } from '../gateway/model/node-id.ts'
import { Refused } from './refused.ts'

const PATIENT_BYTES = 16

/** The patient of an id as the API returns it, or as audit records have it; undefined for any other text. */
function patientIdOf(text: string): PatientId | undefined {
  const ref = decodeNodeId(text)
  if (ref !== undefined) return ref.patient
  const bytes = Buffer.from(text, 'base64url')
  return bytes.length === PATIENT_BYTES && bytes.toString('base64url') === text ? (text as PatientId) : undefined
}

/** Parses the value of `--patient` to the patient. @throws Refused, which repeats no value: a person could have typed a number of a patient */
export function patientOption(text: string): PatientId {
  const patient = patientIdOf(text)
  if (patient === undefined)
    throw new Refused(
      '--patient is no patient id. Copy the id of the patient from the API, or from a line of `phi audit list`. A medical record number is none.',
    )
  return patient
}

/** Checks the value of `--patient`, and returns it as it was written. @throws Refused */
export function patientText(text: string): string {
  patientOption(text)
  return text
}
