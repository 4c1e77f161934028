import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadCommand } from '../../../cli/load.ts'
import { startProject } from '../../../infra/local/project-stack.ts'
import type { Project } from '../../../schema/project.ts'
import { runCommand } from '../../cli/run-command.ts'
import { writeStarterProject } from './starter-project.ts'

const root = mkdtempSync(join(tmpdir(), 'phi-project-stack-'))
const before = { ...process.env }
afterAll(() => rmSync(root, { recursive: true }))

const started = async (project: Project, lines: string[]) =>
  await startProject(project, {
    dataFolder: mkdtempSync(join(root, 'data-')),
    port: 0,
    // an engine that other tests share keeps its data
    fresh: true,
    log: (line) => lines.push(line),
  })

describe('the local stack of a project', () => {
  const folder = mkdtempSync(join(root, 'p-'))
  const project = writeStarterProject(folder)
  const lines: string[] = []
  let stack: Awaited<ReturnType<typeof startProject>>
  beforeAll(async () => {
    appendFileSync(join(folder, 'local/records.ndjson'), '{"type":"Visit","id":"v-9","values":{"reason":"Xavier-Secret"}}\n')
    stack = await started(project, lines)
  })
  afterAll(async () => {
    await stack.stop()
    // the next suites of this process have their own services
    expect({ ...process.env }).toEqual(before)
  })

  const ask = async (user: string, query: string, path = '/graphql') => {
    const { graphql, identity } = stack.stack
    const response = await fetch(new URL(path, graphql), {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${await identity.tokenFor(user)}` },
      body: JSON.stringify({ query }),
    })
    return (await response.json()) as { data: { patients: { edges: { node: Record<string, unknown> }[] } } }
  }
  const panel = async (user: string, fields: string) => {
    const { data } = await ask(user, `{ patients { edges { node { ${fields} } } } }`)
    return data.patients.edges.map(({ node }) => node)
  }

  it('loads the records, and prints refused lines by their number without a value', () => {
    expect(lines).toEqual([
      'practice: 4 records',
      `${join(folder, 'local/records.ndjson')}, line 5: Visit needs "patient", the id of its patient.`,
    ])
  })

  it('serves the function of the project to its users, and memberships of the records give access', async () => {
    expect(await panel('therapist', 'familyName')).toEqual([{ familyName: 'Example-One' }])
    expect(await panel('patient', 'familyName phone')).toEqual([{ familyName: 'Example-One', phone: '555-0100-1234' }])
    expect((await panel('reception', 'familyName')).length).toBe(2)
  })

  interface Accesses {
    readonly data?: { readonly fieldAccesses: { readonly edges: readonly { readonly node: unknown }[] } }
    readonly errors?: readonly { readonly extensions: { readonly code: string } }[]
  }
  const accesses = async (user: string, filter: string): Promise<Accesses> => {
    const query = `{ fieldAccesses(filter: { ${filter} }) { edges { node { userId path outcome reason } } } }`
    return (await ask(user, query, '/audit/graphql')) as unknown as Accesses
  }

  it('serves the auditor: the field accesses of a request, with those of a denied field, and no record of a patient', async () => {
    const asked = (await ask('therapist', '{ patients { edges { node { familyName phone } } } }')) as unknown as {
      extensions: { phi: { requestId: string } }
    }
    const { data } = await accesses('auditor', `requestId: "${asked.extensions.phi.requestId}"`)
    expect(data?.fieldAccesses.edges.map(({ node }) => node)).toEqual([
      { userId: 'therapist', path: 'Patient.familyName', outcome: 'DISCLOSED', reason: null },
      { userId: 'therapist', path: 'Patient.phone', outcome: 'DENIED', reason: 'ROLE' },
    ])
    const { data: records } = await ask('auditor', '{ patients { edges { node { familyName } } } }')
    expect(records.patients).toBeNull()
  })

  it('serves the auditor an answer over a span of time, and refuses every other role', async () => {
    const span = `from: "${new Date(Date.now() - 60_000).toISOString()}", to: "${new Date(Date.now() + 60_000).toISOString()}"`
    const { data } = await accesses('auditor', span)
    expect(data?.fieldAccesses.edges).toContainEqual({
      node: { userId: 'therapist', path: 'Patient.phone', outcome: 'DENIED', reason: 'ROLE' },
    })
    for (const user of ['therapist', 'reception', 'patient'])
      expect((await accesses(user, 'userId: "therapist"')).errors).toMatchObject([
        { extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE' } },
      ])
  })

  it("gives each user of the explorer's menu the endpoint that answers the user", async () => {
    const response = await fetch(new URL('/explorer/config.json', stack.stack.graphql))
    const { users } = (await response.json()) as { users: { name: string; endpoint: string }[] }
    expect(Object.fromEntries(users.map(({ name, endpoint }) => [name, endpoint]))).toEqual({
      therapist: '/graphql',
      reception: '/graphql',
      patient: '/graphql',
      auditor: '/audit/graphql',
    })
  })

  const load = async (text: string, tenant = 'practice') => {
    const file = join(root, 'more.ndjson')
    writeFileSync(file, text)
    const ran = await runCommand(loadCommand(), [file, '--tenant', tenant])
    // the notary of the stack runs in this process, and prints its events
    return { ...ran, stdout: ran.stdout.replaceAll(/^\{.*\n/gm, '') }
  }
  const inFolder = async <T>(work: () => Promise<T>): Promise<T> => {
    const from = process.cwd()
    process.chdir(folder)
    try {
      return await work()
    } finally {
      process.chdir(from)
    }
  }

  it('phi load repeats without a change, writes a changed line as a new version, and lists refused lines by number', async () => {
    const line = (name: string, user: string): string =>
      JSON.stringify({
        type: 'Patient',
        id: 'p-3',
        values: { familyName: name },
        memberships: [{ user: `Practitioner/${user}`, relationship: 'CARE_TEAM' }],
      })
    await inFolder(async () => {
      expect(await load(`\uFEFF${line('Example-Three', 'nobody')}\r\n\r\n`)).toEqual({
        code: 0,
        stdout: 'records: created 1, updated 0, unchanged 0\n',
        stderr: '',
      })
      expect(await load(line('Example-Three', 'nobody'))).toMatchObject({ stdout: 'records: created 0, updated 0, unchanged 1\n' })
      expect(await panel('therapist', 'familyName')).toEqual([{ familyName: 'Example-One' }])
      const repeated = [line('Example-Four', 'therapist'), '{"type":"Secret"}', line('Example-Five', 'therapist')].join('\n')
      expect(await load(repeated)).toEqual({
        code: 1,
        stdout: 'records: created 0, updated 2, unchanged 0\n',
        stderr: 'line 2: id: Invalid input: expected string, received undefined\n',
      })
    })
    const names = (await panel('therapist', 'familyName')).map(({ familyName }) => familyName)
    expect(names.toSorted()).toEqual(['Example-Five', 'Example-One'])
  })

  it('phi load refuses a tenant without keys, and a file that cannot be read', async () => {
    await inFolder(async () => {
      expect(await load('{}', 'elsewhere')).toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringMatching(/^error: .*tenant/) as string,
      })
      expect(await runCommand(loadCommand(), [join(root, 'none'), '--tenant', 'practice'])).toEqual({
        code: 1,
        stdout: '',
        stderr: `error: Cannot read ${join(root, 'none')}: it does not exist. Check the path.\n`,
      })
    })
  })
})

it('the local stack of a project stops all services and restores all variables if the module of the function has no handler', async () => {
  const project = writeStarterProject(mkdtempSync(join(root, 'p-')))
  const handler = join(project.folder, 'functions/none.ts')
  writeFileSync(handler, "export const handler = 'none'\n")
  await expect(started({ ...project, handler }, [])).rejects.toThrow(`${handler} exports no function "handler"`)
  expect({ ...process.env }).toEqual(before)
})
