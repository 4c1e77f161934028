import { parseNote } from './note.ts'

/**
 * The time in the first signature of the log, in seconds since the epoch. Nothing is verified: it serves to find a checkpoint by its time.
 */
export function statedTime(text: string | undefined): number | undefined {
  const note = text === undefined ? undefined : parseNote(text)
  const origin = note?.text.split('\n', 1)[0]
  const signature = note?.signatures.find(({ name }) => name === origin)?.signature
  if (signature === undefined || signature.length < 8) return undefined
  const time = Number(new DataView(signature.buffer, signature.byteOffset).getBigUint64(0))
  return Number.isSafeInteger(time) ? time : undefined
}
