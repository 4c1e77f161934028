import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { writeStaleStack } from './stale-stack.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'phi-no-stack-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Runs `phi` in an environment without a deployment. The default data folder has no file of a stack. */
const phi = (...words: readonly string[]): Ran => phiIn(folder, ...words)
const phiIn = (data: string, ...words: readonly string[]): Ran =>
  new Promise((resolve) => {
    const env = { PATH: process.env['PATH'], NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'], PHI_DATA: data }
    execFile(process.execPath, ['cli/phi.ts', ...words], { cwd: ROOT, env }, (error, stdout, stderr) => {
      resolve({ code: error?.code ?? 0, stdout, stderr })
    })
  })
type Ran = Promise<{ code: unknown; stdout: string; stderr: string }>

describe('phi without a running stack', { timeout: 60_000 }, () => {
  const message = 'No local stack is running in this folder: start it with `npm start`\n'

  it.concurrent.each([
    [['audit', 'list', '--user', 'nobody']],
    [['keys', 'list', 'riverside']],
    [['records', 'scrub', '--tenant', 'riverside']],
    [['search', 'reindex', '--tenant', 'riverside']],
    [['study', 'list', '--tenant', 'riverside']],
    [['operations', 'list', '--tenant', 'riverside']],
    [['operations', 'check', '--tenant', 'riverside']],
    [['workforce', 'list', '--tenant', 'riverside']],
    [['import', '.']],
    [['token', 'physician']],
    [['policy', 'explain', '--user', 'physician', '--query', 'README.md']],
  ])('%j fails with the cause and the remedy', async (words) => {
    expect(await phi(...words)).toEqual({ code: 1, stdout: '', stderr: message })
  })

  it.concurrent('runs the commands that need no stack', async () => {
    expect(await phi('policy', 'lock', '--check')).toEqual({ code: 0, stdout: '', stderr: '' })
  })

  it.concurrent('fails if the file of a stack is left over from one that has ended', async () => {
    const stale = mkdtempSync(join(folder, 'stale-'))
    writeStaleStack(stale)
    const stderr = 'The local stack of this folder no longer answers: start it again with `npm start`\n'
    expect(await phiIn(stale, 'import', '.')).toEqual({ code: 1, stdout: '', stderr })
  })
})
