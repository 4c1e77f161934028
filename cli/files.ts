import { accessSync, constants, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileFaultText } from '../infra/local/file-fault.ts'
import { makeWritableFolder } from '../infra/local/make-folder.ts'
import { Refused } from './refused.ts'

// Files and folders that options name. A failure states the path, the option, the cause and the next step.

interface Settings {
  /** The exit code of the command. */
  readonly exitCode?: number
}

/** Reads a file. @param option that names it, or its argument: `--labels`, `<file>`. @throws Refused */
export const readInput = (path: string, option: string, settings: Settings = {}): Uint8Array<ArrayBuffer> =>
  refusing('read', path, option, settings, () => new Uint8Array(readFileSync(path)))

/** Reads a text file. @throws Refused */
export const readInputText = (path: string, option: string, settings: Settings = {}): string =>
  refusing('read', path, option, settings, () => readFileSync(path, 'utf8'))

/** Checks that a file or folder can be read. @throws Refused */
export function requireReadable(path: string, option: string): void {
  refusing('read', path, option, {}, () => accessSync(path, constants.R_OK))
}

/** The sorted names in a folder. @throws Refused */
export const namesIn = (folder: string, option: string, settings: Settings = {}): readonly string[] =>
  refusing('read', folder, option, settings, () => readdirSync(folder).toSorted())

/** Writes a file that does not exist yet, and that only this account can read. @throws Refused */
export function writeNewFile(path: string, option: string, text: string): void {
  refusing('write', path, option, {}, () => writeFileSync(path, text, { flag: 'wx', mode: 0o600 }))
}

/** Checks that a new file can be written, before the work for it begins. @throws Refused */
export function requireNewFile(path: string, option: string): void {
  writeNewFile(path, option, '')
}

/** Creates a folder if it is missing, and checks that it can be written. @throws Refused */
export function requireFolder(folder: string, option: string): void {
  refusing('write', folder, option, {}, () => makeWritableFolder(folder))
}

/** Creates a folder, or checks that it is empty and can be written. @throws Refused */
export function requireEmptyFolder(folder: string, option: string): void {
  requireFolder(folder, option)
  if (readdirSync(folder).length > 0)
    throw new Refused(`${folder} (${option}) is not empty. Choose a folder that is empty or does not exist.`)
}

function refusing<T>(act: 'read' | 'write', path: string, from: string, settings: Settings, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    const text = fileFaultText(cause, act, { path, from })
    if (text === undefined) throw cause
    throw new Refused(text, { cause, ...settings })
  }
}
