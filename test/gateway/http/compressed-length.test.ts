import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Relationship } from '../../../directives/policy.ts'
import { recordById } from '../../../gateway/disclosure/edge-resolvers.ts'
import { compress } from '../../../gateway/http/content-encoding.ts'
import type { PatientId, RecordId } from '../../../gateway/model/ids.ts'
import type { Json } from '../../../gateway/model/record.ts'
import { encodeNodeId } from '../../../gateway/model/node-id.ts'
import type { RecordSource } from '../../../gateway/store/record-source.ts'
import { NOT_PHI, sdl } from '../../directives/clinic-fixture.ts'
import { KeyHouse } from '../crypto/key-fixtures.ts'
import { bodyOf, type GatewayUnderTest, gatewayOver } from '../stand-ins.ts'

// Compression makes a length depend on what repeats. An alias is text of the caller in the answer, so it is a guess to compare with. Only
// values that the caller receives may take part.

const shown = '@phi(category: IDENTITY) @minimumNecessary(roles: [PHYSICIAN], relationship: CARE_TEAM)'
const SCHEMA = sdl(`id: ID! ${NOT_PHI}
  name: String ${shown}
  ssn: String @phi(category: IDENTITY) @minimumNecessary(roles: [PHYSICIAN], relationship: CARE_TEAM, view: LAST4)
  note: String @phi(category: NOTE) @minimumNecessary(roles: [NURSE], relationship: CARE_TEAM)`)

let under: GatewayUnderTest
let id: string
let stored: Readonly<Record<string, Json>> = {}

const source: RecordSource = {
  load: (_tenant, refs, paths) =>
    Promise.resolve(
      refs.map((ref) => ({
        ref,
        open: () => ({
          version: 1,
          metadata: { open: {}, references: {} },
          maxBytes: (path) => JSON.stringify(stored[path] ?? '').length,
          value: (path) => (paths.has(path) ? stored[path] : undefined),
        }),
      })),
    ),
  list: () => Promise.resolve({ items: [], leftOut: [], more: false }),
}

beforeAll(async () => {
  const house = new KeyHouse()
  const [patient] = (await house.withPatients(1)) as [PatientId]
  id = encodeNodeId({ type: 'Person' as never, patient, id: patient as string as RecordId })
  under = await gatewayOver(SCHEMA, {
    keys: house.ring,
    resolvers: { Query: { person: recordById('Person') } },
    sources: new Map([['dynamodb', source]]),
    relationships: new Map([
      [
        'CARE_TEAM' as Relationship,
        {
          periods: (_caller, all) => Promise.resolve(new Map(all.map((one) => [one, [{}]]))),
          panel: () => Promise.resolve([patient]),
        },
      ],
    ]),
  })
})

interface Values {
  readonly name: string
  readonly ssn: string
  readonly note: string
}

/** The body of an answer about a patient with these values. The request id and the receipt are random in each answer. */
async function answered({ name, ssn, note }: Values, guess: string): Promise<string> {
  stored = { 'Person.name': name, 'Person.ssn': ssn, 'Person.note': note }
  const aliases = [guess, `${guess}_`, `_${guess}`].map((alias) => `${alias}: name`).join(' ')
  const response = await under.post(`query ($id: ID!) { person(id: $id) { name ${aliases} ssn note } }`, { id })
  const { requestId, receipt } = bodyOf(response).extensions.phi
  return response.body.replace(String(requestId), 'REQUEST').replace(String(receipt), 'RECEIPT')
}

const lengths = async (body: string): Promise<readonly number[]> =>
  await Promise.all((['br', 'gzip'] as const).map(async (coding) => (await compress(body, coding)).length))

const word = fc.stringMatching(/^[a-z]{8,24}$/)
const digits = fc.stringMatching(/^[0-9]{5}$/)

describe('P5: the length of a compressed answer', () => {
  it('does not depend on a hidden value, also if the caller guesses it in an alias', async () => {
    await fc.assert(
      fc.asyncProperty(word, word, fc.oneof(fc.string(), word), digits, digits, async (guess, name, note, first, second) => {
        const visible = { name: name.repeat(60), last4: '4321' }
        const body = await answered({ name: visible.name, ssn: `${first}${visible.last4}`, note: guess.repeat(40) }, guess)
        expect(body.length).toBeGreaterThan(1024)
        expect(bodyOf({ status: 200, headers: {}, body }).data).toMatchObject({ person: { ssn: '*****4321', note: null } })
        const other = await answered({ name: visible.name, ssn: `${second}${visible.last4}`, note }, guess)
        expect(await lengths(other)).toEqual(await lengths(body))
      }),
      { numRuns: 20 },
    )
  })

  it('does depend on a value that the caller receives: docs/side-channels.md', async () => {
    const answers = ['abcdefghijkl', 'mnopqrstuvwx'].map((guess) =>
      answered({ name: 'abcdefghijkl', ssn: '123454321', note: '' }, guess),
    )
    const [hit, miss] = [await lengths(await (answers[0] ?? '')), await lengths(await (answers[1] ?? ''))]
    expect(hit).not.toEqual(miss)
  })
})
