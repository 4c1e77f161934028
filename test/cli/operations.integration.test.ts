import { paginateScan } from '@aws-sdk/client-dynamodb'
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { operationsCommand } from '../../cli/operations.ts'
import { entriesOf } from '../../gateway/audit/item.ts'
import { ItemPacker } from '../../gateway/audit/item-packer.ts'
import { newRequestId } from '../../gateway/audit/request-id.ts'
import { openServices, type Services } from '../../gateway/compose.ts'
import { Deadline } from '../../gateway/model/deadline.ts'
import type { Instant, TenantId } from '../../gateway/model/ids.ts'
import { openNotary } from '../../gateway/open-notary.ts'
import { openTables } from '../../gateway/open-tables.ts'
import { storedRegistry } from '../../gateway/operations/persisted/stored-registry.ts'
import { type Stack, startStack } from '../../infra/local/stack.ts'
import { clinicLock } from '../../schema/clinic.ts'
import { access, context } from '../gateway/audit/examples.ts'
import { runCommand } from './run-command.ts'

const FILES = 'infra/local/demo/clients'
const RIVERSIDE = 'riverside' as TenantId
const folder = mkdtempSync(join(tmpdir(), 'phi-operations-'))
let stack: Stack
let services: Services

beforeAll(async () => {
  const namespace = `operations-${randomUUID()}`
  stack = await startStack({ dataFolder: join(folder, 'stack'), port: 0, namespace })
  services = openServices(stack.env)
  await services.keyring.createTenant(RIVERSIDE)
}, 120_000)
afterAll(async () => {
  services.close()
  await stack.stop()
  rmSync(folder, { recursive: true })
})

const phi = (...words: readonly string[]) =>
  runCommand(
    operationsCommand(
      (command) => command,
      () => Promise.resolve(),
    ),
    words,
  )

interface ManifestFile {
  readonly operations: readonly { readonly id: string; readonly name: string; readonly type: string; readonly body: string }[]
}
const MANIFEST = join(FILES, 'acme', 'manifest.json')
const { operations: OPERATIONS } = JSON.parse(readFileSync(MANIFEST, 'utf8')) as ManifestFile
const [FIRST] = OPERATIONS
const CONTRACT = JSON.parse(readFileSync(join(FILES, 'acme', 'contract.json'), 'utf8')) as { readonly paths: readonly string[] }

let files = 0
const written = (text: string): string => {
  const file = join(folder, `file-${++files}`)
  writeFileSync(file, text)
  return file
}
const contractFile = (client: string, change: object = {}): string => written(JSON.stringify({ ...CONTRACT, client, ...change }))
const without = (path: string): readonly string[] => CONTRACT.paths.filter((one) => one !== path)
const newClient = (): string => `client-${randomUUID()}`
const ofClient = (client: string): readonly string[] => ['--tenant', RIVERSIDE, '--client', client]
const ofVersion = (client: string, version: string): readonly string[] => [
  ...ofClient(client),
  '--app',
  'claims',
  '--version',
  version,
]
const tenant = ['--tenant', RIVERSIDE] as const
/** For the first command on a client. */
const NEW = '--new-client'
const done = { code: 0, stderr: '' }

/** A client with the contract of the demo and its operations, in an active version `1` of `claims`. */
async function published(): Promise<string> {
  const client = newClient()
  expect(await phi('contract', contractFile(client), ...tenant, '--yes', NEW)).toMatchObject(done)
  expect(await phi('publish', MANIFEST, ...ofVersion(client, '1'), '--activate')).toMatchObject(done)
  return client
}

const shown = async (client: string) =>
  JSON.parse((await phi('show', ...ofClient(client), '--json')).stdout) as {
    readonly apps: unknown
    readonly operations: readonly { readonly id: string; readonly requests?: number; readonly revoked?: unknown }[]
  }

