import { CsvError, parse } from 'csv-parse/sync'
import type { WorkforceEntry } from '../gateway/admin/workforce-admin.ts'
import { patientNumberForm } from '../gateway/crypto/comparison-tokens.ts'
import type { PatientId } from '../gateway/model/ids.ts'
import { decodeNodeId } from '../gateway/model/node-id.ts'

const WORKFORCE_COLUMNS = [
  'user',
  'name',
  'patient',
  'patientNumber',
  'familyName',
  'street',
  'postalCode',
  'phone',
  'vip',
] as const
type Column = (typeof WORKFORCE_COLUMNS)[number]

const MAX_MEBIBYTES = 32

const MESSAGES = {
  SIZE: `The file has more than ${MAX_MEBIBYTES} MiB.`,
  ENCODING: 'The file is not UTF-8. Save it as "CSV UTF-8".',
  CSV: 'The line is not well-formed CSV (RFC 4180), or has another number of cells than the header.',
  HEADER: `The header must name columns of: ${WORKFORCE_COLUMNS.join(', ')}. The column user is required, and no column can be there twice.`,
  EMPTY: 'The file has no rows. An import of it would remove the whole workforce.',
  TEXT: 'is too long, or has a control character.',
  NUMBER: 'has no letter, and no digit except zero. It names no patient.',
  USER: 'is empty. Only a row with vip=yes and a patient can have no user.',
  USER_TWICE: 'names a user of an earlier line.',
  PATIENT: 'is not a patient id of the gateway. Put a medical record number into the column patientNumber.',
  PATIENT_TWICE: 'names a person of public interest of an earlier line.',
  VIP: 'is neither yes nor no nor empty.',
  VIP_ALONE: 'must be empty in a row without a user. The gateway keeps only the patient of such a row.',
} as const

/** A fault of the file. The message is fixed text, without a value (P8). */
export interface WorkforceFault {
  /** From 1; undefined if the whole file is at fault. */
  readonly line?: number
  readonly column?: Column
  readonly why: keyof typeof MESSAGES
}

/** The file cannot be imported, for all of these reasons. */
export class WorkforceRefused extends Error {
  override readonly name = 'WorkforceRefused'
  readonly faults: readonly WorkforceFault[]
  constructor(faults: readonly WorkforceFault[]) {
    super(faults.map(textOf).join('\n'))
    this.faults = faults
  }
}

function textOf({ line, column, why }: WorkforceFault): string {
  const place =
    line === undefined ? '' : `line ${line}${column === undefined ? '' : `, ${column}`}${column === undefined ? ':' : ''} `
  return `${place}${MESSAGES[why]}`
}

const MAX_CELL = 256
const MAX_FAULTS = 100
/** A record with more characters is a file with a quotation mark too much. */
const MAX_RECORD = 10_000
/** Controls of the terminal, breaks of lines, and controls of the direction of text, which show a name as another one. */
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u
const PATIENT_ID = /^[\w-]{22}$/

/**
 * Reads a workforce file: CSV in UTF-8 with a header line, in the format of docs/workforce.md.
 *
 * @throws WorkforceRefused with all faults, at most a hundred
 */
export function readWorkforceFile(bytes: Uint8Array): readonly WorkforceEntry[] {
  if (bytes.length > MAX_MEBIBYTES * 2 ** 20) throw new WorkforceRefused([{ why: 'SIZE' }])
  const rows = rowsOf(bytes)
  if (rows.length === 0) throw new WorkforceRefused([{ why: 'EMPTY' }])
  const faults: WorkforceFault[] = []
  const users = new Set<string>()
  const persons = new Set<string>()
  const entries = rows.map(({ cells, line }) => {
    const { entry, faults: own } = entryOf(cells, line)
    faults.push(...own)
    const { user } = entry
    if (user !== undefined) {
      if (users.has(user)) faults.push({ line, column: 'user', why: 'USER_TWICE' })
      users.add(user)
    } else if (entry.vip) {
      const person = `${entry.values.patient ?? ''} ${cells.patientNumber ?? ''}`
      if (persons.has(person)) faults.push({ line, column: 'patient', why: 'PATIENT_TWICE' })
      persons.add(person)
    }
    return entry
  })
  if (faults.length > 0) throw new WorkforceRefused(faults.slice(0, MAX_FAULTS))
  return entries
}

