import { mkdirSync, readFileSync } from 'node:fs'
import { describe, expect, it, vi } from 'vitest'
import * as z from 'zod'
import { printFailure } from '../../cli/failure.ts'
import { Refused } from '../../cli/refused.ts'
import { LockUnreadable } from '../../directives/lock.ts'
import { StoreUnavailable } from '../../gateway/model/failures.ts'
import { NoStack } from '../../infra/local/stack-file.ts'
import { NoToken } from '../../infra/local/token.ts'

/** The text that a command prints for a failure, and its exit code. */
function printed(failure: unknown, env: Record<string, string> = {}): { readonly code: number; readonly text: string } {
  let text = ''
  const spy = vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
    text += String(chunk)
    return true
  })
  try {
    return { code: printFailure(failure, env), text }
  } finally {
    spy.mockRestore()
  }
}

function errorOf(act: () => unknown): unknown {
  try {
    return act()
  } catch (error) {
    return error
  }
}

const LEAK = '521-11-2233'

describe('the failure of a command', () => {
  it.each<[string, unknown, string]>([
    ['no stack', new NoStack('NONE'), 'No local stack is running in this folder: start it with `npm start`\n'],
    ['a refusal', new Refused('the schema has no such role.'), 'error: the schema has no such role.\n'],
    [
      'a damaged lock',
      new LockUnreadable(7),
      'error: The policy lock cannot be read at line 7. Restore the lock of the project, or write it again with: phi policy lock\n',
    ],
    ['no token', new NoToken('The provider did not answer.'), 'error: The provider did not answer.\n'],
    ['a file', errorOf(() => readFileSync('/none/file')), 'error: Cannot read /none/file: it does not exist. Check the path.\n'],
    [
      'a folder',
      errorOf(() => mkdirSync('/none/folder')),
      'error: Cannot write to /none/folder: its folder does not exist. Choose a path that this account can write to.\n',
    ],
    [
      'a service',
      new StoreUnavailable(),
      'error: DynamoDB did not answer. Check the network of this machine and AWS_REGION, then run the command again.\n',
    ],
    [
      'settings of the environment',
      errorOf(() => z.object({ PHI_KMS_KEY_ID: z.string(), PHI_TABLE_KEYS: z.string() }).parse({ PHI_KMS_KEY_ID: 1 })),
      'error: these settings of the deployment are missing or malformed: PHI_KMS_KEY_ID, PHI_TABLE_KEYS. Set them as docs/cli.md describes.\n',
    ],
  ])('%s: has the cause and the next step', (_, failure, text) => {
    expect(printed(failure)).toEqual({ code: 1, text })
  })

  it.each([
    ['an error of the code', new TypeError(LEAK), 'TypeError'],
    ['a malformed record', errorOf(() => z.object({ ssn: z.string() }).parse({ ssn: 1 })), 'ZodError'],
    ['a value that is thrown', LEAK, 'failed'],
  ])('P8: %s: prints the class alone, and the way to the error', (_, failure, name) => {
    expect(printed(failure)).toEqual({ code: 1, text: `phi: ${name}. To see the error, run the command again with DEBUG=1.\n` })
  })

  it('has the exit code of the refusal, and with DEBUG the error', () => {
    const { code, text } = printed(new Refused('no.', { exitCode: 2, cause: new Error('why') }), { DEBUG: '1' })
    expect(code).toBe(2)
    expect(text).toContain('why')
  })
})
