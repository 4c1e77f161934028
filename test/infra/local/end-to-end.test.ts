import { parseExport } from '../../../gateway/audit/verify/export.ts'
import { verifyReceipt } from '../../../gateway/audit/verify/receipt.ts'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { demoBundles } from '../../../infra/local/demo/bundles.ts'
import { clientFile } from '../../../infra/local/demo/demo-clients.ts'
import { DEMO_USERS } from '../../../infra/local/users.ts'
import { readStackFile } from '../../../infra/local/stack-file.ts'
import { fetchToken } from '../../../infra/local/token.ts'
import { at, nodesAt } from '../../gateway/asking.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const PATIENTS = 21
const READY_WITHIN_MS = 50_000

let dataFolder: string
let stack: ChildProcess
let output = ''
let url: string

/** Independent of any other stack: its own engine, folder and ports. */
function environment(port: number): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^(?:PHI_|AWS_|VITEST|NODE_ENV)/.test(name))
  return { ...Object.fromEntries(own), PORT: String(port), PHI_DATA: dataFolder }
}

/** A free port with a free next port, which the identity provider uses. */
async function twoFreePorts(): Promise<number> {
  const listening = async (port: number): Promise<{ port: number; close: () => void }> => {
    const server = createServer().listen(port, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    return { port: typeof address === 'object' && address ? address.port : 0, close: () => server.close() }
  }
  for (;;) {
    const one = await listening(0)
    try {
      const two = await listening(one.port + 1)
      two.close()
      return one.port
    } catch {
      // the next port is taken: try another pair
    } finally {
      one.close()
    }
  }
}

async function phi(...words: readonly string[]): Promise<string> {
  const run = promisify(execFile)
  const { stdout } = await run(process.execPath, ['cli/phi.ts', ...words], { cwd: ROOT, env: environment(0), maxBuffer: 1e7 })
  return stdout
}

async function ask(
  token: string | undefined,
  body: string,
  endpoint = url,
): Promise<{ status: number; headers: Headers; text: string; json: unknown }> {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token !== undefined && { authorization: `Bearer ${token}` }) },
    body,
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, json: JSON.parse(text) as unknown }
}

beforeAll(async () => {
  dataFolder = mkdtempSync(join(tmpdir(), 'phi-e2e-'))
  const port = await twoFreePorts()
  url = `http://127.0.0.1:${port}/graphql`
  // the command of `npm start`
  stack = spawn(process.execPath, ['infra/local/start.ts', '--patients', String(PATIENTS)], { cwd: ROOT, env: environment(port) })
  await new Promise<void>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`not ready: ${output}`)), READY_WITHIN_MS)
    const read = (chunk: Buffer): void => {
      output += chunk.toString('utf8')
      if (!/^Ready in/m.test(output)) return
      clearTimeout(late)
      resolve()
    }
    stack.stdout?.on('data', read)
    stack.stderr?.on('data', read)
    stack.on('exit', () => reject(new Error(`ended: ${output}`)))
  })
})
afterAll(() => {
  stack.kill('SIGKILL')
  rmSync(dataFolder, { recursive: true, force: true })
})

/** The request that a text of commands has for a user: the endpoint and the body of its curl command. */
function printedRequest(text: string, user: string): { readonly endpoint: string; readonly body: string } {
  const line = text.split('\n').find((text) => text.startsWith('curl ') && text.includes(`token ${user})`))
  const [, endpoint = '', body = ''] = /^curl -s (\S+) .*-d '(.*)'$/.exec(line ?? '') ?? []
  return { endpoint, body }
}

const demoPatients = (): readonly unknown[] =>
  [...demoBundles({ tenant: 'riverside', count: PATIENTS })].map(({ entry }) =>
    entry.map(({ resource }) => resource).find(({ resourceType }) => resourceType === 'Patient'),
  )

