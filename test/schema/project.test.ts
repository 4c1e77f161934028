import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { openProject, projectFolder, projectLock, ProjectRefused, projectTypeDefs, writeProjectLock } from '../../schema/project.ts'

const root = mkdtempSync(join(tmpdir(), 'phi-project-'))
afterAll(() => rmSync(root, { recursive: true }))

const SETTINGS = { schema: 'sdl', lock: 'policy.lock' }

/** A new folder with these files. A text that is no string is written as JSON. */
function folderWith(files: Readonly<Record<string, unknown>>): string {
  const folder = mkdtempSync(join(root, 'p-'))
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true })
    writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content))
  }
  return folder
}

const refusal = (act: () => unknown): string => {
  try {
    act()
  } catch (error) {
    expect(error).toBeInstanceOf(ProjectRefused)
    return (error as Error).message
  }
  throw new Error('It is not refused.')
}

describe('a project', () => {
  it('is that of the nearest phi.json, from the folder upward, with absolute paths', () => {
    const settings = { ...SETTINGS, handler: 'functions/graphql.ts', users: 'users.json', records: { practice: 'records.ndjson' } }
    const outer = folderWith({ 'phi.json': settings, 'inner/phi.json': SETTINGS, 'inner/deep/file': '', 'other/file': '' })
    expect(openProject(join(outer, 'other'))).toEqual({
      folder: outer,
      schema: join(outer, 'sdl'),
      lock: join(outer, 'policy.lock'),
      handler: join(outer, 'functions/graphql.ts'),
      users: join(outer, 'users.json'),
      records: new Map([['practice', join(outer, 'records.ndjson')]]),
    })
    const inner = join(outer, 'inner')
    expect(openProject(join(inner, 'deep'))).toEqual({
      folder: inner,
      schema: join(inner, 'sdl'),
      lock: join(inner, 'policy.lock'),
    })
  })

  it('is that of the clone for a folder that has none above it', () => {
    const clone = fileURLToPath(new URL('../../', import.meta.url))
    expect(projectFolder(root)).toBe(clone)
    expect(openProject(root).lock).toBe(join(clone, 'schema/policy.lock'))
  })

  it.each([
    ['is no JSON', '{'],
    ['is empty', ''],
    ['is JSON of another kind', '[]'],
    ['lacks a path', { schema: 'sdl' }],
    ['has an empty path', { ...SETTINGS, lock: '' }],
    ['has a number for a path', { ...SETTINGS, lock: 1 }],
    ['has an unknown member', { ...SETTINGS, handlr: 'functions/graphql.ts' }],
    ['has records without tenants', { ...SETTINGS, records: 'records.ndjson' }],
  ])('is refused with the file if phi.json %s', (_, content) => {
    const folder = folderWith({ 'phi.json': content })
    expect(refusal(() => openProject(folder))).toMatch(`${join(folder, 'phi.json')} is not complete. `)
  })

  it('is refused with the member if phi.json lacks one or has an unknown one', () => {
    expect(refusal(() => openProject(folderWith({ 'phi.json': { schema: 'sdl' } })))).toContain('lock')
    expect(refusal(() => openProject(folderWith({ 'phi.json': { ...SETTINGS, handlr: 'x' } })))).toContain('handlr')
  })

  it('is refused if phi.json is a folder', () => {
    expect(refusal(() => openProject(folderWith({ 'phi.json/file': '' })))).toContain('It is not a readable JSON file.')
  })

  it.each(['../policy.lock', 'a/../../policy.lock', '..', '/etc/policy.lock'])(
    'has no path outside of its folder, because commands write to it: %s',
    (lock) => {
      const folder = folderWith({ 'phi.json': { ...SETTINGS, lock } })
      expect(refusal(() => openProject(folder))).toContain('Use a path within the folder of the project.')
      const records = folderWith({ 'phi.json': { ...SETTINGS, records: { practice: lock } } })
      expect(refusal(() => openProject(records))).toContain('Use a path within the folder of the project.')
    },
  )

  it('accepts a path that begins with two dots and stays in the folder', () => {
    expect(openProject(folderWith({ 'phi.json': { ...SETTINGS, lock: 'a/../..lock' } })).lock).toMatch(/\/\.\.lock$/)
  })

  it('has records for the tenants that phi.json names, and for no name of a prototype', () => {
    const { records } = openProject(folderWith({ 'phi.json': { ...SETTINGS, records: { practice: 'r' } } }))
    expect([...(records?.keys() ?? [])]).toEqual(['practice'])
    expect(records?.get('constructor')).toBeUndefined()
  })
})

describe('the SDL of a project', () => {
  it('is each .graphql file of the folder, sorted by name, and no other file', () => {
    const folder = folderWith({ 'phi.json': SETTINGS, 'sdl/b.graphql': 'B', 'sdl/a.graphql': 'A', 'sdl/notes.md': 'N' })
    expect(projectTypeDefs(openProject(folder))).toEqual([
      { name: 'sdl/a.graphql', sdl: 'A' },
      { name: 'sdl/b.graphql', sdl: 'B' },
    ])
  })

  it.each([
    ['the folder is missing', {}, /^Cannot read .*sdl, a folder with \.graphql files$/],
    ['the folder is a file', { sdl: '' }, /^Cannot read .*sdl, a folder with \.graphql files$/],
    ['the folder has no SDL', { 'sdl/notes.md': '' }, /sdl has no file that ends with \.graphql$/],
    ['a .graphql file is a folder', { 'sdl/a.graphql/file': '' }, /^Cannot read .*a\.graphql, a file of the schema$/],
  ])('is refused if %s', (_, files, message) => {
    const folder = folderWith({ 'phi.json': SETTINGS, ...files })
    expect(refusal(() => projectTypeDefs(openProject(folder)))).toMatch(message)
  })
})

describe('the lock of a project', () => {
  it('is the text that was written', () => {
    const project = openProject(folderWith({ 'phi.json': SETTINGS }))
    writeProjectLock('the lock', project)
    expect(projectLock(project)).toBe('the lock')
    expect(readFileSync(project.lock, 'utf8')).toBe('the lock')
  })

  it('is refused with the command that writes it if it is missing', () => {
    const project = openProject(folderWith({ 'phi.json': SETTINGS }))
    expect(refusal(() => projectLock(project))).toBe(
      `Cannot read ${project.lock}, the policy lock: write it with \`npx phi policy lock\``,
    )
  })

  it('is refused with its path if it cannot be written', () => {
    const project = openProject(folderWith({ 'phi.json': { ...SETTINGS, lock: 'none/policy.lock' } }))
    expect(refusal(() => writeProjectLock('text', project))).toBe(
      `Cannot write ${project.lock}, the policy lock: check the path in phi.json`,
    )
  })
})