/** Path, action and count of the audit records about a client. */
async function auditOf(client: string): Promise<readonly string[]> {
  const found = []
  const pages = paginateScan({ client: stack.dynamodb }, { TableName: stack.env.PHI_TABLE_AUDIT })
  for await (const { Items: items = [] } of pages) found.push(...items.filter(({ e }) => e !== undefined).flatMap(entriesOf))
  return found
    .filter(({ recordId }) => recordId === client)
    .map(({ path, action, count, user, operation }) => [path, action, count ?? '-', user.slice(0, 3), operation].join(' '))
    .toSorted()
}

/** Records a request of a client for an operation, and brings the audit tables up to date. */
async function use(client: string, text: string, at = Date.now()): Promise<void> {
  const operationHash = createHash('sha256').update(text).digest('hex')
  const requestId = newRequestId(services.process, Date.now(), randomBytes)
  const packer = new ItemPacker(context({ requestId, client, operationHash, persisted: true }))
  await services.audit.append(packer.ofWrite([access(1, { at: at as Instant })]), Date.now() + 30_000)
  await sealTables()
}

async function sealTables(): Promise<void> {
  const events = () => undefined
  await openNotary(stack.env, { lock: clinicLock(), events }).run()
  expect(await openTables(stack.env, { events }).run()).toBe(true)
}

