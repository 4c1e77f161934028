import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { derivedKey } from '../../gateway/crypto/kms-mac.ts'
import { openDelivery } from '../../gateway/open-delivery.ts'
import { openObjects } from '../../gateway/store/open-objects.ts'
import type { GatewayEvent } from '../../gateway/telemetry/events.ts'
import { type KmsStandIn, startKms } from '../../infra/local/kms.ts'
import { clinicLock } from '../../schema/clinic.ts'
import { LAKESIDE, RIVERSIDE, WrittenLog } from './oversight/delivery/delivery-bench.ts'
import { ReferenceReceiver } from './oversight/delivery/reference-receiver.ts'
import { PLAIN } from './oversight/exports/export-bench.ts'
import { OCSF_TABLE } from './oversight/exports/ocsf-table.ts'
import { ocsfFaults } from './oversight/exports/ocsf-validator.ts'
import { NOON } from './audit/examples.ts'

const KEY = 'alias/phi-test-siem'
const CONFIRMED = { confirmedBy: 'A. Officer, privacy officer', confirmedOn: '2026-11-28' }

let kms: KmsStandIn
let folder: string
let events: GatewayEvent[]
const place = (name: string): string => join(folder, name)

beforeAll(async () => {
  kms = await startKms({ aliases: ['alias/phi-test-other'], signing: { [KEY]: 'HMAC_256' } })
  vi.stubEnv('AWS_REGION', 'us-east-1')
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'local')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'local')
  vi.stubEnv('AWS_ENDPOINT_URL_KMS', kms.endpoint)
})
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'phi-test-delivery-'))
  events = []
})
afterEach(() => rmSync(folder, { recursive: true }))
afterAll(async () => {
  vi.unstubAllEnvs()
  await kms.stop()
})

/** @param receivers the setting PHI_SIEM */
function opened(receivers: unknown, now: () => number = () => NOON + 60_000): ReturnType<typeof openDelivery> {
  const env = {
    PHI_STAGE: 'test',
    PHI_LOG_ORIGIN: 'phi.example.com',
    PHI_AUDIT_OBJECTS: place('log'),
    PHI_SIEM_POSITIONS: place('positions'),
    PHI_SIEM: typeof receivers === 'string' ? receivers : JSON.stringify(receivers),
  }
  return openDelivery(env, { lock: clinicLock(), now, events: (event) => void events.push(event) })
}

const toFolder = (name: string, more: object = { digestKey: KEY }): object => ({ name, sink: { folder: place(name) }, ...more })

async function written(tenant = RIVERSIDE, requests = 40, seed = 21): Promise<WrittenLog> {
  const log = new WrittenLog(openObjects({ PHI_AUDIT_OBJECTS: place('log') }), tenant, requests, seed)
  await log.seal(1_000, NOON / 1_000)
  return log
}

/** The files of a receiver for a tenant. */
function arrived(name: string, tenant = RIVERSIDE): { readonly receiver: ReferenceReceiver; readonly text: string } {
  const receiver = new ReferenceReceiver()
  const files = readdirSync(join(place(name), tenant)).map((file) => readFileSync(join(place(name), tenant, file)))
  for (const file of files) receiver.accept(file)
  return { receiver, text: files.map(String).join('') }
}

