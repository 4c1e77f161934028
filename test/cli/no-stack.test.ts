import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'phi-no-stack-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Runs `phi` in an environment without a deployment and without the file of a stack. */
const phi = (...words: readonly string[]): Promise<{ code: unknown; stdout: string; stderr: string }> =>
  new Promise((resolve) => {
    const env = { PATH: process.env['PATH'], PHI_DATA: folder }
    execFile(process.execPath, ['cli/phi.ts', ...words], { cwd: ROOT, env }, (error, stdout, stderr) => {
      resolve({ code: error?.code ?? 0, stdout, stderr })
    })
  })

describe('phi without a running stack', { timeout: 30_000 }, () => {
  const message =
    'No local stack is running. Start it with: npm start, or set PHI_STAGE and the PHI_TABLE_ variables of a deployment.\n'

  it.concurrent.each([
    [['audit', 'list', '--user', 'nobody']],
    [['keys', 'list', 'riverside']],
    [['search', 'reindex', '--tenant', 'riverside']],
    [['study', 'list', '--tenant', 'riverside']],
    [['import', '.']],
  ])('%j fails with the cause and the remedy', async (words) => {
    expect(await phi(...words)).toEqual({ code: 1, stdout: '', stderr: message })
  })

  it.concurrent('runs the commands that need no stack', async () => {
    expect(await phi('policy', 'lock', '--check')).toEqual({ code: 0, stdout: '', stderr: '' })
  })
})
