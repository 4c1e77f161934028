import { TransactWriteItemsCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { GrantList } from '../../../gateway/access/grant-list.ts'
import { writesOf } from '../../../gateway/access/grant-writes.ts'
import { newGrantId, sealText, type StoredGrant } from '../../../gateway/access/stored-grant.ts'
import { queuePlace } from '../../../gateway/store/break-glass.ts'
import { encodeNodeId } from '../../../gateway/model/node-id.ts'
import type { Instant, RecordId } from '../../../gateway/model/ids.ts'
import type { TypeName } from '../../../directives/coordinates.ts'
import { type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { at, first, madeUpId, nodesAt, RIVERSIDE } from '../asking.ts'
import { DatabaseHand, type Item, refOf } from '../store/database-hand.ts'
import { BREAK_FOR, type Desk, openDesk } from './break-glass-desk.ts'
import { END } from './break-glass-ward.ts'

/** Many more than one manifest lists. */
const FLOOD = 1_100
/** The grants of one transaction. */
const AT_ONCE = 90
const REVIEW = `mutation ($id: ID!) { reviewBreakGlass(id: $id, finding: APPROPRIATE) { id reviewed } }`
const LIST = `query ($after: String, $reviewed: Boolean) {
  breakGlassGrants(first: 100, after: $after, reviewed: $reviewed) {
    edges { node { id patientId userId } } pageInfo { hasNextPage endCursor }
  }
}`

let clinic: RunningClinic
let desk: Desk
let hand: DatabaseHand
/** A patient with the grants of the flood, and their ids. */
let crowded: string
let flood: string[]
/** The grant that the flood is to push out. */
let own: string

beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
  hand = new DatabaseHand(clinic)
  desk = await openDesk(clinic.services)
  crowded = madeUpId()
  own = await grant('clinician', crowded)
  flood = await writeFlood(crowded, 'clinician')
})
afterAll(async () => {
  await desk.stop()
  await clinic.stop()
})

async function grant(user: string, id: string): Promise<string> {
  const answer = await desk.ask(user, BREAK_FOR, { id, reason: 'found unconscious', minutes: 5 })
  expect(answer.errors).toEqual([])
  const granted = String(at(answer.data, 'breakGlass', 'id'))
  expect((await desk.ask(user, END, { id: granted })).errors).toEqual([])
  return granted
}

/** Writes ended grants of one user beneath HTTP, many in one transaction. Returns their node ids. */
async function writeFlood(id: string, user: string): Promise<string[]> {
  const { breakGlass: table, keyring, events } = clinic.services
  const { patient } = refOf(id)
  const key = await keyring.purposeKey(RIVERSIDE, 'access')
  const { signal } = new AbortController()
  const now = Date.now()
  const grants = Array.from({ length: FLOOD }, (_, index): StoredGrant => {
    const since = (now + index) as Instant
    const owner = { id: newGrantId(since), patient }
    return { ...owner, user, since, until: since + 1, reason: sealText(key, RIVERSIDE, owner, 'REASON', `reason ${index}`) }
  })
  for (let start = 0; start < FLOOD; start += AT_ONCE) {
    const list = new GrantList({ key, tenant: RIVERSIDE, patient }, (await table.manifests(RIVERSIDE, [patient])).get(patient))
    const put = grants.slice(start, start + AT_ONCE).map((one) => {
      return { place: queuePlace(RIVERSIDE, 'REVIEW', one.since as Instant, one.id), grant: one }
    })
    const items = await writesOf({ table, events }, list, { put }, signal)
    await clinic.stack.dynamodb.send(new TransactWriteItemsCommand({ TransactItems: [...items] }))
  }
  return grants.map((one) => encodeNodeId({ type: 'BreakGlassGrant' as TypeName, patient, id: one.id as RecordId }))
}

/** The pages of a queue, as the privacy officer sees them. */
async function pages(reviewed = false, most = Infinity): Promise<{ nodes: unknown[]; answers: ClinicAnswer[] }> {
  const answers: ClinicAnswer[] = []
  for (let after: unknown = undefined; ; ) {
    const answer = await desk.ask('privacy', LIST, { after, reviewed })
    answers.push(answer)
    after = at(answer.data, 'breakGlassGrants', 'pageInfo', 'endCursor')
    if (at(answer.data, 'breakGlassGrants', 'pageInfo', 'hasNextPage') !== true || answers.length === most) break
  }
  return { nodes: answers.flatMap((answer) => nodesAt(answer.data, 'breakGlassGrants')), answers }
}

