import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { z } from 'zod'

const PATIENTS = 100_000
const script = fileURLToPath(new URL('touch-patients.ts', import.meta.url))
const run = promisify(execFile)
const answer = z.object({ used: z.number(), peakMegabytes: z.number() })

let folder: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'phi-memory-'))
  await run(process.execPath, [script, 'make', join(folder, 'keys'), String(PATIENTS)])
}, 60_000)
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

it('100,000 patients touched, their keys stay under 256 MB with the options of the deployed function', async () => {
  const [, options = ''] =
    /NODE_OPTIONS: (.+)/.exec(readFileSync(new URL('../../../serverless.yml', import.meta.url), 'utf8')) ?? []
  expect(options).not.toBe('')
  const { stdout } = await run(process.execPath, [...options.split(' '), script, 'touch', join(folder, 'keys')])
  const { used, peakMegabytes } = answer.parse(JSON.parse(stdout))
  expect(used).toBe(PATIENTS)
  expect(peakMegabytes).toBeLessThan(256)
}, 120_000)
