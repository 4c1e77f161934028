import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { close, listen } from '../../infra/local/ports.ts'
import { writeStarterProject } from '../infra/local/starter-project.ts'
import { writeStaleStack } from './stale-stack.ts'

const PHI = fileURLToPath(new URL('../../cli/phi.ts', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'phi-dev-'))
const project = join(folder, 'project')
beforeAll(() => {
  mkdirSync(project)
  writeStarterProject(project)
})
afterAll(() => rmSync(folder, { recursive: true }))

let folders = 0
function newData(): string {
  const data = join(folder, `data-${++folders}`)
  mkdirSync(data)
  return data
}

type Ran = Promise<{ code: unknown; stdout: string; stderr: string }>

/** Runs `phi dev` in the project of `phi init`. */
const dev = (settings: Readonly<Record<string, string>>, ...words: readonly string[]): Ran =>
  new Promise((resolve) => {
    const { PATH, NODE_COMPILE_CACHE } = process.env
    const env = { PATH, NODE_COMPILE_CACHE, PHI_DATA: newData(), PORT: '4870', ...settings }
    execFile(process.execPath, [PHI, 'dev', ...words], { cwd: project, env, timeout: 50_000 }, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stdout, stderr }),
    )
  })
const refused = (stderr: string) => ({ code: 1, stdout: '', stderr: `error: ${stderr}\n` })

describe('phi dev that cannot start', { timeout: 60_000 }, () => {
  it('names a stack that runs on the data folder', async () => {
    const other = createServer((_, response) => response.end('{}'))
    const port = await listen(other, 0)
    const data = newData()
    writeStaleStack(data, `http://127.0.0.1:${port}/jwks`)
    try {
      expect(await dev({ PHI_DATA: data })).toEqual(
        refused('A stack is already running at http://127.0.0.1:9. Stop it, or name another folder in PHI_DATA.'),
      )
    } finally {
      await close(other)
    }
  })

  it('names a data folder that it cannot create', async () => {
    const file = join(newData(), 'file')
    writeFileSync(file, '')
    expect(await dev({ PHI_DATA: join(file, 'data') })).toEqual(
      refused(
        `Cannot write to ${join(file, 'data')} (the data folder): a part of the path is a file, not a folder. Choose a path that this account can write to. PHI_DATA names the data folder.`,
      ),
    )
  })

  it('names an engine that it may not use', async () => {
    expect(await dev({ AWS_ENDPOINT_URL_DYNAMODB: 'https://dynamodb.us-east-1.amazonaws.com' })).toEqual(
      refused(
        'AWS_ENDPOINT_URL_DYNAMODB must name an engine on this machine or in this network. Unset it to use the embedded engine.',
      ),
    )
  })

  it('names an address that it may not open', async () => {
    expect(await dev({ PHI_LISTEN: '0.0.0.0' })).toEqual(
      refused(
        'PHI_LISTEN is for the container image only, because the local stack issues tokens without a password. Unset PHI_LISTEN.',
      ),
    )
  })

  it('names a stage with data of real patients', async () => {
    expect(await dev({ PHI_STAGE: 'production' })).toEqual(
      refused('This runs only where PHI_STAGE is local, test, dev or staging. To start the local stack, run: unset PHI_STAGE'),
    )
  })

  it.each([
    ['identity.json', 'the keys of the local identity provider'],
    ['kms.json', 'the keys of the local KMS'],
  ])('names damaged data: %s', async (file, content) => {
    const data = newData()
    writeFileSync(join(data, file), '{}')
    expect(await dev({ PHI_DATA: data })).toEqual(
      refused(`Cannot read ${content}. To start without the old data, run: npm start -- --fresh`),
    )
  })
})
