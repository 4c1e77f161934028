import { operationId } from '../../model/operation-id.ts'

const MAX_NAME_BYTES = 256
/** The text of an operation as JSON. Its item holds 200 KiB. */
const MAX_TEXT_BYTES = 128 * 1024
const MAX_APP_CHARACTERS = 100
const CONTROL = /\p{Cc}/u

const isText = (text: string, most: number): boolean => text !== '' && text.isWellFormed() && Buffer.byteLength(text) <= most

/** Whether a text can be the id of an operation, or the hash of a text. */
export const isOperationId = (text: string): boolean => operationId(text) === text

/** Whether a text can be the name of an operation. */
export const isOperationName = (text: string): boolean => isText(text, MAX_NAME_BYTES)

/** Whether a text is short enough to be registered. */
export const isOperationText = (text: string): boolean =>
  text !== '' && text.isWellFormed() && Buffer.byteLength(JSON.stringify(text)) <= MAX_TEXT_BYTES

/** Whether a text can be the name of an application or of its version. */
export const isAppName = (text: string): boolean =>
  isText(text, 4 * MAX_APP_CHARACTERS) && text.length <= MAX_APP_CHARACTERS && !CONTROL.test(text) && text !== '__proto__'
