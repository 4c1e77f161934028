import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { validate } from 'dockerfile-utils'
import { describe, expect, it, vi } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { IMAGE_MARK, listenAddress } from '../../infra/local/listen-address.ts'
import { COMPOSE_SERVICE } from '../../infra/local/phi-command.ts'
import { startStack } from '../../infra/local/stack.ts'
import { copiedFiles } from './image-files.ts'

// No container engine runs here. The linters know the languages, and the other checks compare the files with the project.

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const read = (name: string): string => readFileSync(join(ROOT, name), 'utf8')
const dockerfile = read('Dockerfile')

const faultsOfDockerfile = (text: string): unknown[] => validate(text).map(({ message }) => message)

const require = createRequire(import.meta.url)
const DCLINT = join(dirname(require.resolve('dclint/package.json')), 'bin', 'dclint.cjs')
const reports = z.array(z.object({ messages: z.array(z.object({ rule: z.string() })) }))

/** The broken rules of each text, also the rules of style. The types of the linter do not resolve, so it runs as a command. */
function faultsOfCompose(texts: readonly string[]): string[][] {
  const folder = mkdtempSync(join(tmpdir(), 'phi-compose-'))
  try {
    const files = texts.map((text, index) => {
      const file = join(folder, `${index}.yaml`)
      writeFileSync(file, text)
      return file
    })
    const { stdout } = spawnSync(process.execPath, [DCLINT, '--formatter', 'json', ...files], { encoding: 'utf8' })
    return reports.parse(JSON.parse(stdout)).map(({ messages }) => messages.map(({ rule }) => rule))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

describe('the Dockerfile', () => {
  it('has no fault, and the linter finds seeded ones', () => {
    expect(faultsOfDockerfile(dockerfile)).toEqual([])
    expect(faultsOfDockerfile(dockerfile.replace('EXPOSE 4000', 'EXPOSE port'))).toHaveLength(1)
    expect(faultsOfDockerfile(dockerfile.replace('USER node', 'USERS node'))).toHaveLength(1)
    expect(faultsOfDockerfile(dockerfile.replace('--interval=10s', '--interval=10'))).toHaveLength(1)
  })

  it('builds on the pinned Node of the project, in each stage', () => {
    const { devDependencies } = z
      .object({ devDependencies: z.record(z.string(), z.string()) })
      .parse(JSON.parse(read('package.json')))
    const images = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image)
    expect(images.length).toBeGreaterThan(1)
    for (const image of images) expect(image).toBe(`node:${devDependencies['node'] ?? ''}-bookworm-slim`)
  })

  it('runs the stack as a user without rights over the system, after the last instruction that needs them', () => {
    const instructions = dockerfile.split('\n').map((line) => line.split(' ', 1)[0])
    expect(dockerfile).toMatch(/^USER node$/m)
    expect(dockerfile).not.toMatch(/^USER (?:root|0)/m)
    expect(instructions.lastIndexOf('RUN')).toBeLessThan(instructions.indexOf('USER'))
    expect(dockerfile).toMatch(/^CMD \["node", "infra\/local\/start\.ts"\]$/m)
    expect(dockerfile).toContain(`touch ${IMAGE_MARK} `)
  })

  it('copies files that exist, all that the stack imports, and nothing that the build context leaves out', () => {
    const files = copiedFiles()
    for (const file of files) expect(existsSync(join(ROOT, file)), file).toBe(true)
    const context = read('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1))
    expect(read('.dockerignore')).toMatch(/^\*$/m)
    expect(files.map((file) => file.replace(/\/.*/, '')).toSorted()).toEqual(expect.arrayContaining(context.toSorted()))
    for (const file of files) expect(context).toContain(file.replace(/\/.*/, ''))
    // never in an image: the data, with keys and secrets of clients, and the history
    expect(context).not.toContain('.local')
    expect(context).not.toContain('.git')
  })
})

describe('compose.yaml', () => {
  const service = z.object({
    ports: z.array(z.string()),
    volumes: z.array(z.string()),
    cap_drop: z.tuple([z.literal('ALL')]),
    read_only: z.literal(true),
    init: z.literal(true),
    security_opt: z.tuple([z.literal('no-new-privileges:true')]),
    platform: z.literal('linux/amd64'),
  })

  it('has no fault, and the linter finds seeded ones', () => {
    const text = read('compose.yaml')
    const seeded = [text.replace("'127.0.0.1:4000:4000'", "'4000:4000'"), text.replace('init: true', 'initial: true')]
    const [faults, open, unknown] = faultsOfCompose([text, ...seeded])
    expect(faults).toEqual([])
    expect(open).toEqual(['no-unbound-port-interfaces'])
    expect(unknown).toContain('invalid-schema')
  })

  it('publishes the two ports of the image on the loopback address alone, and keeps the data in a volume', () => {
    const { services } = z.object({ services: z.record(z.string(), z.unknown()) }).parse(parse(read('compose.yaml')))
    expect(Object.keys(services)).toEqual([COMPOSE_SERVICE])
    const { ports, volumes } = service.parse(services[COMPOSE_SERVICE])
    const exposed = /^EXPOSE (.+)$/m.exec(dockerfile)?.[1]?.split(' ')
    expect(ports).toEqual(exposed?.map((port) => `127.0.0.1:${port}:${port}`))
    expect(dockerfile).toMatch(/^ENV PHI_DATA=\/data PHI_LISTEN=0\.0\.0\.0$/m)
    expect(volumes).toEqual(['data:/data'])
  })
})

describe('PHI_LISTEN', () => {
  it('opens the stack in the image alone, and to one address', () => {
    expect(listenAddress({}, () => true)).toBe('127.0.0.1')
    expect(listenAddress({ PHI_LISTEN: '127.0.0.1' }, () => false)).toBe('127.0.0.1')
    expect(listenAddress({ PHI_LISTEN: '0.0.0.0' }, () => true)).toBe('0.0.0.0')
    for (const [wanted, isImage] of [
      ['0.0.0.0', false],
      ['::', true],
      ['192.168.1.4', true],
      ['', true],
    ] as const)
      expect(() => listenAddress({ PHI_LISTEN: wanted }, () => isImage)).toThrow('PHI_LISTEN is for the container image only')
  })

  it('stops the start of a stack on any other machine', async () => {
    const dataFolder = mkdtempSync(join(tmpdir(), 'phi-listen-'))
    vi.stubEnv('PHI_LISTEN', '0.0.0.0')
    try {
      await expect(startStack({ dataFolder, port: 0 })).rejects.toMatchObject({ name: 'ListenRefused' })
      expect(existsSync(join(dataFolder, 'stack.json'))).toBe(false)
    } finally {
      vi.unstubAllEnvs()
      rmSync(dataFolder, { recursive: true })
    }
  })
})
