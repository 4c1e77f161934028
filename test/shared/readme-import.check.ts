import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { nodesAt } from '../gateway/asking.ts'
import { type RunningClinic, runClinic } from '../harness/running-clinic.ts'

// Runs the import of the README as it is written, with the path of the Synthea bundles in place of its example path.

const PATIENTS = '{ patients(first: 100) { edges { node { familyName observations(first: 1) { edges { node { id } } } } } } }'
const root = fileURLToPath(new URL('../..', import.meta.url))

let clinic: RunningClinic
beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
})
afterAll(() => clinic.stop())

it('the import of the README lets its user read all patients of the Synthea bundles', async () => {
  const shared = process.env['PHI_SHARED'] ?? ''
  expect(shared, 'PHI_SHARED names the folder').not.toBe('')
  const [written = ''] = /^npm run phi -- import \.\/bundles .*$/m.exec(readFileSync(join(root, 'README.md'), 'utf8')) ?? []
  const command = written.replace('./bundles', `"${join(shared, 'data/synthea')}"`)
  expect(command).not.toBe(written)
  const before = nodesAt((await clinic.ask('physician', PATIENTS)).data, 'patients').length
  const { stdout } = await promisify(execFile)('bash', ['-c', command], { cwd: root, env: { ...process.env, ...clinic.stack.env } })
  const [, imported] = /^(\d+) patients from/m.exec(stdout) ?? []
  expect(Number(imported)).toBe(35)
  expect(stdout).not.toMatch(/fault|no clinician can read|check the id/)
  const { data, errors } = await clinic.ask('physician', PATIENTS)
  expect(errors).toEqual([])
  expect(nodesAt(data, 'patients')).toHaveLength(before + 35)
})
