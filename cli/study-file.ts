import * as z from 'zod'
import type { Instant, PatientId } from '../gateway/model/ids.ts'
import { decodeNodeId } from '../gateway/model/node-id.ts'
import { isProtocol, type Study } from '../gateway/model/study.ts'

const MESSAGES = {
  JSON: 'The file of the study is not valid JSON. Correct its syntax.',
  SHAPE: 'The file does not describe a study. See docs/research.md for its format.',
  PERIOD: 'The study ends before it begins. Correct `since` or `until`.',
  PATIENT: 'is not a patient id. Use the id that the API returns for a patient.',
  UNKNOWN_PATIENT: 'is not a patient of the tenant. Check the id and --tenant.',
} as const

/** The study is refused. The message is fixed text, without an id or any other input (P8). */
export class StudyRefused extends Error {
  override readonly name = 'StudyRefused'
  readonly why: keyof typeof MESSAGES
  /** @param place index in `patients`, from 0, if one patient is at fault */
  constructor(why: keyof typeof MESSAGES, place?: number) {
    super(place === undefined ? MESSAGES[why] : `patients[${place}] ${MESSAGES[why]}`)
    this.why = why
  }
}

const time = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text) as Instant)
const StudyFile = z.strictObject({
  protocol: z.string().refine(isProtocol),
  title: z
    .string()
    .min(1)
    .max(200)
    .refine((text) => text.isWellFormed())
    .optional(),
  researchers: z
    .array(z.string().regex(/^[A-Z][A-Za-z]{2,40}\/[A-Za-z0-9\-.]{1,64}$/))
    .min(1)
    .max(1_000),
  since: time.optional(),
  until: time,
  patients: z.array(z.string()).max(100_000),
})

/**
 * Parses a study file: JSON in the format of docs/research.md. The patients keep their order.
 *
 * @throws StudyRefused
 */
export function readStudyFile(text: string): { readonly study: Study; readonly patients: readonly PatientId[] } {
  const file = StudyFile.safeParse(parsed(text))
  if (!file.success) throw new StudyRefused('SHAPE')
  const { patients, title, since, ...rest } = file.data
  if (since !== undefined && since >= rest.until) throw new StudyRefused('PERIOD')
  const ids = patients.map((id, place) => {
    const ref = decodeNodeId(id)
    // the id of a patient record equals the patient id
    if (ref === undefined || (ref.type as string) !== 'Patient' || (ref.id as string) !== ref.patient) {
      throw new StudyRefused('PATIENT', place)
    }
    return ref.patient
  })
  const study = { ...rest, ...(title !== undefined && { title }), ...(since !== undefined && { since }) }
  return { study, patients: ids }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // without a cause, because the message of the parser quotes the text
    throw new StudyRefused('JSON')
  }
}
