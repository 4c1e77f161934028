import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { enterRunningStack } from '../../cli/running-stack.ts'
import { NoStack } from '../../infra/local/stack-file.ts'
import { writeStaleStack } from './stale-stack.ts'

const folder = mkdtempSync(join(tmpdir(), 'phi-running-stack-'))
afterAll(() => rmSync(folder, { recursive: true }))

// test/cli/no-stack.test.ts runs each command as a process
describe('the environment of the running stack', () => {
  it.each([
    [
      'has no file of a stack',
      () => undefined,
      'No local stack is running. Start it with: npm start, or set PHI_STAGE and the PHI_TABLE_ variables of a deployment.',
    ],
    [
      'has the file of a stack that has ended',
      writeStaleStack,
      'The local stack does not answer. If it no longer runs, start it with: npm start',
    ],
  ])('is not entered if the data folder %s', async (_, prepare, message) => {
    const data = mkdtempSync(join(folder, 'data-'))
    prepare(data)
    const before = { ...process.env }
    await expect(enterRunningStack(data)).rejects.toEqual(new NoStack(message))
    expect(process.env).toEqual(before)
  })
})
