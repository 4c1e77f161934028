import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { generate } from '@graphql-codegen/cli'
import { buildSchema, parse, validate } from 'graphql'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { printPublicSchema } from '../../../../cli/public-schema.ts'
import { compilePolicy } from '../../../../directives/compile.ts'
import { isWithinLimits } from '../../../../gateway/operations/operation-limits.ts'
import { clinicTypeDefs } from '../../../../schema/clinic.ts'
import { RELAY_DOCUMENTS, RELAY_USE } from './relay-documents.ts'
import codegen from './samples/codegen.ts'

// The generators that client developers run, over the printed schema. The generated code is checked by the compiler.

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url))
const MODULES = join(ROOT, 'node_modules')
const CLIENTS = join(ROOT, 'infra/local/demo/clients')
const sdl = printPublicSchema(compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' }).schema)
const run = promisify(execFile)

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'phi-generated-'))
  writeFileSync(join(folder, 'clinic.graphql'), sdl)
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

/** Checks the types of all files of a folder as a client project does. */
async function checkTypes(of: string): Promise<void> {
  const compilerOptions = {
    noEmit: true,
    strict: true,
    skipLibCheck: true,
    target: 'es2022',
    module: 'esnext',
    moduleResolution: 'bundler',
    types: [],
    paths: { '*': [`${MODULES}/*`, `${MODULES}/@types/*`] },
  }
  writeFileSync(join(of, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['**/*.ts'] }))
  const { stdout } = await run(process.execPath, [join(MODULES, 'typescript/bin/tsc'), '-p', of]).catch((failed: unknown) => {
    throw new Error((failed as { stdout: string }).stdout)
  })
  expect(stdout).toBe('')
}

describe('relay-compiler', () => {
  it('compiles fragments, connections and refetches by node, with ids that can be registered', async () => {
    const app = join(folder, 'relay')
    mkdirSync(join(app, '__generated__'), { recursive: true })
    for (const [name, text] of Object.entries(RELAY_DOCUMENTS)) writeFileSync(join(app, name), text)
    writeFileSync(join(app, 'operations.json'), '{}')
    const config = {
      src: './',
      schema: '../clinic.graphql',
      language: 'typescript',
      artifactDirectory: './__generated__',
      eagerEsModules: true,
      customScalarTypes: codegen.config.scalars,
      persistConfig: { file: './operations.json', algorithm: 'SHA256' },
    }
    writeFileSync(join(app, 'relay.config.json'), JSON.stringify(config))
    await run(process.execPath, [join(MODULES, 'relay-compiler/cli.js'), 'relay.config.json'], { cwd: app })
    const persisted = JSON.parse(readFileSync(join(app, 'operations.json'), 'utf8')) as Record<string, string>
    expect(Object.keys(persisted)).toHaveLength(5)
    const schema = buildSchema(sdl)
    for (const [id, text] of Object.entries(persisted)) {
      expect(id).toBe(createHash('sha256').update(text).digest('hex'))
      expect(validate(schema, parse(text))).toEqual([])
      expect(isWithinLimits(parse(text))).toBe(true)
    }
    writeFileSync(join(app, 'use.ts'), RELAY_USE)
    await checkTypes(app)
  })
})

describe('graphql-codegen', () => {
  it.each(readdirSync(CLIENTS))('generates types for the operations of %s', async (client) => {
    const [output = ''] = Object.keys(codegen.generates)
    const app = join(folder, client)
    const files: unknown = await generate(
      {
        ...codegen,
        cwd: ROOT,
        silent: true,
        schema: join(folder, 'clinic.graphql'),
        documents: join(CLIENTS, client, 'operations/*.graphql'),
        generates: { [`${app}/`]: codegen.generates[output as keyof typeof codegen.generates] },
      },
      true,
    )
    expect((files as readonly object[]).length).toBeGreaterThan(0)
    const generated = readFileSync(join(app, 'graphql.ts'), 'utf8')
    expect(generated).not.toMatch(/\bany\b/)
    for (const { name } of operationsOf(client)) expect(generated).toContain(`export const ${name}Document`)
    await checkTypes(app)
  })
})

function operationsOf(client: string): readonly { readonly name: string }[] {
  const manifest = JSON.parse(readFileSync(join(CLIENTS, client, 'manifest.json'), 'utf8')) as { operations: { name: string }[] }
  return manifest.operations
}
