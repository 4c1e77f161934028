import { renameSync, writeFileSync } from 'node:fs'

/**
 * Writes a file that only its owner can read, whole or not at all: a process that ends in between must not leave half a key
 * behind. The mode is set when the file is made, so that it is never readable by others, not even for a moment.
 */
export function writePrivateFile(file: string, text: string): void {
  const unfinished = `${file}.${process.pid}`
  writeFileSync(unfinished, text, { mode: 0o600, flag: 'w' })
  renameSync(unfinished, file)
}
