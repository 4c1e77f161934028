import * as z from 'zod'
import type { Instant, PatientId } from '../gateway/model/ids.ts'
import { decodeNodeId } from '../gateway/model/node-id.ts'
import { isProtocol, type Study } from '../gateway/model/study.ts'

const MESSAGES = {
  FILE: 'The file cannot be read.',
  JSON: 'The file is not JSON.',
  SHAPE: 'The file does not describe a study: see docs/research.md for its form.',
  PERIOD: 'The study ends before it begins.',
  PATIENT: 'is not the id of a patient as the API gives it',
  UNKNOWN_PATIENT: 'is no patient of the tenant',
  UNKNOWN_STUDY: 'The tenant has no study of that name.',
} as const

/** What was said of a study cannot be done. The message is fixed text: neither an id nor anything else of the input (P8). */
export class StudyRefused extends Error {
  override readonly name = 'StudyRefused'
  readonly why: keyof typeof MESSAGES
  /** @param place where in `patients`, from 0, for what is said of one of them */
  constructor(why: keyof typeof MESSAGES, place?: number) {
    super(place === undefined ? MESSAGES[why] : `patients[${place}] ${MESSAGES[why]}`)
    this.why = why
  }
}

const time = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text) as Instant)
const StudyFile = z.strictObject({
  protocol: z.string().refine(isProtocol),
  title: z.string().min(1).max(200).optional(),
  researchers: z
    .array(z.string().regex(/^[A-Z][A-Za-z]{2,40}\/[A-Za-z0-9\-.]{1,64}$/))
    .min(1)
    .max(1_000),
  since: time.optional(),
  until: time,
  patients: z.array(z.string()).max(100_000),
})

/**
 * A study and its patients, in the order of the file.
 * @throws StudyRefused
 */
export function readStudyFile(text: string): { readonly study: Study; readonly patients: readonly PatientId[] } {
  const file = StudyFile.safeParse(parsed(text))
  if (!file.success) throw new StudyRefused('SHAPE')
  const { patients, title, since, ...said } = file.data
  if (since !== undefined && since >= said.until) throw new StudyRefused('PERIOD')
  const ids = patients.map((id, place) => {
    const ref = decodeNodeId(id)
    // a patient's own record has the patient's id: any other of that type is nobody's
    if (ref === undefined || (ref.type as string) !== 'Patient' || (ref.id as string) !== ref.patient) {
      throw new StudyRefused('PATIENT', place)
    }
    return ref.patient
  })
  const study = { ...said, ...(title !== undefined && { title }), ...(since !== undefined && { since }) }
  return { study, patients: ids }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // the parser's own message quotes the text
    throw new StudyRefused('JSON')
  }
}
