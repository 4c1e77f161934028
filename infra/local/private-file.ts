import { renameSync, writeFileSync } from 'node:fs'

/**
 * Writes a file that only its owner can read. The write is atomic: a process that ends midway must not leave half a key. The
 * mode is set when the file is created, so that other users can never read it, not even for a moment.
 */
export function writePrivateFile(file: string, text: string): void {
  const unfinished = `${file}.${process.pid}`
  writeFileSync(unfinished, text, { mode: 0o600, flag: 'w' })
  renameSync(unfinished, file)
}
