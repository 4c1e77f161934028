import { existsSync, globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { CAMPAIGNS } from './campaigns.ts'
import { LONG } from './long.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** The variable of a size. Those of seeds and folders have other forms. */
const SIZE = /process\.env\['(\w+)'\] (?:\?\? \d|=== 'all')/g

describe('the list of campaigns', () => {
  it('has every test with a size variable, with its file', () => {
    const sizes = globSync('test/**/*.ts', { cwd: ROOT }).flatMap((path) =>
      [...readFileSync(`${ROOT}${path}`, 'utf8').matchAll(SIZE)].flatMap(([, variable]) =>
        variable === undefined || variable.endsWith('SEED') ? [] : [variable],
      ),
    )
    expect(sizes.length).toBeGreaterThan(9)
    expect(CAMPAIGNS.flatMap(({ size }) => size?.variable ?? []).toSorted()).toEqual(sizes.toSorted())
  })

  it('has one name for each, and files that exist', () => {
    expect(new Set(CAMPAIGNS.map(({ name }) => name)).size).toBe(CAMPAIGNS.length)
    for (const { path } of CAMPAIGNS) expect([path, existsSync(`${ROOT}${path}`)]).toEqual([path, true])
  })

  it('is run at full size by no other command', () => {
    expect(readFileSync(`${ROOT}.ci/run`, 'utf8')).not.toContain('campaigns/run')
  })
})

describe('the list of long tests', () => {
  const idsIn = (paths: readonly string[]): ReadonlySet<string> =>
    new Set(paths.flatMap((path) => readFileSync(`${ROOT}${path}`, 'utf8').match(/\b[PC]\d{1,2}\b/g) ?? []))

  it('has files that exist, each once', () => {
    expect(LONG.filter((path) => !existsSync(`${ROOT}${path}`))).toEqual([])
    expect(new Set(LONG).size).toBe(LONG.length)
  })

  it('leaves a test of each promise and control in npm test', () => {
    const left = globSync('test/**/*.test.ts', { cwd: ROOT }).filter((path) => !LONG.includes(path))
    expect(left.length).toBeGreaterThan(LONG.length)
    const shown = idsIn(left.filter((path) => !path.startsWith('test/shared/')))
    expect([...idsIn(LONG)].filter((id) => !shown.has(id))).toEqual([])
  })

  it('is run by .ci/run', () => {
    expect(readFileSync(`${ROOT}.ci/run`, 'utf8')).toContain('npm run test:long')
  })
})