describe('phi operations: contracts and publications', () => {
  it('P10: refuses an operation one path beyond the contract with that path, and registers it once the path is added', async () => {
    const client = newClient()
    await phi('contract', contractFile(client, { paths: without('Claim.diagnosis') }), ...tenant, '--yes', NEW)
    const refused = await phi('publish', MANIFEST, ...ofClient(client))
    expect(refused.code).toBe(1)
    const reasons = refused.stderr.split('\n').filter((line) => line.startsWith('  '))
    expect(new Set(reasons)).toEqual(new Set(['  Claim.diagnosis is not a path of the contract.']))
    expect((await shown(client)).operations).toEqual([])

    const widened = await phi('contract', contractFile(client), ...tenant, '--yes')
    expect(widened.stdout).toContain('widened   paths: none -> Claim.diagnosis\n')
    expect(await phi('publish', MANIFEST, ...ofClient(client))).toMatchObject(done)
    const { apps, operations } = await shown(client)
    expect(operations.map(({ id }) => id)).toEqual(OPERATIONS.map(({ id }) => id).toSorted())
    expect(apps).toEqual({ default: { current: 'ACTIVE' } })
    expect(await auditOf(client)).toEqual([
      '#contract CREATE - os: contract',
      '#contract UPDATE - os: contract',
      '#operation CREATE 6 os: publish',
    ])
  })

  it('P10: names the operations beyond a narrowed contract, which holds from the next request on', async () => {
    const client = await published()
    const narrowed = await phi('contract', contractFile(client, { paths: without('Claim.diagnosis') }), ...tenant)
    expect(narrowed).toMatchObject(done)
    expect(narrowed.stdout).toContain('narrowed  paths: Claim.diagnosis -> none\n')
    expect(narrowed.stdout).toContain('  Claim.diagnosis is not a path of the contract.\n')
    const deadline = new Deadline(Date.now() + 10_000, { now: Date.now, monotonic: () => performance.now() })
    const registry = storedRegistry({ table: services.operations, keyring: services.keyring, now: Date.now })
    const { client: stored } = await registry.byId({ tenant: RIVERSIDE, client }, FIRST?.id ?? '', deadline)
    expect([...(stored?.contract?.paths ?? [])].toSorted()).toEqual(without('Claim.diagnosis'))

    const check = await phi('check', ...tenant)
    expect(check.code).toBe(1)
    expect(check.stdout).toContain(
      `refused  ${client}  ClaimById  ${FIRST?.id ?? ''}\n  Claim.diagnosis is not a path of the contract.\n`,
    )
    // later checks of this tenant are sound
    await phi('contract', contractFile(client), ...tenant, '--yes')
    expect((await phi('check', ...tenant, '--json')).code).toBe(0)
  })

  it('P10: approves a contract that widens only with --yes, and writes nothing in a dry run', async () => {
    const client = newClient()
    expect(await phi('contract', contractFile(client), ...tenant, NEW)).toMatchObject({
      code: 1,
      stderr: 'error: The contract widens. Review it, then approve it with --yes.\n',
    })
    expect((await phi('contract', contractFile(client), ...tenant, NEW, '--dry-run')).code).toBe(0)
    expect((await phi('publish', MANIFEST, ...ofClient(client), NEW, '--dry-run')).code).toBe(0)
    expect((await phi('list', ...ofClient(client))).code).toBe(1)
    expect(await auditOf(client)).toEqual([])
  })

  it('writes the report of an approval and of a refusal, and never over another one', async () => {
    const client = newClient()
    const [approved, refused] = [join(folder, 'approved'), join(folder, 'refused')]
    await phi('contract', contractFile(client, { paths: [] }), ...tenant, NEW, '--yes', '--out', approved)
    expect(readdirSync(approved).toSorted()).toEqual(['report.json', 'report.md'])
    expect(readFileSync(join(approved, 'report.md'), 'utf8')).toMatch(/^# Contract of client/)
    await phi('publish', MANIFEST, ...ofClient(client), '--out', refused)
    expect(JSON.parse(readFileSync(join(refused, 'report.json'), 'utf8'))).toMatchObject({ client, verdict: 'REFUSED' })
    const again = await phi('publish', MANIFEST, ...ofClient(client), '--out', refused)
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('(--out): it already exists.') as string })
  })

  it.each([
    ['no JSON', 'not JSON', 'The file is no manifest of Apollo (format 1) or of Relay.'],
    ['an empty one', '{}', 'The manifest has no operations.'],
    ['a subscription', '{"a":"subscription S { viewer { userId } }"}', 'is a subscription.'],
    ['an id with a control character', '{"\\u001b[2J":"query A { viewer { userId } }"}', 'has an invalid id.'],
    ['a prototype', '{"__proto__":"query A { viewer { nothing } }"}', 'The text is refused with GRAPHQL_VALIDATION_FAILED.'],
  ])('P10: refuses a manifest with %s, and repeats nothing of its text', async (_name, text, message) => {
    const { code, stdout, stderr } = await phi('publish', written(text), ...ofClient(newClient()), NEW)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain(message)
    expect(stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f]|viewer|2J/)
  })

  it('refuses a file, a tenant and a client that do not exist', async () => {
    const client = newClient()
    expect((await phi('publish', join(folder, 'none'), ...ofClient(client))).stderr).toMatch(
      /^error: Cannot read .*none.*: it does not exist\. Check the path\.\n$/,
    )
    const unknown = await phi('list', '--tenant', 'nowhere')
    expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('no such tenant (--tenant)') as string })
    for (const words of [['show'], ['activate', '--app', 'a', '--version', '1'], ['revoke', 'x']]) {
      const { code, stderr } = await phi(...words, ...ofClient(client))
      expect(code).toBe(1)
      expect(stderr).toContain('the tenant has no such client (--client).')
    }
  })
})

