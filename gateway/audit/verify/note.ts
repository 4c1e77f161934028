import { decodeBase64 } from './base64.ts'

/** A text with signatures that are not verified yet. */
export interface Note {
  /** The signed text, with its last newline. */
  readonly text: string
  readonly signatures: readonly NoteSignature[]
}

interface NoteSignature {
  readonly name: string
  /** 4 bytes, as a number. */
  readonly keyId: number
  readonly signature: Uint8Array<ArrayBuffer>
}

const MAX_LENGTH = 262_144
const MAX_SIGNATURES = 64
const LINE = /^\u2014 ([^\s+\p{White_Space}]+) ([A-Za-z0-9+/]+={0,2})$/u
const CONTROL = /[\0-\u0009\u000b-\u001f]/

/**
 * Reads a signed note. Returns undefined for any other text. A note is at most 256 Ki characters long and has at most 64 signatures.
 *
 * @source C2SP signed-note, "Format"
 */
export function parseNote(note: string): Note | undefined {
  if (note.length > MAX_LENGTH || !note.isWellFormed() || CONTROL.test(note) || !note.endsWith('\n')) return undefined
  const blank = note.lastIndexOf('\n\n')
  if (blank <= 0) return undefined
  const lines = note.slice(blank + 2, -1).split('\n')
  if (lines.length > MAX_SIGNATURES) return undefined
  const signatures: NoteSignature[] = []
  for (const line of lines) {
    const signature = signatureOf(line)
    if (signature === undefined) return undefined
    signatures.push(signature)
  }
  return { text: note.slice(0, blank + 1), signatures }
}

function signatureOf(line: string): NoteSignature | undefined {
  const [, name, base64] = LINE.exec(line) ?? []
  const bytes = base64 === undefined ? undefined : decodeBase64(base64)
  if (name === undefined || bytes === undefined || bytes.length < 5) return undefined
  return { name, keyId: new DataView(bytes.buffer).getUint32(0), signature: bytes.slice(4) }
}

/** The notes of a text that has them one after the other, with or without empty lines between them. No note is verified here. */
export function splitNotes(text: string): string[] {
  const notes: string[] = []
  let [note, hasSignature] = ['', false]
  for (const line of text.split('\n')) {
    const isSignature = line.startsWith('\u2014 ')
    if (hasSignature && !isSignature) {
      notes.push(note)
      ;[note, hasSignature] = ['', false]
    }
    if (note === '' && line === '') continue
    note += `${line}\n`
    hasSignature ||= isSignature
  }
  return note === '' ? notes : [...notes, note]
}
