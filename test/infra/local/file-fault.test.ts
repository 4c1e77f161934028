import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { fileFaultText } from '../../../infra/local/file-fault.ts'
import { makeFolder, makeWritableFolder } from '../../../infra/local/make-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'phi-file-fault-'))
const file = join(folder, 'file')
writeFileSync(file, '')
afterAll(() => rmSync(folder, { recursive: true }))

function errorOf(act: () => unknown): unknown {
  try {
    act()
  } catch (error) {
    return error
  }
  throw new Error('the act did not fail')
}

/** An error of the system that an administrator does not get: permissions and file systems do not stop root. */
const systemError = (code: string, syscall: string, path: string): Error =>
  Object.assign(new Error(), { code, syscall, path, errno: 1 })

describe('an error of the file system', () => {
  it.each([
    [
      'a file that is missing',
      () => readFileSync(join(folder, 'none')),
      `Cannot read ${join(folder, 'none')}: it does not exist. Check the path.`,
    ],
    [
      'a path below a file',
      () => mkdirSync(join(file, 'x')),
      `Cannot write to ${join(file, 'x')}: a part of the path is a file, not a folder. Choose a path that this account can write to.`,
    ],
    ['a file that exists', () => mkdirSync(file), `Cannot write to ${file}: it already exists. Choose a path that does not exist.`],
  ])('%s: names the path, the cause and the next step', (_, act, text) => {
    expect(fileFaultText(errorOf(act))).toBe(text)
  })

  it('names the option that gave the path, for a call without a path', () => {
    const error = errorOf(() => readFileSync(folder))
    expect(fileFaultText(error, 'read', { path: folder, from: '--labels' })).toBe(
      `Cannot read ${folder} (--labels): it is a folder, not a file. Name a file in it.`,
    )
  })

  it.each([
    ['EACCES', 'this account lacks the permission. Choose a path that this account can write to.'],
    ['EROFS', 'the file system is read-only. Choose a path that this account can write to.'],
    ['ENOSPC', 'the disk is full. Free some space, or choose another path.'],
    ['ENOENT', 'its folder does not exist. Choose a path that this account can write to.'],
  ])('%s of a write has a sentence', (code, sentence) => {
    expect(fileFaultText(systemError(code, 'mkdir', '/data'))).toBe(`Cannot write to /data: ${sentence}`)
  })

  it('EACCES of a read has the next step of a reader', () => {
    expect(fileFaultText(systemError('EACCES', 'open', '/data'))).toBe(
      'Cannot read /data: this account lacks the permission. Change its permissions, or run the command under another account.',
    )
  })

  it('has no text for other errors', () => {
    for (const other of [new Error('ENOENT'), systemError('ECONNREFUSED', 'connect', ''), 'ENOENT', undefined])
      expect(fileFaultText(other)).toBeUndefined()
  })
})

describe('the folder of an option', () => {
  it('is created with its parents, for this account only', () => {
    makeWritableFolder(join(folder, 'a', 'b'))
    expect(errorOf(() => readFileSync(join(folder, 'a', 'b')))).toMatchObject({ code: 'EISDIR' })
  })

  it('is refused where the system permits none, and the call ends', () => {
    expect(errorOf(() => makeFolder('/proc/none/at-all'))).toMatchObject({ path: '/proc/none' })
    expect(errorOf(() => makeFolder(join(file, 'a', 'b')))).toMatchObject({ code: 'ENOTDIR' })
  })
})
