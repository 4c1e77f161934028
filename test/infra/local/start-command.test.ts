import { build } from 'esbuild'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as phi from '../../../infra/local/phi-command.ts'
import * as start from '../../../infra/local/start-command.ts'

const folder = mkdtempSync(join(tmpdir(), 'phi-start-command-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** The modules as the package has them: bundled, in a file with another ending. */
let packaged: { readonly phi: typeof phi; readonly start: typeof start }
beforeAll(async () => {
  const inRepository = (file: string): string => fileURLToPath(new URL(`../../../infra/local/${file}.ts`, import.meta.url))
  await build({
    entryPoints: { phi: inRepository('phi-command'), start: inRepository('start-command') },
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
  })
  const load = async (name: string): Promise<unknown> => await import(pathToFileURL(join(folder, `${name}.mjs`)).href)
  packaged = { phi: (await load('phi')) as typeof phi, start: (await load('start')) as typeof start }
})

describe('the commands in messages', () => {
  it('are those of npm in a clone', () => {
    expect(start.START_COMMAND).toBe('npm start')
    expect(start.startCommandWith({})).toBe('npm start')
    expect(start.startCommandWith({ options: '--fresh' })).toBe('npm start -- --fresh')
    expect(start.startCommandWith({ setting: 'PORT=4000', options: '--fresh' })).toBe('PORT=4000 npm start -- --fresh')
    expect(phi.phiCommand({})).toBe('npm run --silent phi --')
  })

  it('are those of the package outside of a clone', () => {
    expect(packaged.start.START_COMMAND).toBe('npx phi dev')
    expect(packaged.start.startCommandWith({})).toBe('npx phi dev')
    expect(packaged.start.startCommandWith({ setting: 'PORT=4000', options: '--fresh' })).toBe('PORT=4000 npx phi dev --fresh')
    expect(packaged.phi.phiCommand({})).toBe('npx phi')
  })

  it('name the data folder as one word of a shell', () => {
    expect(packaged.phi.phiCommand({ PHI_DATA: '/data' })).toBe('PHI_DATA=/data npx phi')
    expect(phi.phiCommand({ PHI_DATA: 'data' })).toBe(`PHI_DATA=${resolve('data')} npm run --silent phi --`)
    expect(packaged.phi.phiCommand({ PHI_DATA: "/my data/$(it's)" })).toBe("PHI_DATA='/my data/$(it'\\''s)' npx phi")
  })

  it('run in the container of a stack that listens for other machines', () => {
    expect(phi.phiCommand({ PHI_LISTEN: '0.0.0.0', PHI_DATA: '/data' })).toBe('docker compose exec -T phi-gateway node cli/phi.ts')
  })
})