describe('phi operations: misspelled names', { timeout: 120_000 }, () => {
  const LAKESIDE = 'lakeside' as TenantId
  const inLakeside = (client: string): readonly string[] => ['--tenant', LAKESIDE, '--client', client]
  const refused = (text: string) => ({ code: 1, stdout: '', stderr: `error: ${text}\n` })
  const UNKNOWN = 'the tenant has no such client'
  const KNOWN = 'The clients are: acme, portal.'
  beforeAll(async () => {
    await services.keyring.createTenant(LAKESIDE)
    expect(await phi('contract', contractFile('acme'), '--tenant', LAKESIDE, '--yes', NEW)).toMatchObject(done)
    const version = ['--app', 'web', '--version', '1.0', '--activate']
    expect(await phi('publish', MANIFEST, ...inLakeside('portal'), ...version, NEW)).toMatchObject(done)
  }, 120_000)

  it('refuses to publish for an unknown client, with the known ones and the option for a new one', async () => {
    const text = `${UNKNOWN} (--client). Did you mean portal? If the client is new, add --new-client. ${KNOWN}`
    expect(await phi('publish', MANIFEST, ...inLakeside('portall'))).toEqual(refused(text))
    expect(await phi('publish', MANIFEST, ...inLakeside('portall'), '--dry-run')).toEqual(refused(text))
    expect((await phi('list', '--tenant', LAKESIDE, '--json')).stdout).not.toContain('portall')
    expect(await auditOf('portall')).toEqual([])
  })

  it('refuses a contract of an unknown client, with the known ones and the option for a new one', async () => {
    const text = `${UNKNOWN} ("client" of <file>). Did you mean acme? If the client is new, add --new-client. ${KNOWN}`
    expect(await phi('contract', contractFile('acmee'), '--tenant', LAKESIDE, '--yes')).toEqual(refused(text))
    expect(await auditOf('acmee')).toEqual([])
  })

  it('states that the tenant has no clients yet', async () => {
    const tenantId = `tenant-${randomUUID()}`
    await services.keyring.createTenant(tenantId as TenantId)
    expect(await phi('publish', MANIFEST, '--tenant', tenantId, '--client', 'portal')).toEqual(
      refused(`${UNKNOWN} (--client). If the client is new, add --new-client. It has no clients.`),
    )
  })

  it('refuses to publish for a further application, with the known ones and the option for a new one', async () => {
    const version = ['--version', '2.0', '--app']
    expect(await phi('publish', MANIFEST, ...inLakeside('portal'), ...version, 'wep')).toEqual(
      refused(
        'the client has no such application (--app). Did you mean web? If the application is new, add --new-app. The applications are: web.',
      ),
    )
    expect(await phi('publish', MANIFEST, ...inLakeside('portal'), ...version, 'kiosk', '--new-app')).toMatchObject(done)
  })

  it('refuses to list stale operations of an unknown client, with the known ones', async () => {
    await use('portal', FIRST?.body ?? '')
    const ran = await phi('stale', ...inLakeside('protal'), '--days', '30')
    const [, error] = /^(?:the audit tables .*\n)?([^]*)$/.exec(ran.stderr) ?? []
    expect({ ...ran, stderr: error }).toEqual(refused(`${UNKNOWN} (--client). Did you mean portal? ${KNOWN}`))
  })
})