type Cells = Readonly<Partial<Record<Column, string>>>

function rowsOf(bytes: Uint8Array): readonly { readonly cells: Cells; readonly line: number }[] {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    const rows: unknown = parse(text, {
      bom: true,
      columns: headerOf,
      info: true,
      skip_empty_lines: true,
      trim: true,
      max_record_size: MAX_RECORD,
    })
    // safe: the header has only these columns, and the parser returns texts
    return (rows as { readonly record: Cells; readonly info: { readonly lines: number } }[]).map(({ record, info }) => {
      return { cells: record, line: info.lines }
    })
  } catch (error) {
    if (error instanceof WorkforceRefused) throw error
    // without the cause: the message of a parser quotes the text
    if (error instanceof CsvError) {
      const line: unknown = error['lines']
      throw new WorkforceRefused([{ ...(typeof line === 'number' && { line }), why: 'CSV' }])
    }
    if (error instanceof TypeError) throw new WorkforceRefused([{ why: 'ENCODING' }])
    throw error
  }
}

function headerOf(header: readonly string[]): string[] {
  const isKnown = header.every((name) => WORKFORCE_COLUMNS.some((column) => column === name))
  if (!isKnown || !header.includes('user') || new Set(header).size < header.length)
    throw new WorkforceRefused([{ line: 1, why: 'HEADER' }])
  return [...header]
}

function entryOf(cells: Cells, line: number): { readonly entry: WorkforceEntry; readonly faults: readonly WorkforceFault[] } {
  const faults: WorkforceFault[] = []
  const fault = (column: Column, why: WorkforceFault['why']): void => void faults.push({ line, column, why })
  const cell = (column: Column): string | undefined => {
    const text = cells[column]
    if (text === undefined || text === '') return undefined
    if (text.length > MAX_CELL || CONTROL.test(text)) fault(column, 'TEXT')
    return text
  }
  const [user, name, number] = [cell('user'), cell('name'), cell('patientNumber')]
  const values = { familyName: cell('familyName'), street: cell('street'), postalCode: cell('postalCode'), phone: cell('phone') }
  if (number !== undefined && patientNumberForm(number) === undefined) fault('patientNumber', 'NUMBER')
  const patient = patientOf(cell('patient'))
  if (patient === 'MALFORMED') fault('patient', 'PATIENT')
  const vip = (cell('vip') ?? 'no').toLowerCase()
  if (vip !== 'yes' && vip !== 'no') fault('vip', 'VIP')
  if (user === undefined) {
    if (vip !== 'yes' || (patient === undefined && number === undefined)) fault('user', 'USER')
    // a row of a user who was forgotten has the one fault
    for (const column of ['name', 'familyName', 'street', 'postalCode', 'phone'] as const) {
      if (vip === 'yes' && cells[column]) fault(column, 'VIP_ALONE')
    }
  }
  const own = patient === 'MALFORMED' ? undefined : patient
  return { entry: { user, name, vip: vip === 'yes', values: { ...values, patient: own, patientNumber: number } }, faults }
}

/** A patient id as the API returns it, or as records have it. */
function patientOf(text: string | undefined): PatientId | 'MALFORMED' | undefined {
  if (text === undefined) return undefined
  const ref = decodeNodeId(text)
  // the own record of a patient has the patient's id
  if (ref !== undefined) return (ref.id as string) === ref.patient ? ref.patient : 'MALFORMED'
  return PATIENT_ID.test(text) ? (text as PatientId) : 'MALFORMED'
}
