import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { ScanCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { runImport } from '../../cli/import-run.ts'
import type { ImportReport } from '../../cli/import-report.ts'
import { lockDigest } from '../../directives/compile.ts'
import { openStore } from '../../gateway/admin/open-store.ts'
import { scrubOf } from '../../gateway/scrub-charts.ts'
import { clinicLock } from '../../schema/clinic.ts'
import { RIVERSIDE } from '../gateway/asking.ts'
import { plainOptions } from '../harness/import-options.ts'
import { type RunningClinic, runClinic } from '../harness/running-clinic.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const PATIENTS = 60
const OBSERVATIONS = 2

let clinic: RunningClinic
let folder: string
beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
  folder = mkdtempSync(join(tmpdir(), 'phi-import-'))
  for (let patient = 0; patient < PATIENTS; patient++) {
    const subject = { reference: `Patient/killed-${patient}` }
    const entry = [
      { resourceType: 'Patient', id: `killed-${patient}`, name: [{ family: `Killed ${patient}` }] },
      ...Array.from({ length: OBSERVATIONS }, (_, number) => ({
        resourceType: 'Observation',
        id: `killed-${patient}-${number}`,
        status: 'final',
        code: { text: 'note' },
        subject,
        valueString: `value ${number}`,
      })),
    ].map((resource) => ({ resource }))
    const bundle = { resourceType: 'Bundle', type: 'collection', entry }
    writeFileSync(join(folder, `patient-${patient}.json`), JSON.stringify(bundle))
  }
})
afterAll(async () => {
  rmSync(folder, { recursive: true })
  await clinic.stop()
})

/** The items in the table of records. */
async function items(): Promise<number> {
  const { dynamodb, env } = clinic.stack
  let count = 0
  let next: Record<string, unknown> | undefined
  do {
    const page = await dynamodb.send(
      new ScanCommand({ TableName: env.PHI_TABLE_RECORDS, Select: 'COUNT', ExclusiveStartKey: next as never }),
    )
    count += page.Count ?? 0
    next = page.LastEvaluatedKey
  } while (next !== undefined)
  return count
}

async function importAgain(): Promise<ImportReport['written']> {
  const importer = await openStore(RIVERSIDE, lockDigest(clinicLock()), clinic.stack.env)
  try {
    const { faults, written } = await runImport({ paths: [folder], tenant: RIVERSIDE, importer, ...plainOptions() })
    expect(faults).toEqual([])
    return written
  } finally {
    await importer.close()
  }
}

/** The findings of a comparison of records, indexes and the audit of writes. */
async function findings(): Promise<unknown[]> {
  const found: unknown[] = []
  await scrubOf(clinic.services, 20)(
    RIVERSIDE,
    (finding) => found.push(finding),
    () => undefined,
  )
  return found
}

it('P2: a killed import leaves each patient whole with its audit or unwritten, and a second import writes the rest', async () => {
  const before = await items()
  const args = ['cli/phi.ts', 'import', folder, '--tenant', RIVERSIDE]
  const killed = spawn(process.execPath, args, { cwd: ROOT, env: process.env, stdio: 'ignore' })
  const ended = once(killed, 'exit')
  while (killed.exitCode === null && (await items()) === before) await sleep(10)
  killed.kill('SIGKILL')
  expect(await ended).toEqual([null, 'SIGKILL'])
  // the tables execute what the process has sent
  await sleep(200)
  expect(await findings()).toEqual([])

  const records = PATIENTS * (1 + OBSERVATIONS)
  const { created, unchanged, ...others } = await importAgain()
  expect(others).toEqual({ updated: 0, removed: 0, moved: 0 })
  expect(created).toBeGreaterThan(0)
  expect(unchanged).toBeGreaterThan(0)
  expect(created + unchanged).toBe(records)
  expect(await findings()).toEqual([])
  expect(await importAgain()).toMatchObject({ created: 0, updated: 0, unchanged: records })
})