describe('phi operations: versions, revocations and uses', { timeout: 120_000 }, () => {
  it('P10: serves a version after it is activated', async () => {
    const client = newClient()
    await phi('contract', contractFile(client), ...tenant, '--yes', NEW)
    await phi('publish', MANIFEST, ...ofVersion(client, '1'))
    expect((await shown(client)).apps).toEqual({ claims: { '1': 'PENDING' } })
    expect(await phi('activate', ...ofVersion(client, '1'))).toEqual({ ...done, stdout: 'active\n' })
    expect(await phi('activate', ...ofVersion(client, '1'))).toEqual({ ...done, stdout: 'already active\n' })
    expect((await phi('activate', ...ofVersion(client, '2'))).code).toBe(1)
    expect((await phi('list', ...ofClient(client))).stdout).toContain('  claims 1  ACTIVE\n')
  })

  it('P10: retires a version that was used only with --force, and the audit says so', async () => {
    const client = await published()
    await use(client, FIRST?.body ?? '')
    const refused = await phi('retire', ...ofVersion(client, '1'))
    expect(refused.code).toBe(1)
    expect(refused.stderr.split('\n').filter((line) => line.startsWith('  '))).toEqual([`  ${FIRST?.id ?? ''}`])
    // the same operations in another active version are served on
    await phi('publish', MANIFEST, ...ofVersion(client, '2'), '--activate')
    expect(await phi('retire', ...ofVersion(client, '1'))).toMatchObject({ code: 0, stdout: 'retired\n' })
    expect(await phi('retire', ...ofVersion(client, '2'), '--force')).toMatchObject({ code: 0, stdout: 'retired\n' })
    expect((await auditOf(client)).filter((line) => line.endsWith('retire'))).toEqual([
      '#operation UPDATE - os: retire',
      '#operation.forced UPDATE - os: retire',
    ])
  })

  it('P10: retires a version without uses, but not if the tables cannot be read', async () => {
    const client = await published()
    await use(newClient(), FIRST?.body ?? '')
    const { PHI_AUDIT_TABLES: tables } = process.env
    try {
      process.env['PHI_AUDIT_TABLES'] = written('no folder')
      const refused = await phi('retire', ...ofVersion(client, '1'))
      expect(refused).toMatchObject({ code: 1, stdout: '' })
      expect(refused.stderr).toContain('The audit could not show whether the operations of the version are used.')
      expect((await phi('stale', ...tenant, '--days', '1')).code).toBe(1)
    } finally {
      process.env['PHI_AUDIT_TABLES'] = tables
    }
    expect(await phi('retire', ...ofVersion(client, '1'))).toMatchObject({ code: 0, stdout: 'retired\n' })
  })

  it('P10: revokes an operation for good', async () => {
    const client = await published()
    const id = FIRST?.id ?? ''
    expect(await phi('revoke', id, ...ofClient(client))).toMatchObject({ code: 0, stdout: 'revoked\n' })
    expect(await phi('revoke', id, ...ofClient(client))).toMatchObject({ code: 0, stdout: 'already revoked\n' })
    expect((await phi('show', id, ...ofClient(client))).stdout).toMatch(/revoked by os:[^]*\n\nquery ClaimById/)
    const again = await phi('publish', MANIFEST, ...ofVersion(client, '2'))
    expect(again.stderr).toBe(`error: An operation is revoked. Remove it from the manifest:\n  ${id}\n`)
    expect(await auditOf(client)).toContain('#operation DELETE 1 os: revoke')
  })

  it('counts the requests for an operation by client, and finds no new operation stale', async () => {
    const [client, other] = [await published(), await published()]
    await use(client, FIRST?.body ?? '')
    await use(client, FIRST?.body ?? '')
    await use(other, FIRST?.body ?? '')
    const requests = (await shown(client)).operations.map(({ id, requests: count }) => [id, count])
    expect(requests).toContainEqual([FIRST?.id, 2])
    expect(requests.filter(([, count]) => count !== undefined)).toHaveLength(1)
    expect(await phi('stale', ...ofClient(client), '--days', '30')).toMatchObject({ code: 0, stdout: 'no stale operations\n' })
  })
})

/** The commands of the document, in their order. A command can have several lines, and words in single quotes. */
function documentedCommands(): readonly (readonly string[])[] {
  const text = readFileSync('docs/registering-operations.md', 'utf8')
  const blocks = [...text.matchAll(/^```bash\n([^]*?)^```/gm)].map(([, commands = '']) => commands.replaceAll('\\\n', ' '))
  const lines = blocks.flatMap((block) => block.trim().split('\n'))
  return lines.map((line) => [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, word = '']) => quoted ?? word))
}

describe('docs/registering-operations.md', { timeout: 120_000 }, () => {
  it('has commands that succeed in their order', async () => {
    await use('acme', FIRST?.body ?? '')
    const commands = documentedCommands()
    const named = new Set(commands.map(([, , name]) => name))
    expect(named).toEqual(
      new Set(
        operationsCommand(
          (command) => command,
          () => Promise.resolve(),
        ).commands.map((one) => one.name()),
      ),
    )
    for (const [phiWord, operations, ...words] of commands) {
      expect([phiWord, operations]).toEqual(['phi', 'operations'])
      const ran = await phi(...words.map((word) => word.replace(/^review\//, `${folder}/review-`)))
      expect({ words, ...ran }).toMatchObject({ words, code: 0 })
    }
  })
})
