import { existsSync, mkdirSync, mkdtempSync, rmdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

/**
 * Creates a folder and its missing parents, for this account only. It creates one after the other: the recursive creation of Node never
 * ends where the system permits no folder, such as in `/proc`.
 *
 * @throws the error of the file system, with the path
 */
export function makeFolder(folder: string): void {
  const missing: string[] = []
  for (let at = resolve(folder); !existsSync(at); at = dirname(at)) missing.unshift(at)
  for (const one of missing) mkdirSync(one, { mode: 0o700 })
}

/** Creates a folder if it is missing, and writes to it. @throws the error of the file system, with the path */
export function makeWritableFolder(folder: string): void {
  makeFolder(folder)
  rmdirSync(mkdtempSync(join(folder, '.write-')))
}
