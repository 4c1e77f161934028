import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { OtherFormat, seedOnce } from '../../../infra/local/seeding.ts'
import { startStack, type Stack } from '../../../infra/local/stack.ts'
import { openImporter } from '../../../gateway/admin/open-importer.ts'
import { clinicLock } from '../../../schema/clinic.ts'

let folder: string
let stack: Stack

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'phi-test-'))
  stack = await startStack({ dataFolder: folder, port: 0, namespace: `test-${randomUUID()}` })
})
afterAll(async () => {
  await stack.stop()
  rmSync(folder, { recursive: true, force: true })
})

it('seeds once; data of another format are neither read nor overwritten', async () => {
  const seed = () =>
    seedOnce({
      stack,
      dataFolder: folder,
      patients: 1,
      openImporter: (tenant) => openImporter(tenant, clinicLock(), 'create'),
      log: () => undefined,
    })
  expect(await seed()).toBe(true)
  expect(await seed()).toBe(false)
  for (const marker of [{ riverside: 1, lakeside: 1 }, { format: 1_000 }]) {
    writeFileSync(join(folder, 'seeded.json'), JSON.stringify(marker))
    await expect(seed()).rejects.toThrow(OtherFormat)
  }
})
