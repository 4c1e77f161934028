// The one translation of the errors of Node's file system and of its servers into sentences with the path and the next step.

const CAUSES: Readonly<Record<string, string>> = {
  EACCES: 'this account lacks the permission',
  EBUSY: 'another process uses it',
  EDQUOT: 'the quota of this account is used up',
  EEXIST: 'it already exists',
  EFBIG: 'it is too large',
  EIO: 'the disk reports an error',
  EISDIR: 'it is a folder, not a file',
  ELOOP: 'its symbolic links form a circle',
  EMFILE: 'this process has too many open files',
  ENAMETOOLONG: 'its name is too long',
  ENFILE: 'this machine has too many open files',
  ENOENT: 'it does not exist',
  ENOSPC: 'the disk is full',
  ENOTDIR: 'a part of the path is a file, not a folder',
  ENOTEMPTY: 'it is not empty',
  EPERM: 'this account lacks the permission',
  EROFS: 'the file system is read-only',
}

const READ_STEP: Readonly<Record<string, string>> = {
  EACCES: 'Change its permissions, or run the command under another account.',
  EPERM: 'Change its permissions, or run the command under another account.',
  EISDIR: 'Name a file in it.',
}

const WRITE_STEP: Readonly<Record<string, string>> = {
  EDQUOT: 'Free some space, or choose another path.',
  ENOSPC: 'Free some space, or choose another path.',
  EEXIST: 'Choose a path that does not exist.',
}

/** Node's own calls that write. Others read. */
const WRITES = new Set(['mkdir', 'mkdtemp', 'write', 'rename', 'unlink', 'rm', 'rmdir', 'copyfile', 'ftruncate', 'fsync', 'chmod'])

/** What a process did with a file or folder. */
export type FileAct = 'read' | 'write'

/** How a message names a file or folder: its path, and the option or variable that gave it. */
export interface NamedPath {
  readonly path: string
  /** `--out`, `PHI_DATA`. */
  readonly from?: string
}

/** Whether Node's file system reported an error. Its `code` is one of those that have a sentence. */
const isFileFault = (error: unknown): error is NodeJS.ErrnoException & { readonly code: string } =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code in CAUSES

/**
 * The sentences for an error of the file system: what failed, its cause and the next step. Undefined for any other error.
 *
 * @param act without it, the system call of the error decides
 * @param named without it, the path of the error
 */
export function fileFaultText(error: unknown, act?: FileAct, named?: NamedPath): string | undefined {
  if (!isFileFault(error)) return undefined
  const { code, path, syscall = '' } = error
  const did = act ?? (WRITES.has(syscall) ? 'write' : 'read')
  const { path: shown = path, from } = named ?? {}
  const subject = `${shown ?? 'a file'}${from === undefined ? '' : ` (${from})`}`
  const cause = did === 'write' && code === 'ENOENT' ? 'its folder does not exist' : CAUSES[code]
  return `Cannot ${did} ${did === 'write' ? 'to ' : ''}${subject}: ${cause ?? code}. ${stepOf(did, code)}`
}

const stepOf = (did: FileAct, code: string): string =>
  did === 'write' ? (WRITE_STEP[code] ?? 'Choose a path that this account can write to.') : (READ_STEP[code] ?? 'Check the path.')