const faultsOf = async (work: () => Promise<unknown>): Promise<unknown[]> => {
  const from = clinic.events.length
  await work()
  return clinic.events.slice(from).flatMap((event) => (event.event === 'ACCESS_ITEM_FORGED' ? [event.what] : []))
}
/** The first chunks of the list are on these pages. */
const firstPages = async (): Promise<unknown[]> => (await pages(false, 2)).nodes
const chunks = async (): Promise<Item[]> =>
  (await hand.all(crowded, 'BREAK_GLASS')).filter(({ sk }) => /^#ROOT#\d+$/.test(sk?.S ?? ''))

describe('C02: a clinician cannot push a grant out of the review queue', () => {
  it('the privacy officer sees each of more than a thousand grants of one clinician, in pages, and can review the first', async () => {
    const faults = await faultsOf(async () => {
      const { nodes, answers } = await pages()
      expect(answers.flatMap(({ errors }) => errors)).toEqual([])
      expect(nodes.filter((node) => node === null)).toEqual([])
      expect(nodes.map((node) => at(node, 'id'))).toEqual([own, ...flood])
      const reviewed = await desk.ask('privacy', REVIEW, { id: own })
      expect(reviewed.data).toEqual({ reviewBreakGlass: { id: own, reviewed: true } })
      expect((await pages()).nodes.map((node) => at(node, 'id'))).toEqual(flood)
      expect((await pages(true)).nodes.map((node) => at(node, 'id'))).toEqual([own])
    })
    expect(faults).toEqual([])
  })

  it('a further grant, its end and its review work at a patient with so many grants', async () => {
    const faults = await faultsOf(async () => {
      const granted = await grant('clinician', crowded)
      expect((await desk.ask('privacy', REVIEW, { id: granted })).errors).toEqual([])
      const middle = flood[500] ?? ''
      expect((await desk.ask('privacy', REVIEW, { id: middle })).errors).toEqual([])
      const left = (await pages()).nodes.map((node) => at(node, 'id'))
      expect(left).toEqual(flood.filter((id) => id !== middle))
    })
    expect(faults).toEqual([])
  })

  it('no item of the list is large', async () => {
    const items = (await hand.all(crowded, 'BREAK_GLASS')).filter(({ sk }) => sk?.S?.startsWith('#ROOT'))
    expect(items.length).toBeGreaterThan(8)
    for (const { v } of items) expect(v?.B?.length).toBeLessThan(13_000)
  })
})

describe('P6: a chunk of the list of grants is found missing or rolled back', () => {
  it('a removed chunk: its grants are damaged, the others are listed, and operators know', async () => {
    const [chunk = {}] = (await chunks()).toSorted((a, b) => Number(a['sk']?.S?.slice(6)) - Number(b['sk']?.S?.slice(6)))
    await hand.remove(chunk, 'BREAK_GLASS')
    let shown: unknown[] = []
    const faults = await faultsOf(async () => {
      shown = await firstPages()
    })
    expect(shown).toHaveLength(200)
    const damaged = shown.filter((node) => node === null).length
    expect(damaged).toBeGreaterThan(30)
    expect(damaged).toBeLessThan(130)
    expect(new Set(faults)).toEqual(new Set(['MISSING']))
    await hand.put(chunk, 'BREAK_GLASS')
    expect(await firstPages()).not.toContain(null)
  })

  it('a chunk that was put back together with the grant that its review removed', async () => {
    const target = String(at(first(await firstPages()), 'id'))
    const before = await chunks()
    const queued = await hand.read(queueKey(target), 'BREAK_GLASS')
    expect((await desk.ask('privacy', REVIEW, { id: target })).errors).toEqual([])
    const after = await chunks()
    for (const item of [...before, queued]) await hand.put(item, 'BREAK_GLASS')
    const faults = await faultsOf(async () => {
      expect(await firstPages()).toContain(null)
    })
    expect(new Set(faults)).toEqual(new Set(['ALTERED']))
    for (const item of after) await hand.put(item, 'BREAK_GLASS')
    await hand.remove(queued, 'BREAK_GLASS')
    expect(await firstPages()).not.toContain(null)
  })

  it('a chunk that was removed together with all of its grants has a damaged position', async () => {
    const nodes = await firstPages()
    const [chunk = {}] = (await chunks()).toSorted((a, b) => Number(a['sk']?.S?.slice(6)) - Number(b['sk']?.S?.slice(6)))
    await hand.remove(chunk, 'BREAK_GLASS')
    const damaged = (await firstPages()).flatMap((node, index) => (node === null ? [nodes[index]] : []))
    const queued = await Promise.all(damaged.map((node) => hand.read(queueKey(String(at(node, 'id'))), 'BREAK_GLASS')))
    await Promise.all(queued.map((item) => hand.remove(item, 'BREAK_GLASS')))
    const faults = await faultsOf(async () => {
      expect((await firstPages()).filter((node) => node === null)).toHaveLength(1)
    })
    expect(faults).toEqual(['MISSING'])
    await Promise.all([chunk, ...queued].map((item) => hand.put(item, 'BREAK_GLASS')))
  })

  it('a removed chunk does not prevent a new grant: it is reported, and its grants stay damaged', async () => {
    const stored = await chunks()
    for (const chunk of stored) await hand.remove(chunk, 'BREAK_GLASS')
    const faults = await faultsOf(async () => {
      const answer = await desk.ask('another', BREAK_FOR, { id: crowded, reason: 'found unconscious', minutes: 5 })
      expect(answer.errors).toEqual([])
    })
    expect(new Set(faults)).toEqual(new Set(['MISSING']))
    const { nodes } = await pages()
    expect(nodes.at(-1)).toMatchObject({ userId: 'another' })
    expect(nodes.slice(0, -1).every((node) => node === null)).toBe(true)
    expect(nodes.length).toBeGreaterThan(FLOOD - 10)
  })
})

function queueKey(id: string): Item {
  const grantId = refOf(id).id
  const time = Buffer.from(grantId, 'base64url').readUIntBE(0, 6)
  return { pk: { S: `${RIVERSIDE}#REVIEW` }, sk: { S: `${String(time).padStart(14, '0')}#${grantId}` } }
}