describe('C28: a receiver outside of the boundary', { timeout: 60_000 }, () => {
  it.each(['ocsf', 'fhir', 'ndjson'] as const)(
    'C28: gets no id of a patient or record and no sign of a consent, as %s',
    async (format) => {
      const log = await written()
      const entries = log.entries()
      expect(JSON.stringify(entries)).toMatch(/CONSENT/)
      expect(await opened([toFolder('soc', { digestKey: KEY, format })]).run()).toBe(true)
      const { receiver, text } = arrived('soc')
      expect([receiver.gaps(), receiver.known]).toEqual([[], log.items.length])
      expect(text).not.toMatch(/consent/i)
      expect(text).toContain('"identifiers":"DIGESTS"')
      const words = new Set(text.match(/[\w-]{22,}/g))
      const secrets = entries.flatMap(({ patient, recordId, basisId, hash }) => [patient, recordId, basisId, hash])
      expect(secrets.filter((secret) => secret !== undefined && words.has(secret))).toEqual([])
      // the bytes are those of an export under the derived key, whose events the validators of exports accept
      const digestKey = await derivedKey(KEY, 'phi-gateway/delivery-digests/v1\nsoc')
      const options = { ...PLAIN, identifiers: { digestKey }, gateway: 'https://phi.example.com' }
      expect(receiver.lines()).toEqual(await log.exportLines(format, options))
      if (format === 'ocsf') for (const line of receiver.lines()) expect(ocsfFaults(JSON.parse(line), OCSF_TABLE)).toEqual([])
    },
  )

  it('C28: gets digests under a key of its own, which the key in KMS gives again to another process', async () => {
    await written()
    await opened([toFolder('soc'), toFolder('archive')]).run()
    const [soc, archive] = [arrived('soc').receiver, arrived('archive').receiver]
    rmSync(place('positions'), { recursive: true })
    rmSync(place('soc'), { recursive: true })
    await opened([toFolder('soc')]).run()
    expect(arrived('soc').receiver.lines()).toEqual(soc.lines())
    const digestsOf = (lines: readonly string[]): Set<string> =>
      new Set(lines.join('').match(/(?<="databucket":\{"name":"Patient","uid":")[\w-]{22}(?=")/g))
    expect(digestsOf(soc.lines()).size).toBeGreaterThan(10)
    const others = digestsOf(archive.lines())
    expect([...digestsOf(soc.lines())].filter((digest) => others.has(digest))).toEqual([])
  })

  it('C28: gets nothing while its key is unavailable, and others do', async () => {
    await written()
    kms.setState(KEY, 'Denied')
    const inside = toFolder('inside', { insideBoundary: CONFIRMED })
    const service = opened([toFolder('soc'), inside])
    expect(await service.run()).toBe(false)
    expect(events).toContainEqual({
      event: 'DELIVERY_FAILED',
      receiver: 'soc',
      tenant: RIVERSIDE,
      cause: 'AccessDeniedException',
    })
    expect(readdirSync(folder)).not.toContain('soc')
    expect(arrived('inside').receiver.gaps()).toEqual([])
    kms.setState(KEY, 'Enabled')
    expect(await service.run()).toBe(true)
    expect(arrived('soc').receiver.gaps()).toEqual([])
  })
})

describe('C28: a receiver that a person confirmed to be inside the boundary', () => {
  it('C28: gets the records as an export with plain ids has them', async () => {
    const log = await written()
    await opened([toFolder('soc', { insideBoundary: CONFIRMED, format: 'ndjson' })]).run()
    const { receiver, text } = arrived('soc')
    expect(receiver.lines()).toEqual(await log.exportLines('ndjson', PLAIN))
    expect(text).toContain('"identifiers":"PLAIN"')
    expect(text).not.toContain(CONFIRMED.confirmedBy)
  })
})

describe('C28: a delivery that is not stated completely', () => {
  it.each([
    ['no receiver', ''],
    ['an empty list', '[]'],
    ['a text that is not JSON', '{'],
    ['neither a key for digests nor a confirmation', [{ name: 'soc', sink: { folder: '/siem' } }]],
    ['both of them', [{ name: 'soc', sink: { folder: '/siem' }, digestKey: KEY, insideBoundary: CONFIRMED }]],
    ['a confirmation by nobody', [{ name: 'soc', sink: { folder: '/siem' }, insideBoundary: { ...CONFIRMED, confirmedBy: '' } }]],
    ['a confirmation without a day', [{ name: 'soc', sink: { folder: '/siem' }, insideBoundary: { confirmedBy: 'A. Officer' } }]],
    ['a key that is empty', [{ name: 'soc', sink: { folder: '/siem' }, digestKey: '' }]],
    ['an unknown member', [{ name: 'soc', sink: { folder: '/siem' }, digestKey: KEY, identifiers: 'PLAIN' }]],
    ['an unknown format', [{ name: 'soc', sink: { folder: '/siem' }, digestKey: KEY, format: 'csv' }]],
    ['a relative folder', [{ name: 'soc', sink: { folder: 'siem' }, digestKey: KEY }]],
    ['two sinks', [{ name: 'soc', sink: { folder: '/siem', firehose: 'audit' }, digestKey: KEY }]],
    ['two receivers of one name', [toFolderOf('soc'), toFolderOf('soc')]],
    ['a name of a file', [{ name: '../soc', sink: { folder: '/siem' }, digestKey: KEY }]],
  ])('C28: does not start with %s, and reports it', (_what, setting) => {
    expect(() => opened(setting)).toThrow(/PHI_SIEM/)
    expect(events).toEqual([{ event: 'DELIVERY_FAILED', cause: 'ZodError' }])
  })
})

describe('C08: a folder on Lambda', () => {
  it('C08: is refused if it is lost with its process', () => {
    const env = { PHI_STAGE: 'test', PHI_LOG_ORIGIN: 'phi.example.com', AWS_LAMBDA_FUNCTION_NAME: 'phi-gateway-test-delivery' }
    const places = { PHI_AUDIT_OBJECTS: place('log'), PHI_SIEM_POSITIONS: place('positions') }
    const start = (to: string): unknown =>
      openDelivery(
        { ...env, ...places, PHI_SIEM: JSON.stringify([{ name: 'soc', sink: { folder: to }, digestKey: KEY }]) },
        { lock: clinicLock(), events: (event) => void events.push(event) },
      )
    expect(() => start('/tmp/siem')).toThrow('PHI_SIEM')
    expect(events).toEqual([{ event: 'DELIVERY_FAILED', cause: 'FolderNotDurable' }])
    expect(() => start('/mnt/siem')).not.toThrow()
  })
})

function toFolderOf(name: string): object {
  return { name, sink: { folder: '/siem' }, digestKey: KEY }
}

describe('C08: a pass over all tenants and receivers', () => {
  it('C08: reports how far each one is, and one that fails stops no other', async () => {
    const log = await written(RIVERSIDE, 6)
    await written(LAKESIDE, 6)
    const objects = openObjects({ PHI_AUDIT_OBJECTS: place('log') })
    for await (const segment of objects.list('lakeside/segments/')) await objects.put(segment, Buffer.from('altered'))
    // the folder of this receiver is a file
    writeFileSync(place('full'), '')
    expect(await opened([toFolder('full'), toFolder('soc')]).run()).toBe(false)
    const items = log.items.length
    expect(
      events.filter((event) => event.event === 'DELIVERY_FAILED').map(({ receiver, tenant, cause }) => [receiver, tenant, cause]),
    ).toEqual(
      expect.arrayContaining([
        ['full', 'riverside', 'Error'],
        ['full', 'lakeside', 'MalformedSegment'],
        ['soc', 'lakeside', 'MalformedSegment'],
      ]),
    )
    expect(events).toContainEqual(
      expect.objectContaining({ event: 'DELIVERY_PASS', receiver: 'soc', tenant: 'riverside', items, behind: 0, lag: 0 }),
    )
    expect(events).toContainEqual(
      expect.objectContaining({ event: 'DELIVERY_PASS', receiver: 'full', tenant: 'riverside', items: 0, behind: items, lag: 60 }),
    )
    expect(arrived('soc').receiver.gaps()).toEqual([])
  })
})

describe('C08: the files of a receiver', { timeout: 60_000 }, () => {
  it('C08: have their names when they are whole, belong to their owner alone, and are the same when they are made again', async () => {
    await written(RIVERSIDE, 20)
    await opened([toFolder('soc')]).run()
    const [file = ''] = readdirSync(join(place('soc'), RIVERSIDE))
    expect(file).toMatch(/^\d{16}-\d{16}\.1-1\.ndjson$/)
    const path = join(place('soc'), RIVERSIDE, file)
    const bytes = readFileSync(path)
    expect([statSync(path).mode & 0o777, statSync(place('soc')).mode & 0o777]).toEqual([0o600, 0o700])
    expect(readdirSync(join(place('soc'), '.unfinished'))).toEqual([])
    // the receiver took the file away, and its position is lost
    rmSync(path)
    rmSync(place('positions'), { recursive: true })
    await opened([toFolder('soc')]).run()
    expect(readFileSync(path)).toEqual(bytes)
  })

  it('C08: do not go on after a position that is altered or of another log', async () => {
    await written(RIVERSIDE, 6)
    mkdirSync(join(place('positions'), RIVERSIDE), { recursive: true })
    const position = join(place('positions'), RIVERSIDE, 'soc.json')
    for (const [stored, cause] of [
      ['{}', 'PositionUnreadable'],
      ['{"format":1,"position":100000,"segment":0,"sentAt":0}', 'PositionBeyondLog'],
    ] as const) {
      writeFileSync(position, stored)
      expect(await opened([toFolder('soc')]).run()).toBe(false)
      expect(events.at(-1)).toEqual({ event: 'DELIVERY_FAILED', receiver: 'soc', tenant: RIVERSIDE, cause })
      expect(readFileSync(position, 'utf8')).toBe(stored)
    }
    expect(readdirSync(folder)).not.toContain('soc')
  })
})
