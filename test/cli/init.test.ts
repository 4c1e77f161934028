import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { initCommand } from '../../cli/init.ts'
import { InitRefused, writeStarter } from '../../cli/starter.ts'
import { compilePolicy } from '../../directives/compile.ts'
import { openProject, projectLock, projectTypeDefs } from '../../schema/project.ts'
import { STARTER } from '../gateway/admin/practice-policy.ts'
import { type Ran, runCommand } from './run-command.ts'

// the working directory has no symbolic links
const root = mkdtempSync(join(realpathSync(tmpdir()), 'phi-init-'))
afterAll(() => rmSync(root, { recursive: true }))
const folderWith = (files: Readonly<Record<string, string>> = {}): string => {
  const folder = mkdtempSync(join(root, 'p-'))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  return folder
}
const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1))
    .toSorted()
const manifestIn = (folder: string): unknown => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))

const own = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  readonly devDependencies: Readonly<Record<string, string>>
}

describe('phi init', () => {
  const init = async (folder: string): Promise<Ran> => {
    const from = process.cwd()
    process.chdir(folder)
    try {
      return await runCommand(initCommand(), [])
    } finally {
      process.chdir(from)
    }
  }

  it('writes a project with the lock of its schema, and prints each file and the next step', async () => {
    const folder = folderWith()
    const { code, stdout, stderr } = await init(folder)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const lines = stdout.trimEnd().split('\n')
    expect(lines.pop()).toBe(`The project is in ${folder}. Test it with \`npm test\`, and run it with \`npx phi dev\`.`)
    expect(lines.map((line) => line.trim()).toSorted()).toEqual(filesIn(folder))
    const project = openProject(folder)
    expect(project.folder).toBe(folder)
    expect(projectLock(project)).toBe(compilePolicy(projectTypeDefs(project), { relationships: 'unchecked' }).lock)
    expect(existsSync(join(folder, '.gitignore'))).toBe(true)
    expect(existsSync(join(folder, 'gitignore'))).toBe(false)
  })

  it('refuses to replace files, names them, and writes nothing', async () => {
    const folder = folderWith({ 'phi.json': 'mine', '.gitignore': 'mine', 'schema/policy.lock': 'mine' })
    expect(await init(folder)).toEqual({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /^error: these files exist already: \.gitignore, phi\.json, schema\/policy\.lock\. Run `npx phi init` in an empty folder\.\n/,
      ) as string,
    })
    expect(filesIn(folder)).toEqual(['.gitignore', 'phi.json', 'schema/policy.lock'])
    for (const file of filesIn(folder)) expect(readFileSync(join(folder, file), 'utf8')).toBe('mine')
  })

  it('works once in a folder', () => {
    const folder = folderWith()
    writeStarter(folder)
    expect(() => writeStarter(folder)).toThrow(InitRefused)
  })
})

describe('the package.json of a new project', () => {
  it('has the scripts, and the tools in the versions that this repository tests with', () => {
    const folder = folderWith()
    writeStarter(folder)
    const { '@types/node': types, esbuild, typescript, serverless = '' } = own.devDependencies
    expect(manifestIn(folder)).toMatchObject({
      private: true,
      type: 'module',
      scripts: { dev: 'phi dev', test: expect.stringMatching(/^node --test /) as string, check: expect.any(String) as string },
      devDependencies: { '@types/node': types, esbuild, osls: serverless.replace(/^npm:osls@/, ''), typescript },
    })
    expect(serverless).toMatch(/^npm:osls@\d/)
  })

  it('keeps the members that exist, and replaces the test script of npm init', () => {
    const before = {
      name: 'mine',
      version: '7.0.0',
      dependencies: { 'phi-gateway': '1.0.0' },
      scripts: { dev: 'mine', test: 'echo "Error: no test specified" && exit 1', other: 'mine' },
      devDependencies: { esbuild: '0.1.0' },
      other: { any: ['value'] },
    }
    const folder = folderWith({ 'package.json': JSON.stringify(before) })
    writeStarter(folder)
    const { scripts, devDependencies, ...rest } = manifestIn(folder) as typeof before
    expect(rest).toEqual({ type: 'module', ...Object.fromEntries(Object.entries(before).filter(([name]) => name in rest)) })
    expect(scripts).toMatchObject({ dev: 'mine', other: 'mine', test: 'node --test "test/**/*.test.ts"' })
    expect(devDependencies).toMatchObject({ esbuild: '0.1.0', typescript: own.devDependencies['typescript'] })
  })

  it('keeps a test script of the project', () => {
    const folder = folderWith({ 'package.json': '{"scripts":{"test":"mine"}}' })
    writeStarter(folder)
    expect(manifestIn(folder)).toMatchObject({ scripts: { test: 'mine' } })
  })

  it.each(['{', '', '[]', 'null', '"text"', '{"scripts":[]}', '{"scripts":{"test":1}}', '{"devDependencies":"none"}'])(
    'is refused if it is no manifest, and nothing is written: %s',
    (text) => {
      const folder = folderWith({ 'package.json': text })
      expect(() => writeStarter(folder)).toThrow(InitRefused)
      expect(() => writeStarter(folder)).toThrow('package.json is not a readable manifest of npm. Correct it first.')
      expect(filesIn(folder)).toEqual(['package.json'])
      expect(readFileSync(join(folder, 'package.json'), 'utf8')).toBe(text)
    },
  )
})

describe('the files of the starter', () => {
  const texts = filesIn(STARTER).map((file): [string, string] => [file, readFileSync(join(STARTER, file), 'utf8')])

  it('have no name of the demo clinic', () => {
    expect(texts.length).toBeGreaterThan(10)
    for (const [file, text] of texts)
      expect({ file, found: /riverside|lakeside|\bclinic\b|\bphysician|\bacme\b|\bFHIR\b/i.exec(text)?.[0] }).toEqual({
        file,
        found: undefined,
      })
  })

  it('import the package by its name, and Node, esbuild and each other', () => {
    for (const [file, text] of texts.filter(([name]) => name.endsWith('.ts')))
      for (const [, from = ''] of text.matchAll(/from '([^']+)'/g))
        expect({ file, from }).toEqual({
          file,
          from: expect.stringMatching(
            /^(?:phi-gateway(?:\/(?:lambda|testing))?|node:[a-z/]+|esbuild|\.\.?\/[a-z./]+\.ts)$/,
          ) as string,
        })
  })
})
