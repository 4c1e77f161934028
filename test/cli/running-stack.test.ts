import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { enterRunningStack } from '../../cli/running-stack.ts'
import { writeStaleStack } from './stale-stack.ts'

const folder = mkdtempSync(join(tmpdir(), 'phi-running-stack-'))
afterAll(() => rmSync(folder, { recursive: true }))

// test/cli/no-stack.test.ts runs each command as a process
describe('the environment of the running stack', () => {
  it.each([
    ['has no file of a stack', () => undefined, 'No local stack is running in this folder: start it with `npm start`'],
    [
      'has the file of a stack that has ended',
      writeStaleStack,
      'The local stack of this folder no longer answers: start it again with `npm start`',
    ],
    [
      'has the file of another version',
      (data: string) => writeFileSync(join(data, 'stack.json'), '{"graphql":1}'),
      'The local stack of this folder is of another version: stop it, then start it again with `npm start`',
    ],
  ])('is not entered if the data folder %s', async (_, prepare, message) => {
    const data = mkdtempSync(join(folder, 'data-'))
    prepare(data)
    const before = { ...process.env }
    await expect(enterRunningStack(data)).rejects.toThrow(expect.objectContaining({ name: 'NoStack', message }))
    expect(process.env).toEqual(before)
  })
})
