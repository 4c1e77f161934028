const MESSAGES = {
  NOT_FOUND: 'cannot be opened',
  UNREADABLE: 'cannot be read',
  TOO_LARGE: 'is too large unpacked',
  ARCHIVE: 'is a damaged archive',
  ARCHIVE_FORM: 'is an archive in a form that is not read',
  ARCHIVE_WITHIN: 'is an archive within an archive, which is not read',
  NOTHING: 'holds nothing that is read',
  NOT_TEXT: 'is not UTF-8 or UTF-16 text',
  NOT_JSON: 'is not JSON',
  LINE_NOT_JSON: 'is not JSON',
  XML: 'is XML, which is not read',
  HL7_V2: 'is a message of HL7 version 2, which is not read',
} as const

/** A file cannot be taken. The message is fixed text: neither the file's name nor anything of its content (P8). */
export class FileRefused extends Error {
  override readonly name = 'FileRefused'
  readonly why: keyof typeof MESSAGES
  constructor(why: keyof typeof MESSAGES, options?: ErrorOptions) {
    super(MESSAGES[why], options)
    this.why = why
  }
}
