import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { startProject } from '../../../infra/local/project-stack.ts'
import { openProject, type Project, ProjectRefused } from '../../../schema/project.ts'
import { writeStarterProject } from './starter-project.ts'

const root = mkdtempSync(join(tmpdir(), 'phi-project-stack-'))
const before = { ...process.env }
afterAll(() => rmSync(root, { recursive: true }))

// test/infra/local/project-stack.integration.test.ts has a stack that runs
describe('the local stack of a project is refused, and leaves no service and no variable behind', () => {
  const refusal = async (project: Project): Promise<string> => {
    const options = { dataFolder: mkdtempSync(join(root, 'data-')), port: 0, fresh: true, log: () => undefined }
    const error = await startProject(project, options).then(
      () => undefined,
      (failure: unknown) => failure,
    )
    expect(error).toBeInstanceOf(ProjectRefused)
    expect({ ...process.env }).toEqual(before)
    return (error as Error).message
  }
  const project = (): Project => writeStarterProject(mkdtempSync(join(root, 'p-')))
  const without = (member: 'handler' | 'users'): Project => {
    const whole = project()
    const settings: Record<string, unknown> = {
      schema: 'schema',
      lock: 'schema/policy.lock',
      handler: 'functions/graphql.ts',
      users: 'local/users.json',
    }
    Reflect.deleteProperty(settings, member)
    writeFileSync(join(whole.folder, 'phi.json'), JSON.stringify(settings))
    return openProject(whole.folder)
  }

  it.each(['handler', 'users'] as const)('if phi.json names no %s', async (member) => {
    expect(await refusal(without(member))).toMatch(new RegExp(`phi\\.json names no "${member}", which the local stack needs$`))
  })

  it('if it has records of a tenant without users', async () => {
    const whole = project()
    const records = new Map([['constructor', whole.lock]])
    expect(await refusal({ ...whole, records })).toMatch(
      /^phi\.json has records of constructor, a tenant without users\. .* has practice\.$/,
    )
  })

  it('if the file of its records is missing', async () => {
    const records = new Map([['practice', join(root, 'none.ndjson')]])
    expect(await refusal({ ...project(), records })).toBe(
      `Cannot read ${join(root, 'none.ndjson')} (the records of practice in phi.json): it does not exist. Check the path.`,
    )
  })

  it('if the module of the function is missing', async () => {
    const handler = join(root, 'missing.ts')
    expect(await refusal({ ...project(), handler })).toBe(
      `Cannot read ${handler} (the handler in phi.json): it does not exist. Check the path.`,
    )
  })
})