describe('the stack of one machine, over HTTP', () => {
  it('C06: phi policy explain predicts the answer for a demo user, and quotes no invalid query', async () => {
    const file = join(dataFolder, 'asked.graphql')
    writeFileSync(file, '{ patients { edges { node { familyName ssn } } } }')
    const printed = await phi('policy', 'explain', '--user', 'physician', '--query', file)
    expect(printed).toMatch(/^Patient\.familyName +READ +DEPENDS/m)
    expect(printed).toMatch(/^Patient\.ssn +READ +DENIED +ROLE +Patient\.ssn#1/m)
    writeFileSync(file, '{ nonsense }')
    const refused = phi('policy', 'explain', '--user', 'physician', '--query', file)
    await expect(refused).rejects.toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('GRAPHQL_VALIDATION_FAILED') as string,
    })
  })

  it("answers every demo user's own query by the rights of the role", async () => {
    const file = readStackFile(dataFolder)
    const answers = new Map<string, Awaited<ReturnType<typeof ask>>>()
    const tour = await phi('tour')
    // the command on the screen is that of the first user
    expect(printedRequest(output, 'physician')).toEqual(printedRequest(tour, 'physician'))
    for (const { name } of DEMO_USERS) {
      const { endpoint, body } = printedRequest(tour, name)
      // a partner runs registered operations by id
      expect(body, name).toContain(name === 'acme' ? 'documentId' : 'query')
      const answer = await ask(await fetchToken(file, name), body, endpoint)
      expect(answer.status, name).toBe(200)
      expect(answer.json).not.toHaveProperty('errors')
      expect(answer.headers.get('cache-control')).toBe('no-store')
      answers.set(name, answer)
    }
    const nodes = (user: string): unknown[] => nodesAt(at(answers.get(user)?.json, 'data'), 'patients')
    expect(nodes('physician')).toHaveLength(2)
    expect(nodesAt(nodes('physician')[0], 'observations')).toHaveLength(2)
    for (const node of nodes('billing')) expect(at(node, 'ssn')).toMatch(/^\*{3}-\*{2}-\d{4}$/)
    for (const node of nodes('researcher')) {
      expect(at(node, 'birthDate')).toMatch(/^(?:\d{4}|90\+)$/)
      expect(at(node, 'address', 'postalCode')).toMatch(/^\d{3}$/)
    }
    expect(nodes('patient')).toHaveLength(1)
    expect(nodes('acme').length).toBeGreaterThan(0)
    for (const node of nodes('acme')) expect(at(node, 'familyName')).toEqual(expect.any(String))
    expect(at(answers.get('auditor')?.json, 'data', 'fieldAccesses', 'edges')).not.toEqual([])
    expect(at(answers.get('admin')?.json, 'data', 'viewer', 'roles')).toEqual(['ADMIN'])
  })

  it('P10: refuses a partner with a text, also with the text of a registered operation', async () => {
    const token = await fetchToken(readStackFile(dataFolder), 'acme')
    const { operations } = JSON.parse(clientFile('acme', 'manifest.json')) as { readonly operations: readonly { body: string }[] }
    for (const query of ['{ patients { edges { node { mrn } } } }', operations[0]?.body]) {
      const { status, json } = await ask(token, JSON.stringify({ query }))
      expect(status).toBe(400)
      expect(json).toMatchObject({ errors: [{ extensions: { code: 'PERSISTED_DOCUMENT_ID_REQUIRED' } }] })
      expect(json).not.toHaveProperty('data')
    }
  })

  it('P2, P5: answers each caller by relationship, and leaves a record of each value that the command line lists', async () => {
    const [physician, foreign] = (await Promise.all([phi('token', 'physician'), phi('token', 'lakeside-physician')])).map((text) =>
      text.trim(),
    )
    const listed = await ask(physician, JSON.stringify({ query: '{ patients(first: 1) { edges { node { id } } } }' }))
    const id = at(nodesAt(at(listed.json, 'data'), 'patients')[0], 'id')
    const body = JSON.stringify({
      query: 'query First($id: ID!) { patient(id: $id) { familyName ssn observations(first: 1) { edges { node { category } } } } }',
      variables: { id },
    })
    const answer = await ask(physician, body)
    expect(at(answer.json, 'data', 'patient', 'familyName')).toEqual(expect.any(String))
    expect(at(answer.json, 'data', 'patient', 'ssn')).toBeNull()
    expect(at(answer.json, 'errors')).toMatchObject([
      { path: ['patient', 'ssn'], extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE' } },
    ])

    const request = String(at(answer.json, 'extensions', 'phi', 'requestId'))
    const lines = (await phi('audit', 'list', '--request', request, '--json')).trim().split('\n')
    const entries = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(entries.map(({ path, outcome, operation }) => [path, outcome, operation]).toSorted()).toEqual([
      ['Observation.category', 'DISCLOSED', 'First'],
      ['Patient.familyName', 'DISCLOSED', 'First'],
      ['Patient.observations', 'DISCLOSED', 'First'],
      ['Patient.ssn', 'DENIED', 'First'],
    ])
    expect(JSON.stringify(entries)).not.toContain(String(at(answer.json, 'data', 'patient', 'familyName')))
    const { items } = parseExport(lines.join('\n'))
    expect(verifyReceipt(items, request, String(at(answer.json, 'extensions', 'phi', 'receipt')))).toBe(true)

    const stranger = await ask(foreign, body)
    expect(stranger.status).toBe(200)
    expect(at(stranger.json, 'data')).toEqual({ patient: null })
    expect(at(stranger.json, 'errors', 0, 'extensions')).toEqual({ code: 'NOT_FOUND' })
  })

  // ten commands, each in its own process
  it('C18: the commands of docs/research.md write a study, list it and end it, and refuse without an echo', async () => {
    const text = readFileSync(join(ROOT, 'docs/research.md'), 'utf8')
    const commands = text.split('\n').flatMap((line) => /^npm run phi -- (study .*)$/.exec(line)?.[1]?.split(' ') ?? [])
    const said = (/^```json\n([^]*?)^```$/m.exec(text)?.[1] ?? '').trim()
    const [put, list, end] = [commands.slice(0, 6), commands.slice(6, 10), commands.slice(10)] as const
    const file = join(dataFolder, 'study.json')
    const inFolder = put.map((word) => (word === 'study.json' ? file : word))
    const billing = (await phi('token', 'billing')).trim()
    const listed = await ask(billing, JSON.stringify({ query: '{ patients(first: 2) { edges { node { id } } } }' }))
    const patients = nodesAt(at(listed.json, 'data'), 'patients').map((node) => String(at(node, 'id')))
    expect(patients).toHaveLength(2)

    writeFileSync(file, said)
    await expect(phi(...inFolder)).rejects.toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining(
        'error: patients[0] is not a patient id. Use the id that the API returns for a patient.\n',
      ) as string,
    })
    writeFileSync(file, JSON.stringify({ ...(JSON.parse(said) as object), patients }))
    expect(await phi(...inFolder)).toBe('memberships added 2, unchanged 0, ended 0\n')
    expect(await phi(...inFolder)).toBe('memberships added 0, unchanged 2, ended 0\n')
    expect(await phi(...list)).toMatch(/^A1C-2026 {2}from \S+ until \S+ {2}Practitioner\/researcher {2}Sugar in three years$/m)
    const researcher = (await phi('token', 'researcher')).trim()
    const panel = async (): Promise<number> => {
      const body = JSON.stringify({ query: '{ patients(first: 5) { edges { node { birthDate } } } }' })
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${researcher}`, 'x-research-study': 'A1C-2026' }
      const answer: unknown = await (await fetch(url, { method: 'POST', headers, body })).json()
      return nodesAt(at(answer, 'data'), 'patients').length
    }
    expect(await panel()).toBe(2)
    expect(await phi(...end)).toBe('ended\n')
    expect(await panel()).toBe(0)
    // a misspelled protocol creates no study
    const misspelled = join(dataFolder, 'misspelled.json')
    writeFileSync(misspelled, JSON.stringify({ ...(JSON.parse(said) as object), protocol: 'A1C-2062', patients }))
    await expect(phi('study', 'put', misspelled, '--tenant', 'riverside')).rejects.toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /^error: the tenant has no such study \("protocol" of <file>\)\. Did you mean A1C-2026\? If the study is new, add --new-study\. The studies are: .*A1C-2026.*\.\n$/,
      ) as string,
    })
    expect(await phi('study', 'put', file, '--tenant', 'riverside')).toBe('memberships added 0, unchanged 2, ended 0\n')
    const refused = phi('study', 'end', 'SECRET-1', '--tenant', 'riverside')
    await expect(refused).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^error: .*no such study/) as string,
    })
  }, 60_000)

  it('P8: refuses other methods, callers and paths with the HTTP status of each', async () => {
    const health = await fetch(new URL('/health', url))
    expect([health.status, await health.json()]).toEqual([200, { status: 'ok' }])
    const get = await fetch(`${url}?query={viewer{tenant}}`)
    expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST'])
    const nobody = await ask(undefined, JSON.stringify({ query: '{ viewer { tenant } }' }))
    expect([nobody.status, nobody.headers.get('www-authenticate'), nobody.headers.get('cache-control')]).toEqual([
      401,
      'Bearer',
      'no-store',
    ])
    expect(nobody.json).not.toHaveProperty('data')
    const elsewhere = await fetch(new URL('/elsewhere', url))
    expect(elsewhere.status).toBe(404)
  })

  it('P8: names and numbers of patients occur neither in the engine`s file nor in the output of the process', async () => {
    const secrets = demoPatients().flatMap((patient) => [
      String(at(patient, 'name', 0, 'family')),
      String(at(patient, 'name', 0, 'given', 0)),
      String(at(patient, 'identifier', 0, 'value')),
      String(at(patient, 'identifier', 1, 'value')),
      String(at(patient, 'identifier', 1, 'value')).replaceAll('-', ''),
      String(at(patient, 'address', 0, 'line', 0)),
    ])
    const told = secrets.filter((secret) => secret.length >= 5)
    expect(told.length).toBeGreaterThan(PATIENTS * 4)
    // unsealed bytes as a control: the search must find them in the storage format of the engine
    const { env } = readStackFile(dataFolder)
    const control = 'Forgotten-Control'
    const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }
    const client = new DynamoDBClient({ endpoint: env.AWS_ENDPOINT_URL_DYNAMODB, region: env.AWS_REGION, credentials })
    const item = { pk: { S: 'control' }, sk: { S: 'control' }, v: { B: Buffer.from(control) } }
    await client.send(new PutItemCommand({ TableName: env.PHI_TABLE_RECORDS, Item: item }))
    client.destroy()

    const files = readdirSync(dataFolder).filter((name) => name.startsWith('dynamodb.sqlite'))
    const stored = Buffer.concat(files.map((name) => readFileSync(join(dataFolder, name)))).toString('latin1')
    expect(standsIn(stored)(control)).toBe(true)
    expect(told.filter(standsIn(stored))).toEqual([])
    expect(told.filter(standsIn(output))).toEqual([])
    // one line for each request, of fixed shape
    expect(output).toMatch(/^\d\d:\d\d:\d\d {2}200 +\d+ ms {2}\d+ resolved, \d+ denied {2}[\w-]{24}$/m)
  })

  it('P8: prints the screen and one line for each request, warning and fault, and nothing each minute', () => {
    const lines = output
      .slice(output.search(/^Ready in/m))
      .trim()
      .split('\n')
      .slice(1)
    expect(lines.filter((line) => !/^\d\d:\d\d:\d\d {2}(?:\d{3} |warning: )/.test(line))).toEqual([])
    expect(output).not.toMatch(/_PASS|CloudWatch/)
  })

  it('ends with its engine on SIGTERM', async () => {
    const { env } = readStackFile(dataFolder)
    const ended = once(stack, 'exit')
    stack.kill('SIGTERM')
    expect(await ended).toEqual([0, null])
    await expect(fetch(env.AWS_ENDPOINT_URL_DYNAMODB)).rejects.toThrow()
    await expect(fetch(url)).rejects.toThrow()
    expect(() => readStackFile(dataFolder)).toThrow()
  })
})

/** Whether a text contains another one: plain, in hex, or in base64. */
function standsIn(place: string): (secret: string) => boolean {
  const lower = place.toLowerCase()
  return (secret) =>
    inPlain(place, secret) ||
    lower.includes(Buffer.from(secret).toString('hex')) ||
    inBase64(secret).some((encoded) => place.includes(encoded))
}

/** Five letters occur by chance in megabytes of base64, so a short text counts only as a separate word. */
function inPlain(place: string, secret: string): boolean {
  const ofWord = (at: number): boolean => /[\w+/=]/.test(place.charAt(at))
  for (let at = place.indexOf(secret); at >= 0; at = place.indexOf(secret, at + 1)) {
    if (secret.length >= 8 || !(ofWord(at - 1) || ofWord(at + secret.length))) return true
  }
  return false
}

/**
 * The forms of a text within base64 of a longer text: at each of three offsets, without the characters that depend on the
 * neighbors.
 */
function inBase64(secret: string): string[] {
  return [0, 1, 2].map((offset) => {
    const whole = Buffer.from('\0'.repeat(offset) + secret).toString('base64')
    const bits = (offset + secret.length) * 8
    return whole.slice(Math.ceil((offset * 8) / 6), Math.floor(bits / 6))
  })
}
