import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { findEngines } from '../../../infra/local/engine-choice.ts'
import { startEngine } from '../../../infra/local/engine.ts'

// A stand-in for the docker command, because no container engine runs here. Its containers are the embedded engine.

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'phi-docker-'))
  vi.stubEnv('PATH', `${folder}${delimiter}${process.env['PATH'] ?? ''}`)
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true, force: true })
})

function standIn(script: string): void {
  writeFileSync(join(folder, 'docker'), `#!/bin/sh\n${script}\n`)
  chmodSync(join(folder, 'docker'), 0o755)
}
const calls = (): string[] => readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n')

const NO_DAEMON = 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?'
const find = async () => {
  const { docker } = await findEngines('linux-riscv64')
  return { platform: 'linux-riscv64', ...(docker !== undefined && { docker }) }
}

describe('a platform without an embedded engine and without Java', () => {
  it('starts DynamoDB Local in Docker: pinned, on the loopback address, named and with its data in the folder; ends it', async () => {
    const { embedded = '' } = await findEngines()
    standIn(`
      echo "$@" >> '${folder}/calls'
      case "$1 $2" in
        'version --format') echo 28.0.1;;
        'image inspect') exit 1;;
        run*)
          for word; do case "$word" in 127.0.0.1:*:8000) port=\${word#*:}; port=\${port%:*};; esac; done
          exec '${embedded}' --host 127.0.0.1 --port "$port";;
      esac`)
    const lines: string[] = []
    const dataFile = join(folder, 'data', 'dynamodb.sqlite')
    const engine = await startEngine({ env: {}, find, dataFile, log: (line) => void lines.push(line) })
    try {
      const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }
      const client = new DynamoDBClient({ endpoint: engine.endpoint, region: 'us-east-1', credentials })
      expect((await client.send(new ListTablesCommand())).TableNames).toEqual([])
      client.destroy()
    } finally {
      await engine.stop()
    }
    await expect(fetch(engine.endpoint)).rejects.toThrow()
    expect(lines).toEqual([
      expect.stringMatching(/^Fetching DynamoDB Local with Docker: amazon\/dynamodb-local:\d+\.\d+\.\d+, once\.$/),
      'The tables are in DynamoDB Local in Docker, because this platform has no embedded engine.',
    ])
    const data = join(folder, 'data', 'dynamodb-local')
    expect(existsSync(data)).toBe(true)
    const [, , pull, remove, run, ...more] = calls()
    expect(more).toEqual([])
    expect(pull).toMatch(/^pull --quiet amazon\/dynamodb-local:[\d.]+$/)
    const name = /^rm --force (phi-gateway-[0-9a-f]{12})$/.exec(remove ?? '')?.[1]
    const port = new URL(engine.endpoint).port
    expect(run).toMatch(
      new RegExp(
        `^run --rm --init --publish 127\\.0\\.0\\.1:${port}:8000 --name ${name} --volume ${data}:/data --user \\d+:\\d+ ` +
          String.raw`amazon/dynamodb-local:[\d.]+ -jar DynamoDBLocal\.jar -disableTelemetry -sharedDb -dbPath /data$`,
      ),
    )
  })

  it('states in one line that Docker does not answer', async () => {
    standIn(`echo '${NO_DAEMON}' >&2; exit 1`)
    await expect(startEngine({ env: {}, find })).rejects.toThrow(
      'linux-riscv64 has no embedded DynamoDB engine. Start Docker, which is installed but does not answer. Then run npm start again.',
    )
  })

  it('states that the image could not be fetched', async () => {
    standIn(`case "$1" in version) echo 28.0.1;; *) echo 'no network' >&2; exit 1;; esac`)
    await expect(startEngine({ env: {}, find })).rejects.toThrow(
      /^No DynamoDB engine started\. Docker could not fetch the image amazon\/dynamodb-local:[\d.]+\.$/,
    )
  })
})
